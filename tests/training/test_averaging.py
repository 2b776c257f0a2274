"""averaging.py: quantiles are averaged exactly, and paths rise and fall as the members' do."""

import numpy as np
import pytest

from forecastle.training.averaging import average, marginals, shares, shuffled

EQUAL = np.array([0.5, 0.5])


def draws(*values: float) -> np.ndarray:
    """Of one series and period."""
    return np.array(values, dtype=float)[:, None, None]


def test_quantiles_are_averaged_by_level() -> None:
    first, second = np.array([[1.0, 2, 4], [0, 0, 2]]), np.array([[3.0, 6, 8], [1, 3, 10]])
    assert average([first, second], EQUAL).tolist() == [[2, 4, 6], [0.5, 1.5, 6]]
    assert average([first, second], np.array([0.75, 0.25])).tolist() == [[1.5, 3, 5], [0.25, 0.75, 4]]
    of_each = np.array([[1.0, 0.5], [0, 0.5]])  # the first forecast is the first member's
    assert average([first, second], of_each).tolist() == [[1, 2, 4], [0.5, 1.5, 6]]


def test_the_draws_have_the_averaged_quantiles() -> None:
    found = marginals([draws(4, 1, 2.5), draws(8, 3, 6)], EQUAL)
    assert found.ravel().tolist() == [2, 4.25, 6]


def test_counts_stay_whole_and_keep_their_mean() -> None:
    none, one = np.zeros((1000, 1, 1)), np.ones((1000, 1, 1))
    found = marginals([none, one], EQUAL)
    assert set(found.ravel()) == {0, 1} and found.mean() == pytest.approx(0.5, abs=0.002)
    thirds = marginals([none, one, one + 2], np.full(3, 1 / 3))
    assert set(thirds.ravel()) == {1, 2} and thirds.mean() == pytest.approx(4 / 3, abs=0.002)
    assert marginals([draws(2, 4, 6), draws(4, 6, 8)], EQUAL).ravel().tolist() == [3, 5, 7]


def test_of_members_with_more_draws_as_many_are_taken_as_the_fewest() -> None:
    found = marginals([draws(*range(100)) + 0.5, draws(10, 20.5)], EQUAL)
    assert found.ravel().tolist() == [(25 + 10) / 2, (75 + 20.5) / 2]


def test_paths_have_their_members_ranks_and_the_averaged_values() -> None:
    """Two members of four draws and two dates: the first's paths rise together, the second's cross."""
    together = np.array([[1.5, 10.5], [2.5, 20.5], [3.5, 30.5], [4.5, 40.5]])[:, None, :]
    crossing = np.array([[10.0, 4], [20, 3], [30, 2], [40, 1]])[:, None, :]
    values = marginals([together, crossing], EQUAL)
    assert values[:, 0].tolist() == [[5.75, 5.75], [11.25, 11.25], [16.75, 16.75], [22.25, 22.25]]
    paths = shuffled(values, [together, crossing], EQUAL, np.random.default_rng(1))
    assert np.sort(paths, axis=0).tolist() == values.tolist()
    # Of each member two of the four paths, the first and the third. Of the first member both dates are low,
    # or high; of the second one is low where the other is high.
    low = paths[:, 0] < 14
    assert sorted(map(tuple, low.tolist())) == [(False, False), (False, True), (True, False), (True, True)]


def test_a_member_that_is_higher_on_all_dates_does_not_make_paths_that_stay_high() -> None:
    rng = np.random.default_rng(2)
    low, high = rng.normal(size=(2000, 1, 2)), 100 + rng.normal(size=(2000, 1, 2))
    paths = shuffled(marginals([low, high], EQUAL), [low, high], EQUAL, rng)
    assert abs(np.corrcoef(paths[:, 0].T)[0, 1]) < 0.1


def test_equal_values_do_not_tie_one_date_to_the_next() -> None:
    """As of a series that counts nothing on most dates, averaged with one that does."""
    rng = np.random.default_rng(3)
    none, some = np.zeros((2000, 1, 2)), rng.normal(size=(2000, 1, 2))
    paths = shuffled(marginals([none, some], EQUAL), [none, some], EQUAL, rng)
    assert abs(np.corrcoef(paths[:, 0].T)[0, 1]) < 0.1


def test_paths_keep_how_their_members_dates_go_together() -> None:
    rng = np.random.default_rng(4)
    walks = [rng.normal(size=(4000, 1, 10)).cumsum(axis=2) for _ in range(2)]
    paths = shuffled(marginals(walks, EQUAL), walks, EQUAL, rng)
    own, averaged = np.corrcoef(walks[0][:, 0].T), np.corrcoef(paths[:, 0].T)
    assert np.abs(own - averaged).max() < 0.1
    # So a sum over dates is about as wide as the members', and no narrower.
    assert paths.sum(axis=2).std() == pytest.approx(walks[0].sum(axis=2).std(), rel=0.05)


@pytest.mark.parametrize(
    ("weights", "number", "expected"),
    [
        ([0.5, 0.5], 4, [2, 2]),
        ([0.5, 0.5], 5, [3, 2]),
        ([1 / 3] * 3, 2000, [667, 667, 666]),
        ([0.9, 0.1], 8, [7, 1]),
        ([1, 0], 3, [3, 0]),
    ],
)
def test_paths_are_shared_out_by_weight(weights: list[float], number: int, expected: list[int]) -> None:
    assert shares(np.array(weights), number) == expected


def test_a_member_without_weight_has_no_path() -> None:
    one, other = draws(1, 2, 3), draws(7, 8, 9)
    weights = np.array([1.0, 0])
    paths = shuffled(marginals([one, other], weights), [one, other], weights, np.random.default_rng(5))
    assert sorted(paths.ravel()) == [1, 2, 3]
