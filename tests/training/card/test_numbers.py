"""Numbers on the card."""

import numpy as np

from forecastle.training.card import numbers


def test_numbers_are_short() -> None:
    assert [numbers.number(value) for value in (0.01234, -5.678, 123.4, 1234567, None, np.nan)] == [
        *("0.0123", "\N{MINUS SIGN}5.68", "123", "1,234,567", "–", "–")
    ]


def test_a_share_is_in_percent_and_its_distance_from_the_nominal_one_in_points() -> None:
    assert [numbers.percent(share) for share in (0.5, None)] == ["50.0\N{NO-BREAK SPACE}%", "–"]
    assert [numbers.points(share, 0.9) for share in (0.915, 0.8, None)] == ["+1.5", "\N{MINUS SIGN}10.0", "–"]
