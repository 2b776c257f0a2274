"""packages.py: what locks pin, by uv and by pip, and nothing half."""

import os
import signal
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from forecastle.project import packages
from forecastle.project.packages import PackagesError

from ..index import Index, index, wheel
from ..served import LIBRARY, eventually
from .plain import processes

UVS = {"uv": Path(sys.executable).with_name("uv"), "pip": ""}  # what UV names
VERSION = "from importlib.metadata import files, version; import soup; print(version('soup'))"

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(params=UVS)
def installer(request: pytest.FixtureRequest) -> str:
    """Who installs: uv or pip, as they are."""
    return request.param


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Index]:
    """An index with `soup`, a lock `soup.txt` that pins it, and an environment without any package."""
    (tmp_path / "wheels").mkdir()
    (tmp_path / "soup.txt").write_text(wheel(tmp_path / "wheels", "soup", "1.0"))
    venv.create(tmp_path / "home", symlinks=True, with_pip=False)
    with index(tmp_path / "wheels") as made:
        yield made


@pytest.fixture
def start(shelf: Index, tmp_path: Path) -> Start:
    """`start(UV="...")` starts the installation of that lock, in a process group of its own."""

    def started(**variables: Any) -> subprocess.Popen[str]:
        python, marker, lock = (str(tmp_path / name) for name in ("home/bin/python", "home/all", "soup.txt"))
        return subprocess.Popen(
            [python, "-m", "forecastle.project.packages", marker, "what soups need", lock],
            env={**os.environ, "PYTHONPATH": str(LIBRARY), **shelf.variables(tmp_path, ""), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return started


def installed(home: Path) -> tuple[str, str]:
    """The version of `soup` in an environment, which imports it, and who installed it."""
    done = subprocess.run([home / "bin/python", "-c", VERSION], capture_output=True, text=True)
    return done.stdout.strip(), "".join(path.read_text() for path in home.rglob("soup-*/INSTALLER")).strip()


def test_what_a_lock_pins_is_installed_once(
    installer: str, start: Start, shelf: Index, tmp_path: Path
) -> None:
    said = start(UV=UVS[installer]).communicate()
    assert said == (f"installing what soups need into {tmp_path / 'home'}\n", "")
    assert installed(tmp_path / "home") == ("1.0", installer)
    asked = len(shelf.asked)
    assert start(UV=UVS[installer]).communicate() == ("", "")
    (tmp_path / "soup.txt").write_text(wheel(tmp_path / "wheels", "soup", "2.0"))
    os.utime(tmp_path / "home/all", (0, 0))
    start(UV=UVS[installer]).communicate()
    assert installed(tmp_path / "home") == ("2.0", installer)
    assert len(shelf.asked) > asked
    # Whoever installed: users add packages by pip.
    assert subprocess.run([tmp_path / "home/bin/pip", "--version"], capture_output=True).returncode == 0


def test_a_uv_on_the_path_is_used(start: Start, tmp_path: Path) -> None:
    variables = {"PATH": f"{Path(UVS['uv']).parent}:{os.environ['PATH']}", "UV": "uv"}
    assert start(**variables).wait() == 0
    assert installed(tmp_path / "home") == ("1.0", "uv")


@pytest.mark.parametrize("lock", ["soup==1.0 --hash=sha256:" + "0" * 64, "soup==1.0", "soup==3.0"])
def test_what_its_hash_does_not_fit_is_not_installed(
    lock: str, installer: str, start: Start, tmp_path: Path
) -> None:
    (tmp_path / "soup.txt").write_text(f"{lock}\n")
    process = start(UV=UVS[installer])
    _, said = process.communicate()
    assert process.returncode == 1
    assert said.splitlines()[-1].startswith("what soups need cannot be installed: ")
    assert len(said.splitlines()) == (2 if installer == "uv" else 1)
    assert installed(tmp_path / "home") == ("", "")
    assert not (tmp_path / "home/all").exists()


def test_an_index_that_does_not_answer_is_one_line(
    monkeypatch: pytest.MonkeyPatch, shelf: Index, tmp_path: Path
) -> None:
    for name, value in shelf.variables(tmp_path, "").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(PackagesError, match=r"for soup==1\.0; the index of packages did not answer$"):
        packages.install(tmp_path / "home/bin/python", [tmp_path / "soup.txt"])


def test_if_uv_fails_pip_installs(start: Start, tmp_path: Path) -> None:
    uv = tmp_path / "fails"
    uv.write_text('#!/bin/sh\necho "warning: old" >&2; echo "error: no mirror" >&2; exit 2\n')
    uv.chmod(0o755)
    process = start(UV=str(uv))
    assert process.communicate()[1] == "uv fails, so pip is tried: no mirror\n"
    assert process.returncode == 0
    assert installed(tmp_path / "home") == ("1.0", "pip")


def test_a_uv_that_is_none_is_one_line(start: Start) -> None:
    process = start(UV="/no/such/uv")
    assert process.communicate()[1] == (
        "what soups need cannot be installed: UV=/no/such/uv is no program: let it name uv, or be empty for "
        "pip\n"
    )
    assert process.returncode == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_stopped_leaves_no_process_and_no_marker(
    number: signal.Signals, installer: str, start: Start, shelf: Index, tmp_path: Path
) -> None:
    shelf.held = {"soup"}
    process = start(UV=UVS[installer])
    eventually(lambda: shelf.asked)
    process.send_signal(number)
    _, said = process.communicate()
    assert (process.returncode, said) == (130, "")
    eventually(lambda: processes(tmp_path) == [])
    assert not (tmp_path / "home/all").exists()
    assert installed(tmp_path / "home") == ("", "")


def test_what_was_killed_half_way_is_installed_again(installer: str, start: Start, tmp_path: Path) -> None:
    """After the files that name a package, and before all others."""
    start(UV=UVS[installer]).wait()
    (told,) = (tmp_path / "home").rglob("soup-*/INSTALLER")
    for path in (told, told.with_name("RECORD"), told.parents[1] / "soup.py", tmp_path / "home/all"):
        path.unlink()
    assert installed(tmp_path / "home") == ("", "")
    process = start(UV=UVS[installer])
    assert process.communicate()[1] == ""
    assert installed(tmp_path / "home") == ("1.0", installer)


def test_two_installations_come_one_after_the_other(start: Start, shelf: Index) -> None:
    shelf.held = {"soup"}
    first = start()
    eventually(lambda: shelf.asked)
    second = start()
    eventually(lambda: f" {second.pid} " in Path("/proc/locks").read_text())
    shelf.go.set()
    assert "installing" in first.communicate()[0]
    assert second.communicate() == ("", "")  # the first has done it
    assert first.returncode == second.returncode == 0
    assert len(shelf.asked) == 1
