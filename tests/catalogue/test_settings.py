"""settings.py, and the command that reads them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from forecastle.catalogue import __main__ as command
from forecastle.catalogue.settings import Settings
from forecastle.web.settings import SettingsError

from ..conftest import Ask
from ..served import Quiet, listening


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of the catalogue's variables is set."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_settings_have_defaults() -> None:
    settings = Settings()
    assert (settings.models, settings.database_url) == ((), None)
    assert (settings.key, settings.observations_url, settings.observations_every) == ("", "", 3600)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "MODELS": "flu\ndeaths",
        "DATABASE_URL": "sqlite://",
        "OBSERVATIONS_KEY": "secret",
        "OBSERVATIONS_URL": "http://x/y.csv",
        "OBSERVATIONS_EVERY": "60",
    }.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.models == ("flu", "deaths")
    assert settings.database_url and settings.database_url.get_secret_value() == "sqlite://"
    assert (settings.key, settings.observations_url, settings.observations_every) == (
        "secret",
        "http://x/y.csv",
        60,
    )


def test_a_variable_that_is_empty_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Docker Compose passes on what is not set."""
    defaults = Settings()
    for name in Settings.model_fields:
        monkeypatch.setenv(name.upper(), "")
    assert Settings() == defaults


def test_a_key_in_a_file_takes_precedence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from the file\n")
    monkeypatch.setenv("OBSERVATIONS_KEY", "from the variable")
    monkeypatch.setenv("OBSERVATIONS_KEY_FILE", str(tmp_path / "key"))
    assert Settings().key == "from the file"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("OBSERVATIONS_EVERY", "0", "must be a whole number of seconds, at least 1, not '0'"),
        ("OBSERVATIONS_EVERY", "often", "must be a whole number of seconds, at least 1, not 'often'"),
        ("OBSERVATIONS_URL", "file:///etc/passwd", "must start with http:// or https://"),
        ("OBSERVATIONS_KEY_FILE", "/nowhere", "must be a file that can be read: [Errno 2] No such file or "),
        ("OBSERVATIONS_KEY_FILE", "/dev/null", "must be a file with a key in it, and /dev/null is empty"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as raised:
        Settings()
    assert str(raised.value).startswith(f"{name} {words}")
    assert len(str(raised.value).splitlines()) == 1


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hunter2")
    monkeypatch.setenv("OBSERVATIONS_KEY", "hunter2")
    monkeypatch.setenv("OBSERVATIONS_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:hunter2@db/forecasts")
    assert "hunter2" not in repr(Settings())
    monkeypatch.setenv("OBSERVATIONS_URL", "ftp://me:hunter2@host/file.csv")
    with pytest.raises(SettingsError) as raised:
        Settings()
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        (
            "DATABASE_URL",
            "mysql://localhost/x",
            "DATABASE_URL is of mysql: it must be of PostgreSQL or SQLite",
        ),
        (
            "OBSERVATIONS_EVERY",
            "often",
            "OBSERVATIONS_EVERY must be a whole number of seconds, at least 1, not 'often'",
        ),
        ("MODELS", "", "MODELS is missing: set it to the names of the models, with spaces between"),
    ],
)
def test_the_catalogue_does_not_start_with_a_wrong_value(name: str, value: str, reason: str) -> None:
    environment = {**os.environ, "MODELS": "flu", name: value}
    done = subprocess.run(
        [sys.executable, "-m", "forecastle.catalogue"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    event = json.loads(line)
    assert (event["message"], event["model"]) == (reason, "catalogue")


def test_models_are_asked_without_the_proxy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ask: Ask
) -> None:
    """One that answers for every host would make models look healthy that are not there."""
    asked = []

    class Proxy(Quiet):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MODELS", "flu.invalid")
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/store.sqlite")
    with listening(Proxy) as port:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
        (entry,) = ask(command.load(), "/models").json()["models"]
    assert entry["health"] == "down"
    assert not asked
