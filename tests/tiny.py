"""Models that are fitted in seconds, and data that they are right for."""

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecastle.frequency import Frequency
from forecastle.places import NAMES
from forecastle.training.recipe import Recipe
from forecastle.training.sampling import Sampling

from .conftest import HORIZON, MakeArtifact

CODES = ("DEU", "ESP", "FRA", "GBR", "ITA", "USA")
RATE = 20  # deaths a day, in every country
THROUGH, LAST = datetime.date(2020, 4, 29), datetime.date(2020, 5, 9)
KNOWN_DAYS, NEW_DAYS = 50, (LAST - THROUGH).days

TRAIN = '''"""A tiny model: a constant rate for each country."""

import numpy as np
import pymc as pm

from forecastle.observations import read, since_total
from forecastle.training import backtest, train

backtest.ORIGINS["short"], backtest.LEAST_PATHS = (1, 8), 1


def observe(path):
    return since_total(read(path), "deaths", start=10, total=50)


def build(rows):
    country = rows.groupby("country").ngroup().to_numpy()
    with pm.Model(coords={"country": rows["country"].unique()}) as model:
        level = pm.Normal("level", 3, 1, dims="country")
        pm.Poisson("deaths", pm.math.exp(level[country]), observed=rows["count"].to_numpy(dtype=int))
    return model


def predict(posterior, rows, days, rng):
    level = posterior["level"].to_numpy()[:, :, None]
    return FACTOR * rng.poisson(np.exp(level), size=(*level.shape[:2], len(days)))


FACTOR = 1

if __name__ == "__main__":
    train(observe, build, predict, target="daily deaths", unit="deaths", draws=500, tune=300)
'''

# The same of items that stores sell a week, from a file of the model's own.
SALES = (
    TRAIN.replace("country", "store")
    .replace(
        'return since_total(read(path), "deaths", start=10, total=50)',
        'frame = read(path).frame.rename(columns={"items": "count"})\n'
        '    return frame[["date", "store", "name", "count"]].assign('
        '\n        total=lambda rows: rows.groupby("store")["count"].cumsum())',
    )
    .replace(
        'target="daily deaths", unit="deaths",',
        'target="items a week", unit="items", series="store", frequency="W-SAT", horizon=8, '
        'data="data/sales.csv",',
    )
)


def recipe(**members: Any) -> Recipe:
    """A recipe of these members, among them the three functions."""
    sampling = Sampling(each_series=False, draws=250, tune=200, seed=1)
    usual: dict[str, Any] = {
        "folder": Path("tiny"),
        "title": "Tiny",
        "target": "daily deaths",
        "unit": "deaths",
        "noun": "country",
        "plural": "countries",
        "measure": "deaths",
        "frequency": Frequency.of("D"),
        "horizon": 28,
        "real": False,
        "minimum": 0,
        "data": None,
        "covariates": (),
        "cumulative": False,
        "reference": False,
        "sampling": sampling,
    }
    return Recipe(**usual | members)


def reported(first: datetime.date, days: int, seed: int) -> pd.DataFrame:
    """So many days of Poisson counts."""
    rng = np.random.default_rng(seed)
    frames = [
        pd.DataFrame(
            {
                "date": pd.date_range(first, periods=days, unit="us"),
                "country": code,
                "name": NAMES[code],
                "cases": 100,
                "deaths": rng.poisson(RATE, size=days),
            }
        )
        for code in CODES
    ]
    return pd.concat(frames, ignore_index=True)


def sold(first: str, weeks: int, seed: int) -> pd.DataFrame:
    """Items that two stores sold in so many weeks, and covariates known ahead: holidays."""
    rng, parts = np.random.default_rng(seed), []
    for code in ("s1", "s2"):
        dates = pd.date_range(first, periods=weeks, freq="W-SAT")
        items = rng.poisson(20, weeks)
        parts.append(pd.DataFrame({"date": dates, "store": code, "name": code.upper(), "items": items}))
    return pd.concat(parts, ignore_index=True).assign(holidays=0.5)


def as_csv(frame: pd.DataFrame) -> str:
    return frame.to_csv(index=False, date_format="%Y-%m-%d")


KNOWN = reported(THROUGH - datetime.timedelta(KNOWN_DAYS - 1), KNOWN_DAYS, seed=1)
NEW = reported(THROUGH + datetime.timedelta(1), NEW_DAYS, seed=2)
TRUTH = np.random.default_rng(3).poisson(RATE, size=(500, len(CODES), HORIZON))  # the best there can be


def made(
    make_artifact: MakeArtifact, draws: np.ndarray, file: str = "data.csv", sha256: str = "0" * 64
) -> Path:
    """An artifact that knows the days of `KNOWN`, from this file, and forecasts these draws from then on."""
    countries = {
        code: {
            "name": NAMES[code],
            "first_day": "2020-04-20",
            "origin_date": THROUGH.isoformat(),
            "total": KNOWN_DAYS * RATE,
        }
        for code in CODES
    }
    data = {"file": file, "sha256": sha256, "last_day": THROUGH.isoformat(), "changes": []}
    return make_artifact("tiny", draws=draws, series=countries, data=data)
