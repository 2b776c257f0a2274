"""Decisions: the action with the least expected loss, over the posterior predictive draws of a count.

Where a unit too much and a unit too little have a cost each, the best amount is a quantile of the count, that
of level `under / (under + over)`: Arrow, Harris and Marschak, "Optimal inventory policy", Econometrica 19
(1951); Gneiting, "Quantiles as optimal point forecasts", International Journal of Forecasting 27 (2011). Else
the actions are compared one by one, by a table of what each loses in each range of the count.
"""

from typing import Annotated, Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator
from pydantic_core import PydanticCustomError

from forecastle.artifact import Artifact
from forecastle.service import events, marginals, paths
from forecastle.service.answers import OfSeries, of, of_series
from forecastle.service.events import AnyCode
from forecastle.service.horizon import Period, period_of
from forecastle.service.naming import Named, named
from forecastle.service.paths import Kind
from forecastle.web.problems import InvalidValue
from forecastle.web.queries import Counts, Day, Members, counts_of, must_be, optional

MOST_OPTIONS, MOST_THRESHOLDS = 50, 20
LOSS_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
LARGEST = 1e12  # so that sums and squares stay finite

Cost = Annotated[float, Field(gt=0, le=LARGEST), must_be(f"a number above 0 and at most {LARGEST:.0e}")]
Loss = Annotated[
    float, Field(ge=-LARGEST, le=LARGEST), must_be(f"a number from {-LARGEST:.0e} to {LARGEST:.0e}")
]
Amount = Annotated[float, Field(ge=0, le=LARGEST), must_be(f"a number from 0 to {LARGEST:.0e}")]
Name = Annotated[str, Field(min_length=1, max_length=100), must_be("a name of 1 to 100 characters")]


class Costs(Members):
    """What a unit too much and a unit too little cost, in any one currency."""

    over: Cost = Field(description="Of each unit provided and not needed.", examples=[1])
    under: Cost = Field(description="Of each unit needed and not provided.", examples=[9])


class Action(Members):
    """What may be done, and what it loses."""

    name: Name = Field(examples=["open a ward"])
    losses: list[Loss] = Field(
        min_length=2,
        max_length=MOST_THRESHOLDS + 1,
        description="One more than there are thresholds: if the count is above none of them, above the "
        "first, and so on. A gain is negative.",
        examples=[[20, 20, 400]],
    )


class DecisionRequest(Members, Named):
    """A decision that hangs on a count.

    Either `costs` of too much and too little, for any amount or those of `amounts`; or `thresholds` that
    divide the counts into ranges and `actions` with their loss in each.
    """

    series: AnyCode = Field(
        description="Its identifier, in capital letters or not; of a country ISO 3166 alpha-3.",
        examples=["GBR"],
    )
    on: Day | None = optional("It hangs on the count of this day.", examples=["2020-06-15"])
    by: Day | None = optional("It hangs on the running total by the end of this day.")
    counts: Counts | None = optional(
        "With `on`: counts a day or running totals, if not what the model forecasts."
    )
    period: Period | None = optional(
        "With `on`, of a daily model: it hangs on the sum over the whole week, from a Sunday to a Saturday, "
        "that holds the day."
    )
    costs: Costs | None = optional("Of a unit too much and of one too little.")
    amounts: list[Amount] | None = optional(
        "With `costs`: the amounts that can be had.", min_length=2, max_length=MOST_OPTIONS
    )
    thresholds: list[Amount] | None = optional(
        "In ascending order. A count that equals one is not above it.",
        min_length=1,
        max_length=MOST_THRESHOLDS,
    )
    actions: list[Action] | None = optional("With `thresholds`.", min_length=2, max_length=MOST_OPTIONS)

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"country": "GBR", "on": "2020-06-15", "costs": {"over": 1, "under": 9}},
                {
                    "country": "GBR",
                    "by": "2020-06-15",
                    "thresholds": [41000, 42000],
                    "actions": [
                        {"name": "wait", "losses": [0, 50, 1000]},
                        {"name": "open a ward", "losses": [20, 20, 400]},
                    ],
                },
            ]
        }
    )

    @model_validator(mode="after")
    def one_decision(self) -> Self:
        """One count, and one way to give losses."""
        problem = None
        given = {name for name in ("costs", "amounts", "thresholds", "actions") if getattr(self, name)}
        if (self.on is None) == (self.by is None):
            problem = "exactly one of on and by is needed"
        elif self.period and (self.by or self.counts == "cumulative"):
            problem = "period=week is about sums by week: it goes with neither by nor counts=cumulative"
        elif self.by and self.counts not in (None, "cumulative"):
            problem = f"by is about the running total: of {self.counts} counts ask on a day"
        elif given not in ({"costs"}, {"costs", "amounts"}, {"thresholds", "actions"}):
            problem = "either costs are needed, with amounts or without, or thresholds and actions"
        elif self.thresholds and sorted(set(self.thresholds)) != self.thresholds:
            problem = "thresholds must ascend"
        elif self.thresholds and any(
            len(action.losses) != len(self.thresholds) + 1 for action in self.actions or []
        ):
            problem = "each action needs one more loss than there are thresholds"
        elif len({action.name for action in self.actions or []}) < len(self.actions or []):
            problem = "each action needs a name of its own"
        if problem:
            raise PydanticCustomError("one_decision", problem)
        return self


