"""Numbers as the card shows them."""

import math


def number(value: float | None) -> str:
    """Three digits, or all of those before the decimal point."""
    if value is None or not math.isfinite(value):
        return "–"
    return _with_minus(f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}")


def percent(share: float | None, decimals: int = 1) -> str:
    """A share as in `95.0 %`."""
    if share is None or not math.isfinite(share):
        return "–"
    return f"{100 * share:.{decimals}f}\N{NO-BREAK SPACE}%"


def points(share: float | None, nominal: float) -> str:
    """How far a share is above the nominal one, in percentage points, as in `+2.0`."""
    return "–" if share is None else _with_minus(f"{100 * (share - nominal):+.1f}")


def _with_minus(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}")
