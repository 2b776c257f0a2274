"""Settings of the catalogue, from the environment."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from forecastle.web.queries import must_be, wrong
from forecastle.web.settings import Environment, words


def _content(path: Any) -> str:
    """The text of a file that holds a secret."""
    try:
        content = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise wrong("Input must be a file that can be read: {}", error) from None
    if not content:
        raise wrong("Input must be a file with a key in it, and {} is empty", path)
    return content


def _address(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise wrong("Input must start with http:// or https://")  # not shown: it may hold a password
    return url


class Settings(Environment):
    """What the catalogue knows of its surroundings.

    Attributes:
        models: The hosts of the models, which are their names.
        database_url: Where forecasts and observations are kept; None leaves it to the command.
        observations_key: The key that senders of observations must have; without one nobody may send.
        observations_key_file: The key that a file holds; it takes precedence.
        observations_url: Where observations are fetched, if anywhere.
        observations_every: Seconds between two fetches.
    """

    models: Annotated[tuple[str, ...], NoDecode, BeforeValidator(words)] = ()
    database_url: SecretStr | None = None
    observations_key: SecretStr = SecretStr("")
    observations_key_file: Annotated[SecretStr | None, BeforeValidator(_content)] = None
    observations_url: Annotated[str, AfterValidator(_address)] = ""
    observations_every: Annotated[int, Field(ge=1), must_be("a whole number of seconds, at least 1")] = 3600

    @property
    def key(self) -> str:
        """The key that senders must have; "" if nobody may send."""
        return (self.observations_key_file or self.observations_key).get_secret_value()
