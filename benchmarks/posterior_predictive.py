"""Does a fitted model give back data like those that it was fitted to? A table and a plot.

    .venv/bin/python benchmarks/posterior_predictive.py deaths

For the days that were fitted (the last 120 at most) it draws what the model would have observed and holds
the real counts against that: how often intervals cover them, by country and weekday, how often they are zero.
Writes docs/posterior-predictive-<model>.png.
"""

import sys
from pathlib import Path

import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from published import load

from forecastle.observations import default_path

ROOT = Path(__file__).resolve().parents[1]
DAYS = np.arange(-119, 1)  # 0 is the last fitted day
LEVELS = (0.5, 0.8, 0.9, 0.95)
SHOWN = ("ITA", "ESP", "FRA", "GBR", "USA", "SWE", "CHN", "IRN", "BRA", "IND", "RUS", "MEX")


def main(model: str) -> None:
    """Print the table and draw the plot."""
    folder = ROOT / "models" / model
    train = load(model)
    rows = train.observe(default_path()).frame
    fit = az.from_netcdf(folder / "artifact/posterior.nc")
    rows = rows[rows["country"].isin(fit["observed_data"]["country"].values)]  # the others' fits failed
    posterior = az.extract(fit, num_samples=1000, random_seed=1)
    posterior = posterior.reset_index("sample", drop=True).rename(sample="draw").transpose("draw", ...)
    replicated = train.predict(posterior, rows, DAYS, np.random.default_rng(1))
    codes = list(rows.groupby("country").groups)

    table = rows.assign(ahead=rows.groupby("country").cumcount(ascending=False).mul(-1))
    table = table[(table["ahead"] >= DAYS[0]) & table["count"].notna()].reset_index(drop=True)
    index = [codes.index(code) for code in table["country"]]
    draws = replicated[:, index, table["ahead"].to_numpy() - DAYS[0]]
    counts = table["count"].to_numpy(dtype=float)
    print(f"{model}: {len(counts)} days of {len(codes)} countries")
    for level in LEVELS:
        lower, upper = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
        table[level] = (lower <= counts) & (counts <= upper)
        print(f"  {level:.0%} intervals cover {table[level].mean():.1%}")
    print(f"  zeros: {np.mean(counts == 0):.1%} observed, {np.mean(draws == 0):.1%} replicated")
    table["ratio"] = counts / np.maximum(draws.mean(axis=0), 1)
    weekday = table[draws.mean(axis=0) >= 5].groupby(table["date"].dt.day_name())["ratio"].mean()
    print("  observed / expected by weekday:", ", ".join(f"{day} {x:.2f}" for day, x in weekday.items()))
    worst = table.groupby("country")[0.9].mean().sort_values().head(5)
    print("  90 % coverage is least in:", ", ".join(f"{code} {x:.0%}" for code, x in worst.items()))

    figure, axes = plt.subplots(3, 4, figsize=(14, 8), layout="constrained")
    for code, axis in zip(SHOWN, axes.flat, strict=True):
        country = rows[rows["country"] == code]
        days = pd.Timestamp(country["date"].iloc[-1]) + pd.to_timedelta(DAYS, unit="D")
        of_country = replicated[:, codes.index(code), :]
        fitted = days >= country["date"].iloc[0]
        for level, shade in ((0.95, 0.2), (0.5, 0.4)):
            lower, upper = np.quantile(of_country, [(1 - level) / 2, (1 + level) / 2], axis=0)
            axis.fill_between(days[fitted], lower[fitted], upper[fitted], alpha=shade, color="C0", lw=0)
        axis.plot(country["date"], country["count"].astype(float), ".", ms=3, color="black")
        axis.set_ylim(0, 1.3 * float(np.quantile(of_country[:, fitted], 0.995)))
        axis.set_title(country["name"].iloc[0], fontsize=9)
        axis.tick_params(labelsize=7, axis="x", rotation=30)
        axis.tick_params(labelsize=7, axis="y")
    figure.suptitle(f"{model}: observed counts, and 50 % and 95 % posterior predictive intervals")
    path = ROOT / "docs" / f"posterior-predictive-{model}.png"
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=70)
    print(f"  {path.relative_to(ROOT)} is written")


if __name__ == "__main__":
    main(sys.argv[1])
