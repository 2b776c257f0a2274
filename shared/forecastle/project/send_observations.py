"""`make observe FILE=...`: send counts to the catalogue of a running gateway, which keeps and scores them.

Any format that `make data` reads; negative counts are spread as it does. The key is `OBSERVATIONS_KEY`'s.
"""

import argparse
import csv
import datetime
import http.client
import io
import json
import os
import sys
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from forecastle import observations
from forecastle.observations import ObservationsError
from forecastle.training.progress import Report, steps

KEY = "OBSERVATIONS_KEY"
PART = 4 * 2**20  # bytes at a time, about; less than the catalogue takes
BLOCK = 64 * 2**10  # bytes between two looks at the progress
TIMEOUT = 120  # seconds that the gateway may keep silent


class ObserveError(Exception):
    """The counts were not taken; the message is one line."""


class Progress:
    """How much of several contents is sent.

    Args:
        total: Bytes.
        report: Takes the fraction that is sent.
    """

    def __init__(self, total: int, report: Report) -> None:
        self.total, self.report, self.sent = total, report, 0

    def of(self, content: bytes) -> Iterator[bytes]:
        """The content in blocks; that the next is asked for tells that one is sent."""
        for start in range(0, len(content), BLOCK):
            block = content[start : start + BLOCK]
            yield block
            self.sent += len(block)
            self.report(self.sent / self.total)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m forecastle.project.send_observations",
        description="Send counts to the catalogue of a running gateway.",
    )
    parser.add_argument(
        "--file", metavar="PATH_OR_URL", help="the counts, in any format that `make data` reads"
    )
    parser.add_argument("--deaths", metavar="PATH_OR_URL", help="JHU's second file")
    parser.add_argument("--since", metavar="DATE", help="leave out earlier days")
    parser.add_argument("--until", metavar="DATE", help="leave out later days")
    parser.add_argument("--url", default="http://localhost:8080", help="the gateway")
    options = parser.parse_args(argv)
    try:
        _observe(options, os.environ.get(KEY, ""))
    except (ObservationsError, ObserveError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def send(url: str, key: str, content: bytes, progress: Progress) -> dict[str, Any]:
    """Send rows of CSV.

    Args:
        url: The gateway.
        key: What proves that the sender may.
        content: The rows.
        progress: Is told what is sent.

    Returns:
        What became of them, as the catalogue tells it.

    Raises:
        ObserveError: They were refused, or there was no answer.
    """
    address = urllib.parse.urlsplit(url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise ObserveError(f"URL={url} is no address such as http://localhost:8080")
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "text/csv; charset=utf-8",
        "Content-Length": str(len(content)),
    }
    try:
        connection = kind(address.hostname, address.port, timeout=TIMEOUT)
        try:
            try:
                path = f"{address.path.rstrip('/')}/observations"
                connection.request("POST", path, progress.of(content), headers)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it may have refused before it has read everything
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ObserveError(f"{url} does not answer ({reason}): start it, or name another with URL=") from None
    try:
        told = json.loads(body)
        if answer.status == 200:
            return {name: told[name] for name in ("received", "new", "revised", "unchanged")}
        detail = str(told["detail"])
    except (ValueError, KeyError, TypeError):
        detail = f"it answers {answer.status} {answer.reason}: is this the address of a gateway?"
    raise ObserveError(f"{url} refuses the counts, and has kept none of them: {detail}")


def parts(frame: pd.DataFrame, most: int = PART) -> Iterator[bytes]:
    """Observations as CSV of whole days, so many bytes at a time, the first days first."""
    columns = [column for column in observations.COLUMNS if column in frame and column != "name"]
    part = io.StringIO()
    for _, day in frame.sort_values(["date", "country"]).groupby("date"):
        text = day.to_csv(
            columns=columns, index=False, header=False, lineterminator="\n", date_format="%Y-%m-%d"
        )
        if part.tell() and part.tell() + len(text) > most:
            yield part.getvalue().encode()
            part = io.StringIO()
        if not part.tell():
            part.write(",".join(columns) + "\n")
        part.write(text)
    yield part.getvalue().encode()


def _observe(options: argparse.Namespace, key: str) -> None:
    if not options.file:
        raise ObserveError("say which counts with FILE=, a path or an address")
    if not key:
        raise ObserveError(f"{KEY} is not set: it must be the key that the catalogue was started with")
    for file in filter(None, (options.file, options.deaths)):
        _check_end(file)
    since, until = _day(options.since, "SINCE"), _day(options.until, "UNTIL")
    known = observations.read(options.file, options.deaths or None, since=since, until=until)
    frame = known.frame
    first, last = f"{frame['date'].min():%Y-%m-%d}", f"{frame['date'].max():%Y-%m-%d}"
    print(f"{options.file}: {known.format}, {len(frame):,} rows, {first} to {last}", flush=True)
    contents = list(parts(frame))
    told = dict.fromkeys(("received", "new", "revised", "unchanged"), 0)
    with steps("observe") as step, step("sending") as report:
        done = Progress(sum(map(len, contents)), report)
        for content in contents:
            try:
                one = send(options.url, key, content, done)
            except ObserveError as error:
                if told["received"]:
                    error = ObserveError(f"{error} (the {told['received']:,} rows before them it has)")
                raise error from None
            told = {name: told[name] + one[name] for name in told}
    print(
        f"{options.url} has received {told['received']:,} rows: {told['new']:,} new, "
        f"{told['revised']:,} revised, {told['unchanged']:,} known before"
    )


def _check_end(file: str) -> None:
    """Refuse a local file that is cut off within its last line: its last count may lack digits."""
    if file.startswith(("http://", "https://")):
        return
    try:
        text = Path(file).read_text(encoding="utf-8-sig")
    except (OSError, ValueError):
        return  # `observations.read` says it
    if text.endswith(("\n", "\r")) or not (lines := text.splitlines()):
        return
    header, last = csv.reader((lines[0], lines[-1]))
    if len(last) < len(header) or not last[-1].strip() or last[-1].strip().isdigit():
        raise ObserveError(f"{file}: the last line does not end in a line break: is the file half written?")


def _day(text: str | None, variable: str) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(text) if text else None
    except ValueError:
        raise ObserveError(f"{variable}={text} is not a date such as 2020-04-24") from None


if __name__ == "__main__":
    sys.exit(main())
