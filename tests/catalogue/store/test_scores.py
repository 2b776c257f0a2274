"""scores.py: mean scores of a model by horizon, week and country."""

import pytest

from forecastle.catalogue import scoring
from forecastle.catalogue.store import scores
from forecastle.catalogue.store.engine import Store

from ..conftest import MakeIssue, day, deaths, keep, receive


def test_scores_are_means_by_horizon_week_and_country(store: Store, make_issue: MakeIssue) -> None:
    keep(store, make_issue())
    keep(store, make_issue(data_through=day(7)))
    keep(store, make_issue(model="cold"))
    receive(store, [*deaths("GBR", 1, [11] * 8), *deaths("FRA", 1, [21])])
    scoring.score(store)
    with store.reading() as connection:
        found = scores.of_model(connection, "flu")
        some = scores.of_model(connection, "flu", day(2), day(3), "GBR")
    assert (found.model, found.observations_through) == ("flu", day(8))
    assert (found.first_date, found.last_date) == (day(1), day(8))
    assert found.scores is not None and found.scores.forecasts == 10
    assert found.scores.coverage == {"0.5": 0.9, "0.8": 0.9, "0.9": 0.9, "0.95": 1.0}
    assert found.scores.bias == pytest.approx(-0.095)
    assert found.scores.wis_naive == pytest.approx((9 * 1 + 11) / 10)
    assert found.scores.wis_ratio == pytest.approx(found.scores.wis / found.scores.wis_naive, rel=1e-3)
    horizons = [(1, 3), *((horizon, 1) for horizon in range(2, 9))]
    assert [(one.horizon, one.forecasts) for one in found.by_horizon] == horizons
    mondays = [(day(-4), 9), (day(3), 1)]
    assert [(one.week, one.forecasts) for one in found.by_origin] == mondays
    assert [(one.country, one.forecasts) for one in found.by_country] == [("FRA", 1), ("GBR", 9)]
    assert len(list(found.table())) == 1 + 1 + 8 + 2 + 2
    assert some.scores is not None and some.scores.forecasts == 2


def test_without_scores_there_are_no_means(store: Store) -> None:
    with store.reading() as connection:
        found = scores.of_model(connection, "flu")
    assert (found.scores, found.by_horizon, found.first_date) == (None, [], None)
    assert list(found.lines()) == []
