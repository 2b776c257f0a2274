"""scoring.py: scores as in training, each once, also with several scorers, and after one was killed."""

import contextlib
import datetime
import itertools
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import strategies as st

from forecastle.catalogue import scoring
from forecastle.catalogue.store import schema
from forecastle.catalogue.store.engine import Store
from forecastle.catalogue.upload import Row
from forecastle.scores import QUANTILES, weighted_interval_score

from .conftest import HORIZON, MakeIssue, day, deaths, keep, receive

counts = st.lists(st.one_of(st.integers(0, 10**6), st.none()), min_size=2, max_size=60)


def scored(store: Store, **wanted: Any) -> list[Any]:
    """All scores, those that are superseded too."""
    conditions = [schema.scores.c[name] == value for name, value in wanted.items()]
    order = schema.scores.c["version_id", "series", "horizon", "revision"]
    with store.reading() as connection:
        return list(connection.execute(sa.select(schema.scores).where(*conditions).order_by(*order)))


def test_a_count_is_scored_against_the_forecasts_of_its_day(store: Store, make_issue: MakeIssue) -> None:
    keep(store, make_issue())
    receive(store, [*deaths("GBR", 0, [500, 11, 40]), *deaths("ITA", 1, [5])])
    assert scoring.score(store) == 2
    first, second = scored(store)
    assert (first.series, first.horizon, first.date, first.observed) == ("GBR", 1, day(1), 11)
    assert (first.bias, first.interval) == (0, 0)
    quantiles = np.arange(23.0)[None]
    assert first.wis == pytest.approx(weighted_interval_score(np.array([11.0]), quantiles)[0])
    # Ten a day were fitted, so the naive forecast is certain of ten, and one off.
    assert first.wis_naive == pytest.approx(1)
    assert (second.horizon, second.bias, second.interval) == (2, -1, 1)


def test_nothing_is_scored_twice(store: Store, make_issue: MakeIssue) -> None:
    keep(store, make_issue())
    receive(store, deaths("GBR", 1, [11, 12]))
    assert scoring.score(store) == 2
    assert scoring.score(store) == 0
    receive(store, deaths("GBR", 1, [11, 12, 13]))
    assert scoring.score(store) == 1
    assert len(scored(store)) == 3


def test_a_forecast_that_is_kept_after_its_days_is_scored(store: Store, make_issue: MakeIssue) -> None:
    receive(store, deaths("GBR", 1, [11, 12]))
    assert scoring.score(store) == 0
    keep(store, make_issue())
    assert scoring.score(store) == 2


def test_every_kept_forecast_of_a_day_is_scored(store: Store, make_issue: MakeIssue) -> None:
    keep(store, make_issue())
    keep(store, make_issue(data_through=day(1)))
    keep(store, make_issue(model="cold"))
    receive(store, deaths("GBR", 1, [11, 12]))
    assert scoring.score(store) == 5
    assert [(row.version_id, row.horizon) for row in scored(store)] == [
        (1, 1),
        (1, 2),
        (2, 1),
        (3, 1),
        (3, 2),
    ]


def test_days_beyond_the_horizon_are_not_scored(store: Store, make_issue: MakeIssue) -> None:
    keep(store, make_issue())
    receive(store, deaths("GBR", HORIZON, [1, 2]))
    assert scoring.score(store) == 1


def test_what_the_data_held_is_no_forecast(store: Store, make_issue: MakeIssue) -> None:
    """A country whose last report is older than the data's last day is forecast from there on."""
    issue = make_issue()
    for table in issue.forecasts.values():
        table["GBR"] = table["GBR"]._replace(origin_date=day(-2))
    keep(store, issue._replace(version=issue.version | {"first_date": day(-1)}))
    receive(store, deaths("GBR", -1, [11, 11, 11]))
    assert scoring.score(store) == 1
    assert [(row.horizon, row.date) for row in scored(store)] == [(3, day(1))]


def test_a_revision_takes_the_place_of_a_score_and_both_are_kept(store: Store, make_issue: MakeIssue) -> None:
    keep(store, make_issue())
    receive(store, deaths("GBR", 1, [11, 12]))
    scoring.score(store)
    receive(store, deaths("GBR", 1, [40]))
    assert scoring.score(store) == 1
    found = [(row.horizon, row.observed, row.superseded) for row in scored(store)]
    assert found == [(1, 11, True), (1, 40, False), (2, 12, False)]


def test_a_withdrawn_count_leaves_no_score(store: Store, make_issue: MakeIssue) -> None:
    keep(store, make_issue())
    receive(store, deaths("GBR", 1, [11, 12]))
    scoring.score(store)
    receive(store, deaths("GBR", 1, [None]))
    assert scoring.score(store) == 0
    assert [(row.horizon, row.superseded) for row in scored(store)] == [(1, True), (2, False)]


