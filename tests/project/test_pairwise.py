"""pairwise.py: models are compared two by two, on what both forecast of the past."""

import datetime
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecastle.project import pairwise
from forecastle.training import save_forecast

DAYS, HORIZON, DRAWS, RATE = 60, 28, 200, 30
LAST = datetime.date(2020, 4, 29)


def put(root: Path, name: str, rate: float, codes: tuple[str, ...], cumulative: bool = False) -> None:
    """A model that forecasts so many a day of these countries, with a backtest; the truth is `RATE`."""
    dates = pd.date_range(end=LAST, periods=DAYS)
    counts = {code: np.random.default_rng(ord(code[0])).poisson(RATE, DAYS) for code in codes}
    observed = pd.concat(
        pd.DataFrame({"date": dates, "country": code, "count": counts[code]}) for code in codes
    )

    def forecast_from(origin: datetime.date) -> np.ndarray:
        drawn = np.random.default_rng(2).poisson(rate, (DRAWS, len(codes), HORIZON))
        if not cumulative:
            return drawn
        total = [counts[code][: (origin - dates[0].date()).days + 1].sum() for code in codes]
        return np.array(total)[:, None] + drawn.cumsum(axis=2)

    folder = root / "models" / name
    folder.mkdir(parents=True)
    (folder / "main.py").touch()
    save_forecast(
        forecast_from(LAST),
        observed,
        forecast_from=forecast_from,
        folder=folder / "artifact",
        target="deaths",
        unit="deaths",
        cumulative=cumulative,
        reference=True,
    )


def series(values: dict[str, float]) -> pd.Series:
    return pd.Series(list(values.values()), list(values))


def test_a_relative_score_is_the_geometric_mean_of_the_quotients_of_what_both_forecast() -> None:
    found = pairwise.quotients(
        {
            "one": series({"a": 1, "b": 3}),
            "two": series({"b": 6, "c": 2}),
            "naive": series({"a": 4, "b": 4, "c": 4}),
        }
    )
    assert found.loc["one", "two"] == 0.5 and found.loc["two", "one"] == 2
    assert (found.loc["one", "naive"], found.loc["two", "naive"]) == (0.5, 1)
    overall = pairwise.relative(found, "naive")
    means = {"one": 0.25 ** (1 / 3), "two": 2 ** (1 / 3), "naive": 2 ** (1 / 3)}
    assert overall.to_dict() == pytest.approx({name: mean / means["naive"] for name, mean in means.items()})


def test_those_that_share_nothing_have_no_quotient() -> None:
    found = pairwise.quotients({"one": series({"a": 1}), "two": series({"b": 1}), "naive": series({"a": 2})})
    assert np.isnan(found.loc["one", "two"])
    assert pairwise.relative(found, "naive")["one"] == pytest.approx(0.5)


def test_models_of_one_measure_are_compared_by_day_and_by_week(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model of running totals by what is new, and of the countries alone that both forecast."""
    put(tmp_path, "right", RATE, ("AUT", "BEL"))
    assert pairwise.main([], tmp_path) == 0
    assert "relative" not in capsys.readouterr().out  # one is not compared
    put(tmp_path, "total", RATE, ("AUT", "CHE"), cumulative=True)
    put(tmp_path, "wrong", 2 * RATE, ("AUT", "BEL"))
    (tmp_path / "models/plain").mkdir()
    (tmp_path / "models/plain/main.py").touch()
    capsys.readouterr()
    assert pairwise.main([], tmp_path) == 0
    printed = capsys.readouterr().out
    for title, baseline in (("daily", pairwise.NAIVE), ("by week", pairwise.HUB)):
        assert f"deaths of countries, {title}" in printed and f"\n  {baseline}" in printed
    lines = [re.split(r"\s{2,}", line.strip()) for line in printed.splitlines()]
    daily = {name: cells for name, *cells in lines[: len(lines) // 2]}
    shown = daily["WIS over that of"][2:]
    ratios = {name: dict(zip(shown, daily[name][2:], strict=True)) for name in ("right", "total", "wrong")}
    assert ratios["right"]["total"] == ratios["total"]["right"] == "1.00"  # the same forecasts of AUT
    assert float(ratios["wrong"]["right"]) > 2
    assert float(daily["right"][1]) < 1 < float(daily["wrong"][1])


def test_a_backtest_that_cannot_be_read_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path, "right", RATE, ("AUT",))
    (tmp_path / "models/right/artifact/backtest.npz").write_bytes(b"")
    capsys.readouterr()
    assert pairwise.main([], tmp_path) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "backtest.npz" in line
