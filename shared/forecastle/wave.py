"""One wave of daily counts: where it began, and a curve of growth and decay, pinned where its data are."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy.signal import find_peaks

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

# A trough divides two waves if the count at least doubles after it, with so many a day added to both,
# lest a lull between a few counts look like one. At least so many days must have passed since.
TROUGH_RISE, TROUGH_OFFSET, TROUGH_DAYS = 2.0, 5.0, 14


def latest_wave(count: pd.Series) -> int:
    """The position of the trough that the latest wave began with; 0 if there was one wave only."""
    # The median ignores a day on which weeks of deaths were added at once; that is not a wave.
    median = count.astype(float).rolling(15, center=True, min_periods=1).median()
    smooth = median.interpolate(limit_direction="both").rolling(7, center=True, min_periods=1).mean()
    troughs, _ = find_peaks(-np.log(smooth + TROUGH_OFFSET), prominence=np.log(TROUGH_RISE))
    return max((int(day) for day in troughs if day <= len(count) - TROUGH_DAYS), default=0)


def log_curve(
    softplus: Callable[[Any], Any],
    for_each: Callable[[Any], Any],
    day: Any,
    log_level: Any,
    delay: Any,
    growth: Any,
    decay: Any,
) -> Any:
    """Log of expected counts, `day` days after the reference day; the same for PyTensor and for NumPy.

    h (g + d) / (d exp(-g u) + g exp(d u)), u = day - delay, written from the level on the reference day.
    `for_each` takes countries' values to those of the days: late, so that little is computed for each day.
    """
    turn = np.log(growth / decay) - (growth + decay) * delay
    bend = softplus(for_each(turn) + for_each(growth + decay) * day)
    return for_each(log_level + softplus(turn)) + for_each(growth) * day - bend


def busiest_week(rows: pd.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each country the seven days with the highest counts, whose middle is the curve's reference day.

    Args:
        rows: A row for each country and day.
        column: The counts a day; missing is no report.

    Returns:
        Their middle day (0 is the country's first), their mean count (at least 0.5), and whether they are
        the last week, so that the count may still be rising. Shapes (country).
    """
    middle, mean, last = [], [], []
    for _, group in rows.groupby("country"):
        weekly = group[column].astype(float).rolling(7, center=True, min_periods=1).mean().to_numpy()
        middle.append(int(np.nanargmax(weekly)))
        mean.append(max(np.nanmax(weekly), 0.5))
        last.append(len(group) - 1 - middle[-1] <= 7)
    return np.array(middle), np.array(mean), np.array(last)
