"""Events, and their probabilities: the share of posterior predictive paths along which they happen.

A path is one draw for all coming days. An event of one day is a look-up in that day's sorted draws. An event
of several days, such as whether a level is ever exceeded, is counted along whole paths. Draws of one number
belong together in all series, so that series are compared draw by draw.
"""

import datetime
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from pydantic import BaseModel, Field, create_model, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from forecastle.artifact import Artifact, Series
from forecastle.service import lookup, marginals, montecarlo, paths
from forecastle.service.answers import OfModel, OfSeries, Place, of, of_model, of_series
from forecastle.service.horizon import Horizon, Period, by_week, least, period_of
from forecastle.service.naming import Named, named
from forecastle.service.paths import Kind
from forecastle.service.rendering import Answer
from forecastle.web.problems import InvalidValue, ProblemError
from forecastle.web.queries import (
    Counts,
    Day,
    KnownParameters,
    Members,
    Threshold,
    at_least,
    counts_of,
    must_be,
    optional,
)

MOST_EVENTS = 100

Periods = Annotated[int, Field(ge=1), must_be("a whole number of periods, at least 1")]
AnyCode = Annotated[str, Field(max_length=64), must_be("a series' identifier, of up to 64 characters")]


class Event(KnownParameters):
    """What may happen in a series.

    Either a count (`above` or `below` a number, or above another series': `exceeds`) at some time (`on` a
    day, `by` the end of one, at any time until then: `ever_by`); or one of `peak_by`, `doubles_within` and
    `halves_within` alone.
    """

    above: Threshold | None = optional("The count is above this number.", examples=[45000])
    below: Threshold | None = optional("The count is below this number.")
    exceeds: AnyCode | None = optional(
        "The count is above that of the series with this code, at the same time."
    )
    on: Day | None = optional("It is about the count on this day.")
    by: Day | None = optional(
        "It is about the running total by the end of this day.", examples=["2020-06-30"]
    )
    ever_by: Day | None = optional(
        "It is about the count on any day until this one: it happens at least once."
    )
    peak_by: Day | None = optional(
        "The seven days with the highest counts end by this day: seven of those that were fitted "
        "or that the horizon reaches, whichever those are. If dates are no days, the highest value.",
    )
    doubles_within: Periods | None = optional(
        "Within so many periods the running total is twice that of the origin date or, of daily "
        "counts, the mean of some seven days is twice that of the last week; of other values, one is twice "
        "the last.",
    )
    halves_within: Periods | None = optional(
        "Within so many periods the mean of some seven days is half that of the last week; if dates are no "
        "days, a value is half the last."
    )
    counts: Counts | None = optional(
        "Whether it is about counts a day or running totals. Without it, about what the model "
        "forecasts, or what alone makes sense.",
    )
    period: Period | None = optional(
        "Of a daily model: the event is about sums over whole weeks after the origin date, from a Sunday to "
        "a Saturday. `on`, `ever_by` and `peak_by` name a week by any of its days; `doubles_within` and "
        "`halves_within` count weeks."
    )

    measures: ClassVar = ("above", "below", "exceeds")
    times: ClassVar = ("on", "by", "ever_by")
    whole: ClassVar = ("peak_by", "doubles_within", "halves_within")

    @model_validator(mode="after")
    def one_event(self) -> Self:
        """It is neither incomplete nor two events at once."""
        given = {name for name in self.model_fields_set if getattr(self, name) is not None}
        measures, times, whole = (
            len(given.intersection(names)) for names in (self.measures, self.times, self.whole)
        )
        if (measures, times, whole) not in ((1, 1, 0), (0, 0, 1)):
            message = (
                "exactly one of above, below and exceeds is needed, and exactly one of on, by and ever_by; "
                "or exactly one of peak_by, doubles_within and halves_within, and none of those"
            )
            raise PydanticCustomError("one_event", message)
        if self.period and (self.by or self.counts == "cumulative"):
            message = "period=week is about sums by week: it goes with neither by nor counts=cumulative"
            raise PydanticCustomError("period", message)
        if self.by and self.counts not in (None, "cumulative"):
            message = (
                f"by is about the running total: of {self.counts} counts ask on a day, or whether they are "
                "ever_by it"
            )
            raise PydanticCustomError("counts", message)
        if (self.peak_by or self.halves_within) and self.counts == "cumulative":
            message = (
                "a running total neither peaks nor halves: peak_by and halves_within are about daily counts"
            )
            raise PydanticCustomError("counts", message)
        return self

    @property
    def time(self) -> tuple[str, datetime.date]:
        """The name and the day of `on`, `by` or `ever_by`: of an event that has one."""
        return next((name, day) for name in self.times if (day := getattr(self, name)))

    def kind(self, artifact: Artifact) -> Kind:
        """What is counted."""
        if self.period:
            return "weekly"
        if self.by:
            return "cumulative"
        if self.peak_by or self.halves_within:
            return artifact.frequency.adjective
        return self.counts or paths.own(artifact)


