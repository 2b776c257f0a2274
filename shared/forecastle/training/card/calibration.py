"""The posterior predictive check: does the model give back data like those that it was fitted to?"""

from typing import Any

import numpy as np
import pandas as pd

from forecastle.scores import QUANTILES
from forecastle.training import scores


def calibration(rows: pd.DataFrame, replicated: np.ndarray) -> dict[str, Any]:
    """The check in numbers: how often the model's intervals hold the counts that it was fitted to.

    Args:
        rows: What was fitted: columns `country` and `count`.
        replicated: Posterior predictive draws of the last fitted days, as `write` takes them.

    Returns:
        `days` and `countries`, how many were compared; `coverage`, the shares of days by level, as in
        `{"0.5": 0.52, ...}`; `zeros`, the `observed` and `replicated` shares of days without any count. Days
        without a report are left out.
    """
    counts, drawn = fitted_days(rows, replicated)
    quantiles = np.quantile(drawn, QUANTILES, axis=0).T
    zeros = {"observed": float(np.mean(counts == 0)), "replicated": float(np.mean(drawn == 0))}
    return {
        "days": len(counts),
        "countries": int(rows["country"].nunique()),
        "coverage": scores.coverage(counts, quantiles),
        "zeros": {name: round(share, 4) for name, share in zeros.items()},
    }


def fitted_days(rows: pd.DataFrame, replicated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The counts of all fitted days that have draws, shape (day,), and their draws, shape (draw, day)."""
    country = rows.groupby("country").ngroup().to_numpy()
    day = replicated.shape[2] - 1 - rows.groupby("country").cumcount(ascending=False).to_numpy()
    counts = rows["count"].to_numpy(dtype=float, na_value=np.nan)
    fitted = (day >= 0) & ~np.isnan(counts)
    return counts[fitted], replicated[:, country[fitted], day[fitted]]
