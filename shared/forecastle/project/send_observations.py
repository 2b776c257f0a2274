"""`make observe FILE=...`: send observations to a gateway's catalogue, which keeps them and scores forecasts.

The file may have any format that `make data` reads, and negative counts are spread as there. The key is in
`OBSERVATIONS_KEY`.
"""

import argparse
import csv
import io
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pandas as pd

from forecastle import observations
from forecastle.observations import ObservationsError
from forecastle.observations.address import is_address, shown
from forecastle.observations.options import add_options, read_chosen
from forecastle.project import client
from forecastle.training.progress import Report, steps

KEY = "OBSERVATIONS_KEY"
PART = 4 * 2**20  # bytes of a request, about; the catalogue takes up to 8 MiB
BLOCK = 64 * 2**10  # bytes between two reports of progress
TIMEOUT = 120  # seconds that the gateway may keep silent
COUNTS = ("received", "new", "revised", "unchanged")  # of rows, in the catalogue's response


class ObserveError(Exception):
    """The observations were not taken; the message is one line."""


class Progress:
    """The progress of sending several requests.

    Args:
        total: Bytes of all requests.
        report: Called with the fraction that has been sent.
    """

    def __init__(self, total: int, report: Report) -> None:
        self.total, self.report, self.sent = total, report, 0

    def of(self, content: bytes) -> Iterator[bytes]:
        """The content of a request in blocks; a block counts as sent when the next one is asked for."""
        for start in range(0, len(content), BLOCK):
            block = content[start : start + BLOCK]
            yield block
            self.sent += len(block)
            self.report(self.sent / self.total)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m forecastle.project.send_observations",
        description="Send observations to the catalogue of a running gateway.",
    )
    add_options(parser)
    parser.add_argument("--url", default="http://localhost:8080", help="the gateway")
    options = parser.parse_args(argv)
    try:
        _observe(options, os.environ.get(KEY, ""))
    except (ObservationsError, ObserveError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def send(url: str, key: str, content: bytes, progress: Progress) -> dict[str, int]:
    """Send rows of CSV in one request.

    Args:
        url: The gateway.
        key: The key that the catalogue was started with.
        content: The rows.
        progress: Counts the bytes that are sent.

    Returns:
        How many rows the catalogue received, and how many of them were new, revised and unchanged.

    Raises:
        ObserveError: The catalogue refused the rows, or there was no response.
    """
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "text/csv; charset=utf-8",
        "Content-Length": str(len(content)),
    }
    address = f"{url.rstrip('/')}/observations"
    try:
        response = client.request(
            "POST", address, content=progress.of(content), headers=headers, timeout=TIMEOUT
        )
    except client.NoAnswerError as error:
        raise ObserveError(f"{url} does not answer ({error}): start it, or name another with URL=") from None
    try:
        body = response.json()
        if response.status_code == httpx.codes.OK:
            return {name: body[name] for name in COUNTS}
        detail = str(body["detail"])
    except (ValueError, KeyError, TypeError):
        status = f"{response.status_code} {response.reason_phrase}"
        detail = f"it answers {status}: is this the address of a gateway?"
    raise ObserveError(f"{url} refuses the observations, and has kept none of them: {detail}")


def parts(frame: pd.DataFrame, most: int = PART) -> Iterator[bytes]:
    """Observations as CSV, the first dates first, in parts of whole dates and at most so many bytes."""
    noun = observations.noun_of(frame)
    # The catalogue knows the names of countries.
    columns = [str(column) for column in frame if column != "name" or noun != "country"]
    part = io.StringIO()
    for _, day in frame.sort_values(["date", noun]).groupby("date"):
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
    _check_key(key)
    _check_url(options.url)
    for file in filter(None, (options.file, options.deaths)):
        _check_end(file)
    known = read_chosen(options)
    frame = known.frame
    first, last = f"{frame['date'].min():%Y-%m-%d}", f"{frame['date'].max():%Y-%m-%d}"
    print(f"{shown(options.file)}: {known.format}, {len(frame):,} rows, {first} to {last}", flush=True)
    contents = list(parts(frame))
    total = dict.fromkeys(COUNTS, 0)
    with steps("observe") as step, step("sending") as report:
        progress = Progress(sum(map(len, contents)), report)
        for content in contents:
            try:
                counts = send(options.url, key, content, progress)
            except ObserveError as error:
                if total["received"]:
                    error = ObserveError(f"{error} (it has kept the first {total['received']:,} rows)")
                raise error from None
            total = {name: total[name] + counts[name] for name in COUNTS}
    print(
        f"{options.url} has received {total['received']:,} rows: {total['new']:,} new, "
        f"{total['revised']:,} revised, {total['unchanged']:,} known before"
    )


def _check_key(key: str) -> None:
    if not key:
        raise ObserveError(f"{KEY} is not set: it must be the key that the catalogue was started with")
    if not (key.isascii() and key.isprintable()):
        raise ObserveError(
            f"{KEY} has a character that no HTTP header can hold: use ASCII letters, digits and punctuation"
        )


def _check_url(url: str) -> None:
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL:
        address = httpx.URL()
    if address.scheme not in ("http", "https") or not address.host:
        raise ObserveError(f"URL={shown(url)} is not an address such as http://localhost:8080")
    if address.userinfo:
        raise ObserveError(
            f"URL= must be {shown(url)} without a name and password: {KEY} is sent in their place"
        )


def _check_end(file: str) -> None:
    """Refuse a local file that is cut off within its last line: its last count may lack digits."""
    if is_address(file):
        return
    try:
        text = Path(os.path.expanduser(file)).read_text(encoding="utf-8-sig")
    except (OSError, ValueError):
        return  # `observations.read` reports it
    if text.endswith(("\n", "\r")) or not (lines := text.splitlines()):
        return
    header, last = csv.reader((lines[0], lines[-1]))
    if len(last) < len(header) or not last[-1].strip() or last[-1].strip().isdigit():
        raise ObserveError(f"{file}: the last line does not end in a line break: is the file half written?")


if __name__ == "__main__":
    sys.exit(main())
