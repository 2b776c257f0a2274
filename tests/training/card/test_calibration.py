"""The posterior predictive check."""

import numpy as np
import pandas as pd
import pytest

from forecastle.training import card

DRAWN_DAYS = 35


def rows() -> pd.DataFrame:
    """Three countries of 40, 30 and 20 days, each with a day that was not reported."""
    groups = []
    for code, days in (("AAA", 40), ("BBB", 30), ("CCC", 20)):
        count = pd.array(np.arange(days) % 7, dtype="Int64")
        count[3] = pd.NA
        groups.append(pd.DataFrame({"country": code, "count": count}))
    return pd.concat(groups, ignore_index=True)


def test_calibration_counts_fitted_days_alone() -> None:
    """Days before a country's first row, days that were not reported and days without draws are left out."""
    replicated = np.full((100, 3, DRAWN_DAYS), np.nan)
    fitted = rows()
    last = fitted.groupby("country").tail(DRAWN_DAYS)
    for index, (_, group) in enumerate(last.groupby("country")):
        counts = group["count"].fillna(-1).to_numpy(dtype=float)
        replicated[:, index, DRAWN_DAYS - len(group) :] = counts
    check = card.calibration(fitted, replicated, "country")
    assert check["dates"] == last["count"].notna().sum() == 35 + 29 + 19
    assert check["series"] == 3
    assert check["coverage"] == {"0.5": 1.0, "0.8": 1.0, "0.9": 1.0, "0.95": 1.0}
    assert check["zeros"]["observed"] == check["zeros"]["replicated"] > 0


def test_calibration_of_a_model_that_is_right() -> None:
    rng = np.random.default_rng(3)
    fitted = pd.DataFrame({"country": "AAA", "count": rng.normal(1000, 100, 1000)})
    check = card.calibration(fitted, rng.normal(1000, 100, (500, 1, 1000)), "country")
    for level, share in check["coverage"].items():
        assert share == pytest.approx(float(level), abs=0.04)
    assert check["zeros"] == {"observed": 0, "replicated": 0}
