"""The posterior predictive check: does the model give back data like those that it was fitted to?"""

from typing import Any

import numpy as np
import pandas as pd

from forecastle.scores import QUANTILES
from forecastle.training import scores


def calibration(rows: pd.DataFrame, replicated: np.ndarray, noun: str) -> dict[str, Any]:
    """The check in numbers: how often the model's intervals hold the values that it was fitted to.

    Args:
        rows: What was fitted: columns `count` and that of the identifiers, which the noun names.
        replicated: Posterior predictive draws of the last fitted dates, as `write` takes them.
        noun: What a series is about, such as "country".

    Returns:
        `dates` and `series`, how many were compared; `coverage`, the shares of dates by level, as in
        `{"0.5": 0.52, ...}`; `zeros`, the `observed` and `replicated` shares of values of 0. Dates without a
        report are left out.
    """
    values, drawn = fitted_dates(rows, replicated, noun)
    quantiles = np.quantile(drawn, QUANTILES, axis=0).T
    zeros = {"observed": float(np.mean(values == 0)), "replicated": float(np.mean(drawn == 0))}
    return {
        "dates": len(values),
        "series": int(rows[noun].nunique()),
        "coverage": scores.coverage(values, quantiles),
        "zeros": {name: round(share, 4) for name, share in zeros.items()},
    }


def fitted_dates(rows: pd.DataFrame, replicated: np.ndarray, noun: str) -> tuple[np.ndarray, np.ndarray]:
    """The values of all fitted dates that have draws, shape (date,), and their draws, shape (draw, date)."""
    series = rows.groupby(noun).ngroup().to_numpy()
    date = replicated.shape[2] - 1 - rows.groupby(noun).cumcount(ascending=False).to_numpy()
    values = rows["count"].to_numpy(dtype=float, na_value=np.nan)
    fitted = (date >= 0) & ~np.isnan(values)
    return values[fitted], replicated[:, series[fitted], date[fitted]]