class LossQuantile(BaseModel):
    """A loss that is not exceeded with some probability."""

    quantile: float = Field(description="The probability.", examples=[0.95])
    loss: float


class Option(BaseModel):
    """An action, and the distribution of its loss."""

    action: str | None = optional("Its name.", examples=["open a ward"])
    amount: float | None = optional("In `unit`, if the action is to provide for so many.", examples=[258.0])
    expected_loss: float = Field(description="The mean loss over the draws.")
    monte_carlo_error: float = Field(
        description="Standard error of the expected loss, from the finite number of draws alone."
    )
    excess_loss: float = Field(
        description="The expected loss beyond that of the best option; 0 is the best's."
    )
    excess_monte_carlo_error: float = Field(
        description="Its standard error, draw by draw: with an excess loss of less than twice this, the "
        "draws do not show which of the two is better."
    )
    loss_quantiles: list[LossQuantile] = Field(description="The distribution of the loss.")


class State(BaseModel):
    """A range of the count."""

    above: float | None = Field(description="null if it has no lower end.", examples=[41000])
    up_to: float | None = Field(description="null if it has no upper end.", examples=[42000])
    probability: float


class Decision(OfSeries):
    """The option with the least expected loss."""

    count: str = Field(
        description="What the decision hangs on, in words.",
        examples=["daily deaths in United Kingdom on 2020-06-15"],
    )
    draws: int = Field(description="How many the expectations are over.", examples=[2000])
    level: float | None = optional(
        "With costs: the best amount is the quantile of this level, if any can be had.", examples=[0.9]
    )
    states: list[State] | None = optional(
        "With thresholds: the ranges, and how likely the count lies in each."
    )
    best: Option
    options: list[Option] = Field(description="All of them, by expected loss.")
    caveat: str | None = optional("A warning, if the draws are not to be trusted.")


def asked(artifact: Artifact) -> type[DecisionRequest]:
    """What may be asked of the model: by its noun, its kinds and its least value."""
    manifest = artifact.manifest
    model = named(DecisionRequest, manifest.noun, manifest.plural)
    counts, fields = counts_of(paths.kinds(artifact)), model.model_fields
    chosen: dict[str, Any] = {
        name: (kind | None, optional(str(fields[name].description)))
        for name, kind in (("counts", counts), ("period", period_of(artifact)))
    }
    if manifest.minimum is None or manifest.minimum < 0:
        for name, most in (("amounts", MOST_OPTIONS), ("thresholds", MOST_THRESHOLDS)):
            about = {"min_length": 2 if name == "amounts" else 1, "max_length": most}
            chosen[name] = (list[Loss] | None, optional(str(fields[name].description), **about))
    made = create_model(DecisionRequest.__name__, __base__=model, __doc__=DecisionRequest.__doc__, **chosen)
    if manifest.noun != "country":
        made.model_config["json_schema_extra"] = None
    return made


