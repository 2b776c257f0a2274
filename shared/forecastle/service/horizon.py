"""What lies ahead of a series: its model's own periods or, of daily values, whole weeks.

Week w is the w-th whole one, from a Sunday to a Saturday, after the series' origin date. Any of its days
names it.
"""

import datetime
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
from pydantic import AfterValidator

from forecastle.artifact import Artifact, Series
from forecastle.frequency import Frequency
from forecastle.service import paths
from forecastle.service.paths import SURE_WEEK, WEEK, WEEKS, Kind
from forecastle.web.queries import must_be, wrong

Period = Annotated[Literal["week"], must_be("week")]


def period_of(artifact: Artifact) -> Any:
    """The type of the parameter `period` of a model: it refuses weeks where there are none."""
    if paths.has_weeks(artifact):
        return Period

    def refuse(_: str) -> str:
        raise wrong(
            "Input can be week only of daily values up to {} days ahead: this model's are {}, up to {} ahead",
            SURE_WEEK,
            artifact.frequency.adjective,
            artifact.frequency.periods(artifact.horizon),
        )

    return Annotated[Period, AfterValidator(refuse)]


class Horizon(NamedTuple):
    """The periods ahead of a series that there are forecasts of.

    Attributes:
        start: The date that they are counted from: the origin date or, of weeks, the Saturday that is it or
            follows it.
        frequency: Of their dates: `W-SAT` of weeks.
        periods: How many there are.
        by_week: Whether they are whole weeks of a daily model.
    """

    start: datetime.date
    frequency: Frequency
    periods: int
    by_week: bool = False

    @classmethod
    def of(cls, artifact: Artifact, series: Series, kind: Kind) -> Self:
        """Of the series' values of this kind."""
        origin = series.origin_date
        if not by_week(artifact, kind):
            return cls(origin, artifact.frequency, artifact.horizon)
        number = paths.whole_weeks(origin, artifact.horizon)
        return cls(paths.before_weeks(origin), Frequency.of(WEEKS), number, True)

    def date(self, ahead: int) -> datetime.date:
        """That of the period so many ahead; of a week its last day."""
        return self.frequency.after(self.start, ahead)

    def first_day(self, ahead: int) -> datetime.date:
        """The earliest date that names the period so many ahead."""
        return self.date(ahead) - datetime.timedelta((WEEK - 1) * self.by_week)

    def ahead(self, day: datetime.date) -> int:
        """How many periods ahead the one lies that this day names: of weeks, the one that holds it."""
        if self.by_week:
            day += datetime.timedelta(WEEK - 1)
        return self.frequency.between(self.start, day)

    def has(self, day: datetime.date) -> bool:
        """Whether this day names a period."""
        return self.by_week or self.frequency.has(day)

    def means(self, artifact: Artifact, series: Series) -> tuple[np.ndarray, np.ndarray, int]:
        """Means over cycles as `paths.means` gives them; of weeks, over each one's seven days.

        Returns:
            Of those that ended by the origin, the last one last, shape (cycle): nan if nothing was reported
            in one. Of those that end after it, shape (draw, cycle). And how many of these come before the
            first of the periods ahead: 1 if a week had begun by the origin and was not over, else 0.
        """
        past, coming = paths.means(artifact, series)
        if not self.by_week:
            return past, coming, 0
        days = (self.start - series.origin_date).days
        return past[-1 - -days % WEEK :: -WEEK][::-1], coming[:, (days - 1) % WEEK :: WEEK], int(days > 0)


def by_week(artifact: Artifact, kind: Kind) -> bool:
    """Whether this kind is sums by week of daily values."""
    return kind == "weekly" and artifact.frequency.alias == "D"


def least(artifact: Artifact) -> float | None:
    """The least value that the model's forecasts may have, of days or of weeks; None if there is none."""
    minimum = artifact.manifest.minimum
    return WEEK * minimum if minimum is not None and minimum < 0 and paths.has_weeks(artifact) else minimum
