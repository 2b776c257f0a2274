"""The observations that a challenger is fitted to: the data in use, and what a gateway has received since."""

import argparse
import os
from pathlib import Path

import httpx
import pandas as pd

from forecastle import observations
from forecastle.artifact import Artifact, sha256
from forecastle.observations import ObservationsError
from forecastle.observations import options as file_options
from forecastle.observations.address import shown
from forecastle.project import client
from forecastle.project.compose import ROOT
from forecastle.project.retraining import RetrainingError

TIMEOUT = 30  # seconds that a gateway may keep silent
KEYS = ["country", "date"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `newest` takes."""
    parser.add_argument("--url", default="http://localhost:8080", help="the gateway with new observations")
    file_options.add_options(parser)


def newest(options: argparse.Namespace, scratch: Path, root: Path = ROOT) -> pd.DataFrame:
    """The newest observations: a file's, or else the data in use and what a gateway has received.

    Args:
        options: As of `add_options`.
        scratch: A folder for what is received.
        root: The project.

    Raises:
        ObservationsError: The observations cannot be used.
        RetrainingError: The gateway gives none, or `FORECASTLE_DATA` names other data than the project's own.
    """
    if path := os.environ.get("FORECASTLE_DATA"):
        raise RetrainingError(
            f"FORECASTLE_DATA={path} is in use, but retraining renews data/{observations.CURRENT}: unset it"
        )
    if options.file:
        return file_options.read_chosen(options).frame
    base, received = observations.read(in_use(root)).frame, receive(options.url, scratch)
    return base if received is None else merged(base, received)


def in_use(root: Path = ROOT) -> Path:
    """The project's own file of observations in use: what `make data` chose, or else the default."""
    current = root / "data" / observations.CURRENT
    return current if current.is_file() else current.with_name(observations.DEFAULT)


def receive(url: str, scratch: Path) -> pd.DataFrame | None:
    """Download the observations that a gateway's catalogue has received; None if there are none yet.

    Args:
        url: The gateway.
        scratch: A folder for the file.

    Raises:
        ObservationsError: The observations cannot be used.
        RetrainingError: The gateway gives none, or not all of them.
    """
    url = f"{url.rstrip('/')}/observations"
    address = shown(url)
    try:
        response = client.request("GET", url, headers={"Accept": "text/csv"}, timeout=TIMEOUT)
    except client.NoAnswerError as error:
        raise RetrainingError(
            f"{address} gives no observations ({error}): start the gateway (`make run`, `make up`), name "
            "another with URL=, or a file with FILE="
        ) from None
    if response.status_code != httpx.codes.OK:
        raise RetrainingError(
            f"{address} answers {response.status_code} {response.reason_phrase}: name another gateway with "
            "URL=, or a file with FILE="
        )
    if not response.text.endswith("\n"):
        raise RetrainingError(f"{address} gives observations that end within a line: try again")
    if len(response.text.splitlines()) == 1:
        return None
    path = scratch / "received.csv"
    path.write_bytes(response.content)
    try:
        return observations.read(path).frame
    except ObservationsError as error:
        raise ObservationsError(str(error).replace(str(path), address)) from None


def merged(base: pd.DataFrame, received: pd.DataFrame) -> pd.DataFrame:
    """Merge received observations into others, both as `observations.read` gives them.

    Where both have a count, the received one wins.
    """
    both = received.set_index(KEYS).combine_first(base.set_index(KEYS)).reset_index()
    return both[[column for column in observations.COLUMNS if column in both]].sort_values(KEYS)


def held_out(incumbent: Artifact, new: pd.DataFrame, root: Path = ROOT) -> pd.DataFrame:
    """The observations that an incumbent knew, and the new ones of later days.

    If the file that the incumbent was fitted to is still in `data/`, the earlier days come from it. Otherwise
    the challenger would know revisions that the incumbent did not.
    """
    through = pd.Timestamp(incumbent.data_through)
    known = new[new["date"] <= through]
    for path in sorted((root / "data").glob("*.csv")):
        if sha256(path) == incumbent.manifest.data.sha256:
            known = observations.read(path).frame
    return pd.concat([known, new[new["date"] > through]], ignore_index=True).sort_values(KEYS)
