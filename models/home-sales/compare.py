"""The backtest beside a seasonal naive forecast: the same month a year before.

    make compare MODEL=home-sales

Prints, by months ahead, the weighted interval score of the model's backtested forecasts (`make backtest`, or
the short one of every training) over that of last month's sales, the naive forecast that training judges by,
and over that of the same month a year before. Either has the spread of its own errors of 28 months. The
shares of sales within 90 % intervals stand beside them.
"""

from pathlib import Path
from statistics import NormalDist

import numpy as np
import rich.box
import rich.console
import rich.table

from forecastle.observations import read
from forecastle.scores import PAST_ERRORS, QUANTILES, weighted_interval_score

FOLDER = Path(__file__).resolve().parent
YEAR = 12  # months
A_YEAR = np.timedelta64(YEAR, "M")
NORMAL = np.array([NormalDist().inv_cdf(level) for level in QUANTILES])
LOWER, UPPER = np.searchsorted(QUANTILES, [0.05, 0.95])  # of 90 % intervals


def main() -> None:
    """Print the table."""
    with np.load(FOLDER / "artifact/backtest.npz") as made:
        dates, codes, observed = made["date"], made["series"], made["observed"]
        model, naive = made["quantiles"], made["naive"]
        origins = made["origin"]
    sales = read(FOLDER / "data/home-sales.csv").frame.pivot(index="date", columns="city", values="sales")
    seasonal = np.full(model.shape, np.nan)
    for i, origin in enumerate(origins):
        for j, code in enumerate(codes):
            known = sales[code][sales.index <= origin].astype(float)
            errors = (known - known.shift(YEAR)).dropna().to_numpy()[-PAST_ERRORS:]
            a_year_before = known.reindex(dates[i, j].astype("datetime64[M]") - A_YEAR).to_numpy()
            if not len(errors):
                continue
            spread = np.sqrt(np.mean(errors**2)) * NORMAL
            seasonal[i, j] = np.maximum(a_year_before[:, None] + spread, 0)
    table = rich.table.Table(box=rich.box.SIMPLE)
    for heading in (
        "months ahead",
        "forecasts",
        "over naive",
        "over a year before",
        "90%",
        "90% a year before",
    ):
        table.add_column(heading, justify="right")
    for name, months in [*((str(k + 1), [k]) for k in range(YEAR)), ("all", list(range(YEAR)))]:
        known = np.isfinite(observed[:, :, months]) & np.isfinite(seasonal[:, :, months]).all(axis=-1)
        sold = observed[:, :, months][known]
        of_model, of_naive, of_year = (each[:, :, months][known] for each in (model, naive, seasonal))
        score, score_naive, score_year = (
            weighted_interval_score(sold, each).mean() for each in (of_model, of_naive, of_year)
        )
        shares = [
            np.mean((each[:, LOWER] <= sold) & (sold <= each[:, UPPER])) for each in (of_model, of_year)
        ]
        ratios = (f"{score / other:.2f}" for other in (score_naive, score_year))
        table.add_row(name, str(len(sold)), *ratios, *(f"{share:.0%}" for share in shares))
    rich.console.Console().print(table)


if __name__ == "__main__":
    main()
