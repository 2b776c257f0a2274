"""Models of series that are no countries, and their data: stores' revenue a week, and deaths of states."""

from pathlib import Path

import numpy as np
import pandas as pd

from forecastle import observations

ROOT = Path(__file__).resolve().parents[1]
STORES = {"s1": "High Street", "s2": "Station"}
WEEKS, HORIZON = 80, 4
FIRST = pd.Timestamp("2019-01-05")  # a Saturday
LAST = FIRST + pd.Timedelta(WEEKS - 1, unit="W")
ELASTICITY = -40.0
SALES = '''"""Revenue a week: what it is at a price."""

import numpy as np
import pymc as pm

from forecastle.observations import read
from forecastle.training import backtest, train

backtest.ORIGINS = {"short": (1, 1), "full": (1, 1)}
backtest.LEAST_PATHS = 1


def observe(path):
    frame = read(path).frame
    return frame.rename(columns={"revenue": "count"})[["date", "store", "name", "count", "price"]]


def build(rows):
    known = rows[rows["count"].notna()]
    store = known.groupby("store").ngroup().to_numpy()
    with pm.Model(coords={"store": rows["store"].unique()}) as model:
        level = pm.Normal("level", 0, 100, dims="store")
        slope = pm.Normal("slope", 0, 100)
        noise = pm.HalfNormal("noise", 20)
        mean = level[store] + slope * (known["price"].to_numpy(dtype=float) - 5)
        pm.Normal("revenue", mean, noise, observed=known["count"].to_numpy(dtype=float))
    return model


def predict(posterior, rows, weeks, rng, coming):
    price = np.zeros((rows["store"].nunique(), len(weeks)))
    for i, store in enumerate(rows["store"].unique()):
        known = rows.loc[rows["store"] == store, "price"].to_numpy(dtype=float)
        later = coming.loc[coming["store"] == store, "price"].to_numpy(dtype=float)
        price[i] = np.concatenate([known, later])[np.maximum(len(known) - 1 + weeks, 0)]
    level, slope, noise = (posterior[name].to_numpy() for name in ("level", "slope", "noise"))
    mean = level[:, :, None] + slope[:, None, None] * (price - 5)
    return rng.normal(mean, noise[:, None, None])


if __name__ == "__main__":
    train(
        observe, build, predict, target="revenue a week", unit="euros", series="store", measure="revenue",
        frequency="W-SAT", horizon=4, real=True, minimum=None, data="data/sales.csv", covariates=["price"],
        draws=500, tune=300,
    )
'''
# The deaths of the first wave are those of countries: here they stand for states of about their size.
STATES = {
    "US-CA": ("California", "DEU"),
    "US-FL": ("Florida", "ESP"),
    "US-MI": ("Michigan", "BEL"),
    "US-NJ": ("New Jersey", "NLD"),
    "US-NY": ("New York", "ITA"),
    "US-TX": ("Texas", "FRA"),
}
DEATHS = f'''"""Daily deaths of states."""

import importlib.util

from forecastle.training import backtest, train

backtest.ORIGINS["short"], backtest.LEAST_PATHS = (1, 8), 1
specification = importlib.util.spec_from_file_location("deaths", {str(ROOT / "models/deaths/train.py")!r})
deaths = importlib.util.module_from_spec(specification)
specification.loader.exec_module(deaths)

if __name__ == "__main__":
    train(
        deaths.observe,
        deaths.build,
        deaths.predict,
        target="daily deaths",
        unit="deaths",
        series="state",
        data="data/states.csv",
    )
'''


def sales() -> pd.DataFrame:
    """A row for each store and week: revenue by price, some of it negative; prices of the weeks ahead."""
    rng, dates = np.random.default_rng(4), pd.date_range(FIRST, periods=WEEKS + HORIZON, freq="W-SAT")
    parts = []
    for i, (store, name) in enumerate(STORES.items()):
        price = rng.choice([3.5, 4.5, 5.5, 6.5], len(dates)).round(2)
        revenue = (20 - 30 * i + ELASTICITY * (price - 5) + rng.normal(0, 5, len(dates))).round(2)
        part = pd.DataFrame({"date": dates, "store": store, "name": name, "revenue": revenue, "price": price})
        parts.append(part.assign(revenue=part["revenue"].where(part["date"] <= LAST)))
    return pd.concat(parts, ignore_index=True)


def states() -> pd.DataFrame:
    """Daily deaths by state."""
    known = observations.read(observations.DATA / observations.DEFAULT).frame
    parts = [
        known[known["country"] == country][["date", "deaths"]].assign(state=code, name=name)
        for code, (name, country) in STATES.items()
    ]
    return pd.concat(parts, ignore_index=True)[["date", "state", "name", "deaths"]]


def write(folder: Path, train: str, file: str, frame: pd.DataFrame) -> None:
    """A model's folder with this train.py and, in `data/`, these observations."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    frame.to_csv(folder / "data" / file, index=False, date_format="%Y-%m-%d")
    (folder / "train.py").write_text(train)