def test_a_running_total_is_that_of_the_origin_and_what_came_since(
    store: Store, make_issue: MakeIssue
) -> None:
    keep(store, make_issue(cumulative=True, target="cumulative deaths"))
    receive(store, deaths("GBR", 1, [4, None, 7]))
    assert scoring.score(store) == 2
    assert [(row.horizon, row.observed) for row in scored(store)] == [(1, 1004), (3, 1011)]
    # Ten a day were fitted, so the naive forecast is certain of 1010 and 1030.
    assert [row.wis_naive for row in scored(store)] == pytest.approx([6, 19])


def test_a_running_total_with_a_day_that_is_not_stored_waits_for_it(
    store: Store, make_issue: MakeIssue
) -> None:
    keep(store, make_issue(cumulative=True))
    receive(store, deaths("GBR", 2, [5]))
    assert scoring.score(store) == 0
    receive(store, deaths("GBR", 1, [4]))
    assert scoring.score(store) == 2
    assert [(row.horizon, row.observed) for row in scored(store)] == [(1, 1004), (2, 1009)]


def test_a_revision_moves_all_running_totals_after_it(store: Store, make_issue: MakeIssue) -> None:
    keep(store, make_issue(cumulative=True))
    receive(store, deaths("GBR", 1, [4, 5, 6]))
    scoring.score(store)
    receive(store, deaths("GBR", 2, [50]))
    assert scoring.score(store) == 2
    assert [(row.horizon, row.observed) for row in scored(store, superseded=False)] == [
        (1, 1004),
        (2, 1054),
        (3, 1060),
    ]


def test_a_count_of_another_unit_is_not_compared(store: Store, make_issue: MakeIssue) -> None:
    keep(store, make_issue())
    keep(store, make_issue(model="beds", unit="admissions"))
    receive(store, [Row(day(1), "GBR", {"cases": 11})])
    assert scoring.score(store) == 0


SATURDAY = datetime.date(2020, 4, 25)
SALES = {"noun": "store", "unit": "EUR", "measure": "sales", "frequency": "W-SAT", "real": True}


def sold(code: str, first: int, values: list[float | None], measure: str = "sales") -> list[Row]:
    """Reports of a store's sales, from the week so many weeks after the last fitted one on."""
    week = datetime.timedelta(7)
    return [Row(SATURDAY + (first + i) * week, code, {measure: value}) for i, value in enumerate(values)]


def test_weekly_sales_are_scored_on_the_dates_of_their_weeks(store: Store, make_issue: MakeIssue) -> None:
    fitted = [None, None, *[8.5, 11.5] * 15]
    keep(store, make_issue(data_through=SATURDAY, codes=("s1", "GBR"), fitted=fitted, minimum=None, **SALES))
    off = [Row(SATURDAY + datetime.timedelta(8), "s1", {"sales": 1})]  # a Sunday
    receive(store, [*sold("s1", 0, [9.5, 11.25, None, -4]), *off, *sold("s9", 1, [5])], "store")
    assert scoring.score(store) == 2
    first, second = scored(store)
    assert (first.series, first.horizon, first.observed) == ("s1", 1, 11.25)
    assert first.date == SATURDAY + datetime.timedelta(7)
    assert (second.horizon, second.observed, second.bias) == (3, -4, 1)
    # The last value is the naive forecast's mean, and may be negative: three a week are its error.
    values = np.array([11.5 + 3 * NormalDist().inv_cdf(level) for level in QUANTILES])
    expected = weighted_interval_score(np.array([11.25]), values[None])[0]
    assert first.wis_naive == pytest.approx(expected)


def test_what_has_another_noun_or_measure_is_not_compared(store: Store, make_issue: MakeIssue) -> None:
    keep(store, make_issue(data_through=SATURDAY, codes=("GBR",), fitted=[5.0] * 9, **SALES))
    keep(store, make_issue(model="cold"))
    receive(store, sold("GBR", 1, [7], measure="visits"), "store")
    receive(store, sold("GBR", 1, [7]), "shop")
    assert scoring.score(store) == 0
    receive(store, sold("GBR", 1, [7]), "store")
    receive(store, deaths("GBR", 8, [11]))  # the same day
    assert scoring.score(store) == 2
    assert [(row.version_id, row.horizon, row.observed) for row in scored(store)] == [(1, 1, 7), (2, 8, 11)]


