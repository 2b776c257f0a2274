"""Settings from the environment: how variables are read, and the one that every app reads."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from forecastle.web.queries import must_be

ORIGIN = re.compile(r"\*|https?://[^\s/?#]+")


class SettingsError(ValueError):
    """Variables cannot be used; the message is one line that names each and says what it must be."""


class Environment(BaseSettings):
    """Settings, each read from the variable of its name in capital letters.

    An empty variable counts as unset: Docker Compose passes variables on as empty if they are not set.

    Raises:
        SettingsError: A variable cannot be used.
    """

    model_config = SettingsConfigDict(
        alias_generator=str.upper,
        case_sensitive=True,
        env_ignore_empty=True,
        frozen=True,
        validate_default=False,
    )

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise SettingsError("; ".join(_in_words(each) for each in error.errors())) from None


def _in_words(error: Any) -> str:
    variable = str(error["loc"][0]).upper() if error["loc"] else ""
    return error["msg"].replace("Input", variable, 1)


def words(value: Any) -> Any:
    """The words of a text that spaces or commas separate."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    if not all(ORIGIN.fullmatch(origin) for origin in origins):
        raise ValueError
    return origins


class WebSettings(Environment):
    """What every app reads.

    Attributes:
        cors_origins: Web origins whose pages may use the app; "*" is any.
    """

    cors_origins: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(words),
        AfterValidator(_origins),
        must_be("* or web origins such as https://example.org, with spaces between"),
    ] = ()