class SeriesEvent(Event, Members, Named):
    """An event, and where."""

    series: AnyCode = Field(
        description="Its identifier, in capital letters or not; of a country ISO 3166 alpha-3.",
        examples=["GBR"],
    )


class EventsRequest(Members):
    """What POST /probability takes."""

    events: Annotated[
        list[SeriesEvent],
        Field(
            min_length=1,
            max_length=MOST_EVENTS,
            examples=[
                [
                    {"country": "GBR", "above": 45000, "by": "2020-06-30"},
                    {"country": "ITA", "exceeds": "GBR", "counts": "daily", "on": "2020-06-30"},
                    {"country": "GBR", "halves_within": 14},
                ]
            ],
        ),
    ]


class EventProbability(BaseModel):
    """The probability of an event."""

    event: str = Field(
        description="In words.",
        examples=["total deaths in United Kingdom by the end of 2020-06-30 above 45,000"],
    )
    probability: float = Field(description="The share of draws in which it happens.", examples=[0.1045])
    monte_carlo_error: float = Field(
        description="Standard error of the probability, from the finite number of draws alone and "
        "how much they resemble each other; 0 if the observed running total settles the event.",
        examples=[0.00685],
    )
    draws: int = Field(description="How many there are.", examples=[2000])
    caveat: str | None = optional("A warning, if the probability is not to be trusted.")


class Probability(EventProbability, OfSeries):
    """The probability of an event: the share of posterior predictive draws in which it happens."""


class SeriesProbability(EventProbability, Place):
    """The probability of an event in a series."""


class EventProbabilities(OfModel):
    """The probabilities of the events, in their order."""

    probabilities: list[SeriesProbability]


def asked(artifact: Artifact) -> tuple[type[Event], type[EventsRequest]]:
    """What may be asked of the model: by its noun, its kinds and its least value."""
    manifest, threshold = artifact.manifest, at_least(least(artifact))
    types = {
        "counts": counts_of(paths.kinds(artifact)),
        "above": threshold,
        "below": threshold,
        "period": period_of(artifact),
    }

    def fitting[E: Event](event: type[E]) -> type[E]:
        fields = event.model_fields
        chosen: dict[str, Any] = {
            name: (kind | None, optional(str(fields[name].description), examples=fields[name].examples))
            for name, kind in types.items()
        }
        return create_model(event.__name__, __base__=event, __doc__=event.__doc__, **chosen)

    of_series: Any = fitting(named(SeriesEvent, manifest.noun, manifest.plural))
    held = EventsRequest.model_fields["events"]
    if manifest.noun != "country":
        held = FieldInfo.merge_field_infos(held, examples=None)
    request = create_model(
        EventsRequest.__name__,
        __base__=EventsRequest,
        __doc__=EventsRequest.__doc__,
        events=(list[of_series], held),
    )
    return fitting(Event), request


def probability(artifact: Artifact, root: str, series: Series, event: Event) -> Answer:
    """`Probability`, of an event in a series.

    Raises:
        InvalidValue: The model has no such day, no such other series, or nothing that could double.
    """
    found = _probability(artifact, series, event)
    return Answer({**_about(artifact, root, series), **found})


_about = lru_cache(1000)(of_series)  # nobody changes what it gives


def probabilities(artifact: Artifact, root: str, events: list[SeriesEvent]) -> EventProbabilities:
    """The probabilities of many events, each in a series of its own.

    Raises:
        ProblemError: 422, with an error for each event that the model cannot answer.
    """
    found, errors = [], []
    for index, event in enumerate(events):
        try:
            series = known(artifact, artifact.manifest.noun, event.series)
            probability = _probability(artifact, series, event)
            found.append(of(artifact, SeriesProbability)(series=series.code, name=series.name, **probability))
        except InvalidValue as error:
            errors += error.in_body(f"events.{index}.").errors
    if errors:
        raise ProblemError(422, "; ".join(error["detail"] for error in errors), errors=errors)
    answer = named(EventProbabilities, artifact.manifest.noun, artifact.manifest.plural)
    return answer(**of_model(artifact, root), probabilities=found)