def test_scores_that_are_removed_are_made_again(store: Store, make_issue: MakeIssue) -> None:
    keep(store, make_issue())
    receive(store, deaths("GBR", 1, [11, 12]))
    scoring.score(store)
    before = scored(store)
    with store.writing() as connection:
        connection.execute(sa.delete(schema.scores))
        connection.execute(sa.delete(schema.progress))
    assert scoring.score(store) == 2
    assert scored(store) == before


def test_many_scorers_at_a_time_double_nothing(url: str, make_issue: MakeIssue) -> None:
    stores = [Store(url) for _ in range(4)]
    for number in range(3):
        keep(stores[0], make_issue(data_through=day(number)))
    receive(stores[0], [*deaths("GBR", 1, [11] * 20), *deaths("FRA", 1, [9] * 20)])
    added: list[int] = []
    threads = [
        threading.Thread(target=lambda store=store: added.append(scoring.score(store))) for store in stores
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(added) == len(scored(stores[0])) == 2 * (20 + 19 + 18)
    for store in stores:
        store.engine.dispose()


class SteppedStore(Store):
    """A store for one scorer, whose transactions each wait until `step` is called."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.allowed: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.waiting: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self.running = True

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        self._wait()
        with super().reading() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        self._wait()
        with super().writing() as connection:
            yield connection

    def _wait(self) -> None:
        self.waiting.put(True)
        self.allowed.get()

    def score(self) -> None:
        try:
            scoring.score(self)
        finally:
            self.waiting.put(False)

    def start(self) -> None:
        """Start to score, up to the first transaction."""
        threading.Thread(target=self.score, daemon=True).start()
        self.running = self.waiting.get(timeout=30)

    def step(self) -> None:
        """Run the next transaction, if the scorer has one."""
        if self.running:
            self.allowed.put(None)
            self.running = self.waiting.get(timeout=30)


def revisions(store: Store) -> dict[int, int]:
    """Up to where each version is scored."""
    with store.reading() as connection:
        return dict(connection.execute(sa.select(*schema.progress.c["version_id", "revision"])).all())


def test_two_scorers_lose_nothing_however_they_take_turns(url: str, make_issue: MakeIssue) -> None:
    """Each looks, scores a version and notes the other one. Between any two of these steps, counts come."""
    store, scorers = Store(url), {name: SteppedStore(url) for name in "AB"}
    keep(store, make_issue())
    keep(store, make_issue(data_through=day(20)))
    for others in sorted(set(itertools.permutations("AABBBC"))):
        schedule = ("A", *others)
        with store.writing() as connection:
            for table in (schema.scores, schema.progress, schema.observations, schema.receipts):
                connection.execute(sa.delete(table))
        receive(store, deaths("GBR", 1, [11, 12]))
        for scorer in scorers.values():
            scorer.start()
        before: dict[int, int] = {}
        for turn in schedule:
            if turn == "C":
                receive(store, [*deaths("GBR", 2, [13]), *deaths("GBR", 21, [14])])
            else:
                scorers[turn].step()
            after = revisions(store)
            assert all(after[version] >= revision for version, revision in before.items()), schedule
            before = after
        assert not any(scorer.running for scorer in scorers.values())
        scoring.score(store)
        current = [(row.date, row.observed) for row in scored(store, superseded=False)]
        assert current == [(day(1), 11), (day(2), 13), (day(21), 14), (day(21), 14)], schedule
        assert len(set(revisions(store).values())) == 1
    for each in (store, *scorers.values()):
        each.engine.dispose()


KILLED = """
import sys, time
from forecastle.catalogue import scoring
from forecastle.catalogue.store.engine import Store

note = scoring._note_progress
def hang(store, connection, version_id, revision):
    if version_id == 2:
        print("scored, not committed", flush=True)
        time.sleep(60)
    note(store, connection, version_id, revision)

scoring._note_progress = hang
scoring.score(Store(sys.argv[1]))
"""


def test_a_scorer_that_is_killed_loses_and_doubles_nothing(url: str, make_issue: MakeIssue) -> None:
    store = Store(url)
    for number in range(3):
        keep(store, make_issue(data_through=day(number)))
    receive(store, [*deaths("GBR", 1, [11] * 20), *deaths("FRA", 1, [9] * 20)])
    process = subprocess.Popen([sys.executable, "-c", KILLED, url], stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "scored, not committed\n"
    process.send_signal(signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL
    process.stdout.close()

    assert {row.version_id for row in scored(store)} == {1}  # the first was committed, the second not
    assert scoring.score(store) == 2 * (19 + 18)
    keys = [(row.version_id, row.series, row.horizon) for row in scored(store)]
    assert len(keys) == len(set(keys)) == 2 * (20 + 19 + 18)
    store.engine.dispose()
