"""Values that many routes take, and validators that say in words what is wrong with one."""

import datetime
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, ClassVar, Literal

from fastapi import Path, Query
from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from forecastle.dates import iso_day, iso_instant
from forecastle.frequency import Adjective

DEFAULT_DAYS = 14
DEFAULT_LEVELS = [0.5, 0.8, 0.95]
MOST_LEVELS = 10
MOST_ROWS = 1000  # a page


def must_be(words: str) -> WrapValidator:
    """A validator whose one message, whatever is wrong, is that the value must be `words`."""

    def validate(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(value)
        except ValidationError:
            given = " and ".join(map(str, value)) if isinstance(value, list) else str(value)
            raise wrong("Input must be {}, not {!r}", words, given[:60]) from None

    return WrapValidator(validate)


def wrong(message: str, *values: Any) -> PydanticCustomError:
    """A validation error with this message, its braces replaced by the values."""
    # The text goes in as a value: Pydantic would take a brace in a message for a placeholder.
    return PydanticCustomError("invalid", "{message}", {"message": message.format(*values)})


def optional(description: str, **more: Any) -> Any:
    """A parameter or member that may be missing. It is never null: neither in OpenAPI nor in answers."""
    return Field(
        None,
        description=description,
        exclude_if=lambda value: value is None,
        json_schema_extra=_never_null,
        **more,
    )


def _never_null(schema: dict[str, Any]) -> None:
    """Drop null from a schema: generated clients would take it for a value to send or to get."""
    (type_schema,) = (each for each in schema.pop("anyOf") if each != {"type": "null"})
    schema.pop("default", None)
    schema |= type_schema


class KnownParameters(BaseModel):
    """Parameters; others are refused, since a misspelt one would silently change nothing."""

    model_config = {"extra": "forbid"}
    called: ClassVar[str] = "query parameter"

    @model_validator(mode="before")
    @classmethod
    def no_others(cls, values: Any) -> Any:
        """Refuse unknown names, and list the known ones."""
        if isinstance(values, dict) and (
            unknown := sorted(map(str, values.keys() - (names := _names(cls)).keys()))
        ):
            known = ", ".join(names) or "none"
            raise wrong("unknown {} {} (known here: {})", cls.called, ", ".join(unknown)[:60], known)
        return values


@cache
def _names(model: type[BaseModel]) -> dict[str, None]:
    """The members' names as a client writes them, in their order."""
    return dict.fromkeys(field.alias or name for name, field in model.model_fields.items())


class Members(KnownParameters):
    """A JSON object in a body; other members are refused."""

    called: ClassVar[str] = "member"


def _written(read: Callable[[str], Any]) -> BeforeValidator:
    """A validator that reads a text in one form alone."""

    def validate(value: Any) -> Any:
        if not isinstance(value, str):  # JSON may have a number here
            raise ValueError
        return read(value)

    return BeforeValidator(validate)


Day = Annotated[datetime.date, _written(iso_day), must_be("a date such as 2020-05-01")]
Instant = Annotated[
    datetime.datetime,
    _written(iso_instant),
    must_be("an instant with its time zone such as 2020-05-01T12:00:00Z"),
]
Threshold = Annotated[float, Field(ge=0, allow_inf_nan=False), must_be("a number of at least 0")]
Counts = Annotated[
    Adjective | Literal["cumulative"], must_be("daily, weekly, monthly, quarterly, yearly or cumulative")
]


def counts_of(words: tuple[str, ...]) -> Any:
    """The type of `counts` where only these words have a meaning."""
    return Annotated[Literal[words], must_be(" or ".join(words))]


def at_least(minimum: float | None) -> Any:
    """The type of a threshold where no value is less than this; None is no bound."""
    if minimum is None:
        return Annotated[float, Field(allow_inf_nan=False), must_be("a number")]
    words = f"a number of at least {minimum:g}"
    return Annotated[float, Field(ge=minimum, allow_inf_nan=False), must_be(words)]


Code = Annotated[
    str,
    Path(
        description="A series' identifier, in capital letters or not; of a country ISO 3166 alpha-3.",
        examples=["GBR"],
    ),
]


def one_of_formats(*formats: str) -> WrapValidator:
    """A validator of the parameter `format`."""
    return must_be(f"{', '.join(formats[:-1])} or {formats[-1]}")


class NoParameters(KnownParameters):
    """No parameters."""


async def no_parameters(_: Annotated[NoParameters, Query()]) -> None:
    """A dependency of routes without query parameters: it refuses any."""


TableFormat = Annotated[Literal["json", "csv", "ndjson"], one_of_formats("json", "csv", "ndjson")]


class TableQuery(KnownParameters):
    """A page of a list, and its representation."""

    limit: Annotated[
        int,
        Field(ge=1, le=MOST_ROWS, description="The most rows to send."),
        must_be(f"a number from 1 to {MOST_ROWS}"),
    ] = MOST_ROWS
    offset: Annotated[
        int,
        Field(ge=0, le=1_000_000, description="Rows to skip."),
        must_be("a number from 0 to 1000000"),
    ] = 0
    format: TableFormat | None = optional("Takes precedence over `Accept`.")