def _probability(artifact: Artifact, series: Series, event: Event) -> dict[str, Any]:
    happened, words = evaluate(artifact, series, event)
    draws = len(artifact.draws)
    kind, several_days = event.kind(artifact), not (event.on or event.by)
    if (certain := settled(series, event, kind)) is not None:
        if happened == certain * draws:
            caveat = None
        else:
            caveat = (
                f"The observed running total settles the event, yet it happens in {happened:,} of "
                f"{draws:,} draws: this model's forecast contradicts what was observed."
            )
        so_far = f"it was {series.total:,} on {series.origin_date} already"
        return {
            "event": f"{words} ({so_far})",
            "probability": float(certain),
            "monte_carlo_error": 0.0,
            "draws": draws,
            "caveat": caveat,
        }
    effective = marginals.of(artifact, series, kind).effective
    return {
        "event": words,
        "probability": round(happened / draws, 5),
        "monte_carlo_error": round(montecarlo.error_of_share(happened / draws, effective), 5),
        "draws": draws,
        "caveat": marginals.caveat(artifact, series, kind, several_days),
    }


def settled(series: Series, event: Event, kind: Kind) -> bool | None:
    """Whether the event happens, if the observed running total settles that: it never falls.

    None if it depends on what is to come.
    """
    if kind != "cumulative" or series.total is None:
        return None
    if event.above is not None and series.total > event.above:
        return True
    if event.below is not None and series.total >= event.below:
        return False
    return None


def evaluate(artifact: Artifact, series: Series, event: Event) -> tuple[int, str]:
    """In how many draws the event happens, and what it is in words.

    A count that equals a threshold is neither above nor below it.

    Raises:
        InvalidValue: The model has no such day, no such other series, or nothing that could double.
    """
    if event.peak_by:
        return _peak(artifact, series, event.kind(artifact), event.peak_by)
    if event.doubles_within:
        return _change(artifact, series, event, "doubles_within", event.doubles_within)
    if event.halves_within:
        return _change(artifact, series, event, "halves_within", event.halves_within)
    if event.exceeds is not None:
        return _exceeds(artifact, series, event, event.exceeds)
    return _threshold(artifact, series, event)


def _threshold(artifact: Artifact, series: Series, event: Event) -> tuple[int, str]:
    kind, (parameter, last) = event.kind(artifact), event.time
    days = ahead(artifact, series, kind, parameter, last)
    relation, threshold = ("above", event.above) if event.above is not None else ("below", event.below)
    assert threshold is not None  # as `one_event` ensures
    if event.ever_by:
        drawn = paths.paths(artifact, series, kind)[:, :days]
        happens = drawn > threshold if relation == "above" else drawn < threshold
        happened = int(happens.any(axis=1).sum())
    else:
        of_day = marginals.of(artifact, series, kind)
        happened = of_day.above(threshold, days) if relation == "above" else of_day.below(threshold, days)
    first = Horizon.of(artifact, series, kind).date(1)
    return happened, f"{_subject(artifact, series, event, first)} {relation} {threshold:,.15g}"


def _exceeds(artifact: Artifact, series: Series, event: Event, code: str) -> tuple[int, str]:
    kind, (parameter, last) = event.kind(artifact), event.time
    other = known(artifact, "exceeds", code)
    both = [(one, Horizon.of(artifact, one, kind)) for one in (series, other)]
    for one in (series, other):
        ahead(artifact, one, kind, parameter, last)
    # The days that both have ahead.
    first = max(horizon.date(1) for _, horizon in both) if event.ever_by else last
    own, others = (
        paths.paths(artifact, one, kind)[:, horizon.ahead(first) - 1 : horizon.ahead(last)]
        for one, horizon in both
    )
    happened = int((own > others).any(axis=1).sum())
    return happened, f"{_subject(artifact, series, event, first)} above those in {other.name}"


def _subject(artifact: Artifact, series: Series, event: Event, first: datetime.date) -> str:
    """What is counted where and when, in words; `first` is the first day of `ever_by`."""
    kind, last = event.kind(artifact), event.time[1]
    what, when = moment(artifact, kind, last)
    if event.ever_by and event.period:
        when = f"in any week that ends from {first} to {paths.before_weeks(last)}"
    elif event.ever_by:
        when = f"on any {_date(artifact)} from {first} to {event.ever_by}"
    return f"{what} in {series.name} {when}"


def _peak(artifact: Artifact, series: Series, kind: Kind, last: datetime.date) -> tuple[int, str]:
    periods_ahead = ahead(artifact, series, kind, "peak_by", last, earliest=0)
    horizon = Horizon.of(artifact, series, kind)
    past, coming, begun = horizon.means(artifact, series)
    # A week without reports is not the highest, and of those that are as high the first one is.
    past_peak = np.max(past, initial=-np.inf, where=np.isfinite(past))
    happens = (coming.max(axis=1) <= past_peak) | (coming.argmax(axis=1) < begun + periods_ahead)
    end = horizon.date(horizon.periods)
    most = (
        f"with the most {artifact.manifest.unit} in {series.name}, of those from {series.first_day} to {end}"
    )
    if horizon.frequency.cycle > 1:
        words = f"the seven days {most}, end by {last}"
    elif horizon.by_week:
        words = f"the week {most}, is that to {paths.before_weeks(last)} or one before"
    else:
        words = f"the {horizon.frequency.period} {most}, is that of {last} or one before"
    return int(happens.sum()), words


