"""settings.py, and the command that reads them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from forecastle.catalogue.settings import Settings, SettingsError


def test_settings_come_from_the_environment(tmp_path: Path) -> None:
    assert Settings.of({}) == Settings("", "", 3600)
    (tmp_path / "key").write_text("secret\n")
    variables = {"OBSERVATIONS_KEY_FILE": str(tmp_path / "key"), "OBSERVATIONS_URL": "http://x/y.csv"}
    assert Settings.of(variables | {"OBSERVATIONS_EVERY": "60"}) == Settings("secret", "http://x/y.csv", 60)
    assert Settings.of({"OBSERVATIONS_KEY": "secret"}).key == "secret"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OBSERVATIONS_EVERY", "0"),
        ("OBSERVATIONS_EVERY", "often"),
        ("OBSERVATIONS_URL", "file:///etc/passwd"),
        ("OBSERVATIONS_KEY_FILE", "/nowhere"),
    ],
)
def test_settings_that_cannot_be_used_are_told_in_a_line(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.of({name: value})
    assert str(raised.value).startswith(name)
    assert len(str(raised.value).splitlines()) == 1


def test_the_key_is_not_shown() -> None:
    assert "secret" not in repr(Settings("secret"))


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
            "OBSERVATIONS_EVERY=often must be a whole number of seconds from 1 on",
        ),
    ],
)
def test_the_catalogue_does_not_start_with_others(name: str, value: str, reason: str) -> None:
    environment = {**os.environ, "MODELS": "flu", name: value}
    command = [sys.executable, "-m", "forecastle.catalogue"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert reason in line
