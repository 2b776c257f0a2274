"""The observations that a challenger is fitted to: those of its model, and what came since.

A model reads the data in use, or a file of its own folder. What came since is what a gateway has received, or
what a file holds.
"""

import argparse
import datetime
import os
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pandas as pd

from forecastle import folder as folders
from forecastle import members, observations
from forecastle.artifact import Artifact, sha256
from forecastle.observations import ObservationsError
from forecastle.observations import options as file_options
from forecastle.observations.address import shown
from forecastle.project import client
from forecastle.project.compose import ROOT
from forecastle.project.retraining import RetrainingError

TIMEOUT = 30  # seconds that a gateway may keep silent
COUNTRY = "country"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `newest` takes."""
    parser.add_argument("--url", default="http://localhost:8080", help="the gateway with new observations")
    file_options.add_options(parser)


def newest(
    options: argparse.Namespace, scratch: Path, incumbent: Artifact, root: Path = ROOT
) -> pd.DataFrame:
    """The newest observations: those of the model, and what a gateway has received or a file holds.

    A file takes the place of the data in use, as with `make data`, but is merged into a model's own file, as
    what a gateway has received is into either.

    Args:
        options: As of `add_options`.
        scratch: A folder for what is received.
        incumbent: Of the model, which says what it reads and forecasts.
        root: The project.

    Raises:
        ObservationsError: The observations cannot be used.
        RetrainingError: The gateway gives none, they are of another noun or lack the measure, the model is an
            ensemble whose members read files of their own, or `FORECASTLE_DATA` names other data than the
            project's own.
    """
    _check_members(incumbent, root)
    own = own_file(incumbent, root)
    if own is None and (path := os.environ.get("FORECASTLE_DATA")):
        raise RetrainingError(
            f"FORECASTLE_DATA={path} is in use, but retraining renews data/{observations.CURRENT}: unset it"
        )
    received: pd.DataFrame | None
    if options.file:
        received = file_options.read_chosen(options).frame
        _check(received, incumbent)
        if own is None:
            return received
    base = observations.read(own or in_use(root)).frame
    if not options.file:
        received = receive(options.url, scratch, observations.noun_of(base))
    new = base if received is None else merged(base, received)
    _check(new, incumbent)
    return new


def own_file(incumbent: Artifact, root: Path = ROOT) -> Path | None:
    """The file of the model's own folder that it was fitted to; None if it reads the data in use."""
    return _file_in(root / "models" / incumbent.model, incumbent)


def _file_in(folder: Path, incumbent: Artifact) -> Path | None:
    """The file of a model's folder with the name of what an incumbent was fitted to."""
    name = incumbent.manifest.data.file
    return next((folder / path for path in folders.training_files(folder) if path.name == name), None)


def _check_members(incumbent: Artifact, root: Path) -> None:
    """Refuse an ensemble whose members new data would not reach: they are trained in its image's build."""
    for member in members.read(root / "models" / incumbent.model):
        if own := _file_in(root / "models" / member, incumbent):
            raise RetrainingError(
                f"its member {member} reads a file of its own, {own.relative_to(root)}: run `make retrain` "
                f"for each member and then `make build MODEL={incumbent.model}`"
            )


def last_report(frame: pd.DataFrame, incumbent: Artifact) -> datetime.date:
    """The last date with a value of the measure that a model forecasts.

    Raises:
        ObservationsError: There is none.
    """
    measure = incumbent.manifest.measure
    if measure not in frame:
        raise ObservationsError(f"the observations have no column {measure}")
    reported = frame["date"][frame[measure].notna()]
    if reported.empty:
        raise ObservationsError(f"the observations have no value of {measure}")
    return reported.max().date()


def _check(frame: pd.DataFrame, incumbent: Artifact) -> None:
    noun, measure = incumbent.manifest.noun, incumbent.manifest.measure
    if (given := observations.noun_of(frame)) != noun:
        raise RetrainingError(f"the observations are of each {given}, and it forecasts each {noun}")
    if measure not in frame:
        raise RetrainingError(f"the observations have no column {measure}, which it forecasts")


def in_use(root: Path = ROOT) -> Path:
    """The project's own file of observations in use: what `make data` chose, or else the default."""
    current = root / "data" / observations.CURRENT
    return current if current.is_file() else current.with_name(observations.DEFAULT)


def receive(url: str, scratch: Path, noun: str) -> pd.DataFrame | None:
    """Download the observations of a noun that a gateway's catalogue has received; None if there are none.

    Args:
        url: The gateway.
        scratch: A folder for the file.
        noun: What the series are about.

    Raises:
        ObservationsError: The observations cannot be used.
        RetrainingError: The gateway gives none, or not all of them.
    """
    url = f"{url.rstrip('/')}/observations"
    address = shown(url)
    try:
        asked = f"{url}?{urlencode({'noun': noun})}"
        response = client.request("GET", asked, headers={"Accept": "text/csv"}, timeout=TIMEOUT)
    except client.NoAnswerError as error:
        raise RetrainingError(
            f"{address} gives no observations ({error}): start the gateway (`make run`, `make up`), name "
            "another with URL=, or a file with FILE="
        ) from None
    if _has_other_nouns(response):
        return None
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


def _has_other_nouns(response: httpx.Response) -> bool:
    """Whether a gateway refuses as it has received observations of other nouns alone."""
    if response.status_code != httpx.codes.UNPROCESSABLE_ENTITY:
        return False
    try:
        return [error["parameter"] for error in response.json()["errors"]] == ["noun"]
    except (ValueError, KeyError, TypeError):
        return False


def merged(base: pd.DataFrame, received: pd.DataFrame) -> pd.DataFrame:
    """Merge received observations into others, both as `observations.read` gives them.

    Where both have a count, the received one wins. Every column of the base stays.
    """
    keys = [observations.noun_of(base), "date"]
    if "name" not in base:
        received = received.drop(columns="name", errors="ignore")
    both = received.set_index(keys).combine_first(base.set_index(keys)).reset_index()
    first = [column for column in observations.COLUMNS if column in both]
    columns = [*first, *(name for name in base if name not in first)] if keys[0] == COUNTRY else list(base)
    others = [column for column in received if column in both and column not in columns]
    return both[[*columns, *others]].sort_values(keys)


def held_out(incumbent: Artifact, new: pd.DataFrame, root: Path = ROOT) -> pd.DataFrame:
    """The observations that an incumbent knew, and the new ones of later days.

    If the file that the incumbent was fitted to is still there, the earlier days come from it. Otherwise the
    challenger would know revisions that the incumbent did not.
    """
    through = pd.Timestamp(incumbent.data_through)
    known = new[new["date"] <= through]
    own = own_file(incumbent, root)
    for path in [*([own] if own else []), *sorted((root / "data").glob("*.csv"))]:
        if sha256(path) == incumbent.manifest.data.sha256:
            before = observations.read(path).frame
            known = before[before["date"] <= through]
    rows = pd.concat([known, new[new["date"] > through]], ignore_index=True)
    return rows.sort_values([observations.noun_of(new), "date"])