def _change(artifact: Artifact, series: Series, event: Event, parameter: str, within: int) -> tuple[int, str]:
    kind = event.kind(artifact)
    horizon = Horizon.of(artifact, series, kind)
    if within > horizon.periods:
        periods = f"{horizon.frequency.period}s"
        words = f"must be a whole number of {periods} from 1 to {horizon.periods}, the horizon of this model"
        raise InvalidValue(parameter, words)
    unit, origin = artifact.manifest.unit, series.origin_date
    doubles = parameter == "doubles_within"
    if kind == "cumulative":
        reference, values = float(series.total or 0), paths.paths(artifact, series, "cumulative")
        what, change, since = f"total {unit}", "rise to twice", f"of {origin}"
        before = f"up to {origin}"
    else:
        past, values, begun = horizon.means(artifact, series)
        reference, values = past[-1] if len(past) else np.nan, values[:, begun:]
        change = "rises to twice" if doubles else "falls to half"
        if horizon.by_week:
            last = paths.before_weeks(origin - datetime.timedelta(paths.WEEK - 1))
            what, since, before = f"a whole week's {unit}", f"of that to {last}", f"in the week to {last}"
            change = "rise to twice" if doubles else "fall to half"
        elif artifact.frequency.cycle > 1:
            what, since = f"the mean of seven days' {unit}", f"of the week to {origin}"
            before = f"in the week to {origin}"
        else:
            what, since, before = f"{artifact.frequency.adjective} {unit}", f"of {origin}", f"on {origin}"
    if not reference > 0:
        words = f"has no answer for {series.name}: there were no {unit} {before}"
        raise InvalidValue(parameter, words)
    values, end = values[:, :within], horizon.date(within)
    happens = values >= 2 * reference if doubles else values <= reference / 2
    total = reference * paths.WEEK if horizon.by_week else reference
    shown = f"{float(paths.rounded(np.array(total))):,.15g}"
    return int(happens.any(axis=1).sum()), f"{what} in {series.name} {change} the {shown} {since} by {end}"


def moment(artifact: Artifact, kind: Kind, day: datetime.date) -> tuple[str, str]:
    """What is counted, and when, in words."""
    if kind == "cumulative" and not artifact.cumulative:
        return f"total {artifact.manifest.unit}", f"by the end of {day}"
    if by_week(artifact, kind):
        return paths.target(artifact, kind), f"in the week to {paths.before_weeks(day)}"
    return paths.target(artifact, kind), f"on {day}"


def known(artifact: Artifact, parameter: str, code: str) -> Series:
    """The series that a parameter or member names.

    Raises:
        InvalidValue: There is none, or it was left out.
    """
    try:
        return lookup.find(artifact, code)
    except ProblemError as error:
        near_matches = error.members.get("near_matches")
        words = f"must be a {artifact.manifest.noun} of this model: {error.detail}"
        raise InvalidValue(parameter, words, near_matches=near_matches) from None


def ahead(
    artifact: Artifact, series: Series, kind: Kind, parameter: str, day: datetime.date, earliest: int = 1
) -> int:
    """How many periods ahead the date lies that a parameter or member names; weeks, if the kind is by week.

    Raises:
        InvalidValue: That is less than `earliest`, or more than the horizon; or no date of the frequency.
    """
    horizon, frequency = Horizon.of(artifact, series, kind), artifact.frequency
    periods = horizon.ahead(day)
    if not earliest <= periods <= horizon.periods:
        first, last = horizon.first_day(earliest), horizon.date(horizon.periods)
        words = f"the horizon of this model is {frequency.periods(artifact.horizon)}"
        if horizon.by_week:
            words += ", and whole weeks are from a Sunday to a Saturday"
        raise InvalidValue(
            parameter, f"must be a {_date(artifact)} from {first} to {last} for {series.name}: {words}"
        )
    if not horizon.has(day):
        nearest = horizon.date(periods)
        raise InvalidValue(
            parameter, f"must be a date of the {frequency.adjective} series, such as {nearest}, not {day}"
        )
    return periods


def _date(artifact: Artifact) -> str:
    """What a date is called."""
    return "day" if artifact.frequency.alias == "D" else "date"