def decide(artifact: Artifact, root: str, asked: DecisionRequest) -> Decision:
    """The option with the least mean loss over the draws.

    Raises:
        InvalidValue: The model has no such series, or no such day.
    """
    parameter, day = ("on", asked.on) if asked.on else ("by", asked.by)
    assert day  # as `one_decision` ensures
    kind: Kind = "weekly" if asked.period else asked.counts or paths.own(artifact)
    if asked.by:
        kind = "cumulative"
    try:
        series = events.known(artifact, artifact.manifest.noun, asked.series)
        ahead = events.ahead(artifact, series, kind, parameter, day)
    except InvalidValue as error:
        raise error.in_body() from None
    distribution = marginals.of(artifact, series, kind)
    drawn = distribution.draws[:, ahead - 1].astype(float)
    what, when = events.moment(artifact, kind, day)
    level, states = None, None
    if asked.costs:
        level = asked.costs.under / (asked.costs.under + asked.costs.over)
        # One of the draws: nothing between two of them loses less.
        best = float(paths.rounded(np.quantile(drawn, level, method="inverted_cdf")))
        amounts = np.array(asked.amounts or [best])[:, None]
        losses = asked.costs.over * np.maximum(amounts - drawn, 0)
        losses += asked.costs.under * np.maximum(drawn - amounts, 0)
        names = [{"amount": amount} for amount in amounts[:, 0].tolist()]
    else:
        assert asked.thresholds and asked.actions
        state = np.searchsorted(asked.thresholds, drawn)  # how many of them it is above
        states = _states(asked.thresholds, state)
        losses = np.array([action.losses for action in asked.actions])[:, state]
        names = [{"action": action.name} for action in asked.actions]
    options = _options(names, losses, distribution.effective)
    return of(artifact, Decision)(
        **of_series(artifact, root, series),
        count=f"{what} in {series.name} {when}",
        draws=len(drawn),
        level=level,
        states=states,
        best=options[0],
        options=options,
        caveat=marginals.caveat(artifact, series, kind, False),
    )


def _options(names: list[dict[str, Any]], losses: np.ndarray, effective: float) -> list[Option]:
    """The options in the order of their expected losses; `losses` has the shape (option, draw)."""
    order = losses.mean(axis=1).argsort(kind="stable")  # of those that lose as much the first
    best, options = losses[order[0]], []
    for name, loss in ((names[index], losses[index]) for index in order):
        expected, error = _mean(loss, effective)
        excess, excess_error = _mean(loss - best, effective)
        quantiles = zip(LOSS_QUANTILES, np.quantile(loss, LOSS_QUANTILES), strict=True)
        options.append(
            Option(
                **name,
                expected_loss=expected,
                monte_carlo_error=error,
                excess_loss=max(0, excess),
                excess_monte_carlo_error=excess_error,
                loss_quantiles=[LossQuantile(quantile=level, loss=_rounded(q)) for level, q in quantiles],
            )
        )
    return options


def _states(thresholds: list[float], state: np.ndarray) -> list[State]:
    shares = np.bincount(state, minlength=len(thresholds) + 1) / len(state)
    bounds = [None, *thresholds, None]
    return [
        State(above=above, up_to=up_to, probability=round(float(share), 5))
        for above, up_to, share in zip(bounds, bounds[1:], shares, strict=False)
    ]


def _mean(losses: np.ndarray, effective: float) -> tuple[float, float]:
    """The mean and its standard error, of draws that tell as much as so many independent ones."""
    return _rounded(losses.mean()), _rounded(losses.std() / np.sqrt(effective))


def _rounded(loss: float) -> float:
    return float(f"{loss:.6g}")
