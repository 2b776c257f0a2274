"""docker/strip.sh, which makes images smaller."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "docker/strip.sh"
needs_binutils = pytest.mark.skipif(not shutil.which("readelf"), reason="binutils is not installed")


def strip(folder: Path, **environment: str) -> str:
    """What the script says of a folder."""
    done = subprocess.run(
        ["/bin/sh", SCRIPT, folder], env=os.environ | environment, capture_output=True, text=True, check=True
    )
    return done.stdout + done.stderr


def copied(package: str, to: Path) -> list[Path]:
    """The shared libraries of a copy of an installed package."""
    found = importlib.util.find_spec(package)
    assert found and found.origin
    shutil.copytree(Path(found.origin).parent, to / package)
    return list((to / package).rglob("*.so"))


@needs_binutils
def test_a_library_without_its_debugging_information_works_as_before(tmp_path: Path) -> None:
    (library,) = copied("uvloop", tmp_path)
    before = library.stat().st_size
    assert strip(tmp_path) == ""
    assert library.stat().st_size < before / 2
    code = "import asyncio, uvloop; uvloop.run(asyncio.sleep(0.01)); print(uvloop.loop.__file__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.strip() == str(library), done.stderr


@needs_binutils
def test_a_file_without_debugging_information_is_not_written_again(tmp_path: Path) -> None:
    libraries = copied("pydantic_core", tmp_path)
    (tmp_path / "text.so").write_text("no library")
    (tmp_path / "empty.so").touch()
    before = {
        file: (file.stat().st_ino, file.read_bytes())
        for file in (*libraries, tmp_path / "text.so", tmp_path / "empty.so")
    }
    strip(tmp_path)
    assert {file: (file.stat().st_ino, file.read_bytes()) for file in before} == before


def test_without_binutils_the_build_goes_on(tmp_path: Path) -> None:
    (library,) = copied("uvloop", tmp_path)
    before = library.stat().st_size
    assert "there is no binutils" in strip(tmp_path, PATH="")
    assert library.stat().st_size == before
