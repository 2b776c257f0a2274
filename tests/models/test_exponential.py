"""models/exponential: what is fitted, and that known parameters come back."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from forecastle import observations
from forecastle.artifact import Artifact

ROOT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("exponential_train", ROOT / "models/exponential/train.py")
assert spec and spec.loader
train = importlib.util.module_from_spec(spec)
sys.modules["exponential_train"] = train
spec.loader.exec_module(train)


def test_growth_is_fitted_from_the_100th_case_for_four_weeks_at_most() -> None:
    rows = train.observe(observations.DATA / observations.DEFAULT)
    of_one = rows[rows["country"] == "GBR"]
    assert of_one["total"].iloc[0] >= 100
    assert len(of_one) == 28
    assert rows.groupby("country").size().max() == 28
    assert (rows["count"] == rows["total"]).all()


def test_days_without_a_report_are_not_fitted(tmp_path: Path) -> None:
    days = pd.date_range("2020-03-01", periods=20)
    frame = pd.DataFrame({"date": days, "country": "ITA", "name": "Italy", "cases": 100, "deaths": 0})
    frame["cases"] = frame["cases"].where((days < "2020-03-05") | (days > "2020-03-09"))
    observations.write(frame.astype({"cases": "Int64", "deaths": "Int64"}), tmp_path / "gap.csv")
    rows = train.observe(tmp_path / "gap.csv")
    assert rows["count"].isna().sum() == 5
    data = {variable.name: variable.get_value() for variable in train.build(rows).data_vars}
    assert list(data["day"]) == [0, 1, 2, 3, *range(9, 20)]
    assert list(data["cumulative"][:5]) == [100, 200, 300, 400, 500]


def test_known_parameters_are_recovered_for_nearly_all_countries(tmp_path: Path) -> None:
    """Growth simulated by the model itself lies in 90 % intervals about nine times of ten."""
    rng, true = np.random.default_rng(5), {}
    frames = []
    for code in list(observations.NAMES)[:40]:
        growth, spread = rng.uniform(0.1, 0.3), rng.uniform(0.02, 0.1)
        true[code] = growth
        total = 110 * (1 + growth) ** np.arange(28) * np.exp(rng.normal(0, spread, 28))
        cases = np.diff(np.maximum.accumulate(np.rint(total)), prepend=0)
        dates = pd.date_range("2020-03-01", periods=28)
        frames.append(
            pd.DataFrame({"date": dates, "country": code, "name": code, "cases": cases, "deaths": 0})
        )
    frame = pd.concat(frames).astype({"cases": "Int64", "deaths": "Int64"})
    observations.write(frame, tmp_path / "simulated.csv")
    folder = tmp_path / "exponential"
    folder.mkdir()
    (folder / "train.py").write_text((ROOT / "models/exponential/train.py").read_text())
    done = subprocess.run(
        [sys.executable, folder / "train.py"],
        env={"FORECASTLE_DATA": str(tmp_path / "simulated.csv"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    parameters = Artifact.load(folder / "artifact").parameters
    growths = {
        code: next(e for e in entries if e["parameter"] == "b") for code, entries in parameters.items()
    }
    covered = [entry["hdi_lower"] <= true[code] <= entry["hdi_upper"] for code, entry in growths.items()]
    assert len(covered) >= 36
    assert np.mean(covered) >= 0.75  # 1 in 500 by chance at 90 %
