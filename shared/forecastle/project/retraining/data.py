"""New observations for a challenger: those in use, and what has been received since."""

import argparse
import datetime
import os
from pathlib import Path

import httpx
import pandas as pd

from forecastle import observations
from forecastle.artifact import Artifact, sha256
from forecastle.observations import ObservationsError
from forecastle.project.compose import ROOT
from forecastle.project.retraining import RetrainingError

TIMEOUT = 30  # seconds that a gateway may keep silent
KEYS = ["country", "date"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command line's part that `newest` reads."""
    parser.add_argument("--url", default="http://localhost:8080", help="the gateway with new observations")
    parser.add_argument("--file", metavar="PATH_OR_URL", help="the data to use in place of these")
    parser.add_argument("--deaths", metavar="PATH_OR_URL", help="JHU's second file")
    parser.add_argument("--since", metavar="DATE", help="leave out earlier days")
    parser.add_argument("--until", metavar="DATE", help="leave out later days")


def newest(options: argparse.Namespace, scratch: Path, root: Path = ROOT) -> pd.DataFrame:
    """All observations: a file's, or those in use with what a gateway has received.

    Args:
        options: As of `add_options`.
        scratch: A folder for what is received.
        root: The project.

    Raises:
        ObservationsError: They cannot be used.
        RetrainingError: The gateway gives none; or others than the project's own are in use.
    """
    if path := os.environ.get("FORECASTLE_DATA"):
        raise RetrainingError(
            f"FORECASTLE_DATA={path} is in use, where data/{observations.CURRENT} would be renewed: unset it"
        )
    if options.file:
        since, until = (_day(getattr(options, name), name.upper()) for name in ("since", "until"))
        return observations.read(options.file, options.deaths or None, since=since, until=until).frame
    base, received = observations.read(in_use(root)).frame, receive(options.url, scratch)
    return base if received is None else merged(base, received)


def in_use(root: Path = ROOT) -> Path:
    """The project's own data that are in use: the current ones, or else the default."""
    current = root / "data" / observations.CURRENT
    return current if current.is_file() else current.with_name(observations.DEFAULT)


def receive(url: str, scratch: Path) -> pd.DataFrame | None:
    """The observations that a gateway's catalogue has received; None if there are none yet.

    Raises:
        ObservationsError: They are not what they should be.
        RetrainingError: It gives none, or not all of them.
    """
    address = f"{url.rstrip('/')}/observations"
    try:
        answer = httpx.get(address, headers={"Accept": "text/csv"}, timeout=TIMEOUT)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise RetrainingError(
            f"{address} gives no observations ({error}): start the gateway (`make run`, `make up`), name "
            "another with URL=, or a file with FILE="
        ) from None
    if answer.status_code != 200:
        raise RetrainingError(
            f"{address} answers {answer.status_code} {answer.reason_phrase}: name another gateway with URL=, "
            "or a file with FILE="
        )
    if not answer.text.endswith("\n"):
        raise RetrainingError(f"{address} gives observations that end within a line: try again")
    if len(answer.text.splitlines()) == 1:
        return None
    path = scratch / "received.csv"
    path.write_bytes(answer.content)
    try:
        return observations.read(path).frame
    except ObservationsError as error:
        raise ObservationsError(str(error).replace(str(path), address)) from None


def merged(base: pd.DataFrame, received: pd.DataFrame) -> pd.DataFrame:
    """Received observations onto others, both as frames of `observations.read`; they win where both know."""
    both = received.set_index(KEYS).combine_first(base.set_index(KEYS)).reset_index()
    return both[[column for column in observations.COLUMNS if column in both]].sort_values(KEYS)


def held_out(incumbent: Artifact, new: pd.DataFrame, root: Path = ROOT) -> pd.DataFrame:
    """What an incumbent knew, and the new observations after that.

    They are the very data that it was fitted to, if these still lie in `data/`, since what was revised later
    is not for the challenger to know.
    """
    through = pd.Timestamp(incumbent.data_through)
    known = new[new["date"] <= through]
    for path in sorted((root / "data").glob("*.csv")):
        if sha256(path) == incumbent.manifest.data.sha256:
            known = observations.read(path).frame
    return pd.concat([known, new[new["date"] > through]], ignore_index=True).sort_values(KEYS)


def _day(text: str | None, variable: str) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(text) if text else None
    except ValueError:
        raise RetrainingError(f"{variable}={text} is not a date such as 2020-04-24") from None
