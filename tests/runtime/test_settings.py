"""settings.py: variables of the server."""

import pytest

from forecastle.runtime.settings import ServerSettings
from forecastle.web.settings import SettingsError


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of the server's variables is set."""
    for name in ServerSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_settings_have_defaults() -> None:
    settings = ServerSettings()
    assert (settings.workers, settings.log_level, settings.bind) == (1, None, "0.0.0.0:8000")
    assert (settings.forwarded_allow_ips, settings.revision) == ("*", "unknown")
    assert not settings.traces_wanted


def test_a_variable_that_is_empty_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Docker Compose passes on what is not set."""
    defaults = ServerSettings()
    for name in ServerSettings.model_fields:
        monkeypatch.setenv(name.upper(), "")
    assert ServerSettings() == defaults


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("WORKERS", "4", 4),
        ("LOG_LEVEL", "debug", "debug"),
        ("LOG_LEVEL", "WARNING", "warning"),
        ("BIND", "127.0.0.1:1", "127.0.0.1:1"),
    ],
)
def test_settings_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, read: object
) -> None:
    monkeypatch.setenv(name.lower(), "another variable")
    monkeypatch.setenv(name, value)
    assert getattr(ServerSettings(), name.lower()) == read


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("WORKERS", "many", "must be a whole number of at least 1, not 'many'"),
        ("WORKERS", "0", "must be a whole number of at least 1, not '0'"),
        ("LOG_LEVEL", "loud", "must be one of debug, info, warning, error, critical, not 'loud'"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as raised:
        ServerSettings()
    assert str(raised.value) == f"{name} {words}"


def test_all_wrong_values_are_in_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKERS", "many")
    monkeypatch.setenv("LOG_LEVEL", "loud")
    with pytest.raises(SettingsError, match=r"^WORKERS must be .*; LOG_LEVEL must be ") as raised:
        ServerSettings()
    assert len(str(raised.value).splitlines()) == 1
