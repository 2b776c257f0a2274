"""comparison.py: a challenger and an incumbent are scored on the same series and dates."""

import numpy as np
import pytest
import xarray as xr

from forecastle.artifact import Artifact
from forecastle.project.retraining import RetrainingError
from forecastle.project.retraining.comparison import Comparison, compare
from forecastle.scores import QUANTILES

from ...conftest import HORIZON, MakeArtifact
from ...tiny import CODES, TRUTH, made


def forecasts(dates: list[str], codes: list[str], observed: list[int], **attrs: str) -> xr.Dataset:
    """A challenger's forecasts, certain and right."""
    certain = np.repeat(np.array(observed, dtype=float)[:, None], len(QUANTILES), axis=1)
    return xr.Dataset(
        {
            "quantiles": (("forecast", "quantile"), certain),
            "naive": (("forecast", "quantile"), certain + 10),
            "observed": ("forecast", np.array(observed, dtype=float)),
            "mean": ("forecast", np.array(observed, dtype=float)),
            "bias": ("forecast", np.zeros(len(observed))),
        },
        {
            "date": ("forecast", np.array(dates, dtype="datetime64[ns]")),
            "series": ("forecast", codes),
        },
        {"target": "daily deaths", "unit": "deaths", **attrs},
    )


def test_forecasts_of_the_same_country_and_day_are_compared(
    make_artifact: MakeArtifact, capsys: pytest.CaptureFixture[str]
) -> None:
    """By date, since an incumbent's forecast starts at each country's own last day."""
    draws = np.broadcast_to(np.arange(1, HORIZON + 1), (100, len(CODES), HORIZON))
    known = Artifact.load(made(make_artifact, draws))
    dates = ["2020-04-29", "2020-04-30", "2020-05-09", "2020-05-09", "2020-05-27", "2020-05-28"]
    compared = compare(
        known, forecasts(dates, ["DEU", "DEU", "DEU", "AND", "USA", "USA"], [0, 1, 12, 9, 28, 29])
    )
    assert compared is not None
    assert [day.isoformat() for day in compared.days] == ["2020-04-30", "2020-05-09", "2020-05-27"]
    assert (compared.series, compared.least, compared.alone) == (2, 7, (1, 4))
    compared.show()
    assert "countries of the challenger only, 1; of the incumbent only, 4" in capsys.readouterr().out
    # Certain draws of 1, 10 and 28 against 1, 12 and 28.
    assert compared.incumbent["wis"] == pytest.approx(2 / 3, rel=1e-3)
    assert compared.challenger["wis"] == 0
    assert (compared.wis_ratio, compared.holds, compared.decides) == (0, True, False)
    assert compare(known, forecasts(["2020-05-09"], ["AND"], [9])) is None


@pytest.mark.parametrize("attrs", [{"target": "cumulative deaths"}, {"unit": "cases"}])
def test_different_quantities_are_not_compared(attrs: dict[str, str], make_artifact: MakeArtifact) -> None:
    known = Artifact.load(made(make_artifact, TRUTH))
    with pytest.raises(RetrainingError, match="which cannot be compared"):
        compare(known, forecasts(["2020-05-09"], ["DEU"], [9], **attrs))


def test_monthly_forecasts_are_compared_by_their_dates(make_artifact: MakeArtifact) -> None:
    """Months have days of different number."""
    draws = np.broadcast_to(np.arange(1, 5), (100, 2, 4))
    series = {
        code: {"name": code, "first_day": "2019-01-01", "origin_date": "2020-01-01", "total": None}
        for code in ("s1", "s2")
    }
    about = {"noun": "store", "plural": "stores", "frequency": "MS", "real": True, "horizon": 4}
    lines = ["date,store,observed", "2020-01-01,s1,7", "2020-01-01,s2,8"]
    known = Artifact.load(make_artifact("sales", draws=draws, observations=lines, series=series, **about))
    challenger = forecasts(["2020-02-01", "2020-04-01", "2020-06-01"], ["s1", "s2", "s1"], [1, 3, 5])
    compared = compare(known, challenger)
    assert compared is not None
    assert [day.isoformat() for day in compared.days] == ["2020-02-01", "2020-04-01"]
    assert (compared.series, compared.plural, compared.least) == (2, "stores", 4)
    assert compared.incumbent["wis"] == pytest.approx(0)


def test_a_loss_of_all_series_is_sure_though_it_is_small(make_artifact: MakeArtifact) -> None:
    """Each of six series is 3 % worse, or one is 18 % worse and the others as good."""
    draws = np.broadcast_to(np.full(HORIZON, 100.0), (100, len(CODES), HORIZON))
    known = Artifact.load(made(make_artifact, draws))
    observed = [0] * len(CODES)
    challenger = forecasts(["2020-05-02"] * len(CODES), list(CODES), observed)

    def with_errors(values: list[float]) -> Comparison:
        quantiles = np.repeat(np.array(values)[:, None], len(QUANTILES), axis=1)
        compared = compare(known, challenger.assign(quantiles=(("forecast", "quantile"), quantiles)))
        assert compared is not None
        return compared

    every, one = with_errors([103.0] * 6), with_errors([118.0, *[100.0] * 5])
    assert every.wis_ratio == one.wis_ratio == pytest.approx(1.03, rel=1e-3)
    assert every.interval == pytest.approx([1.03, 1.03]) and not every.holds
    assert "1.030 of the incumbent's (1.030 to 1.030 by resampling countries)" in every.verdict
    assert one.interval and one.interval[0] == 1 and one.holds
    assert with_errors([95.0] * 6).holds and not with_errors([106.0] * 6).holds
    assert every.summary()["interval"] == every.interval
