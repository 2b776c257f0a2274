"""docker/strip.py, which makes images smaller."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "docker/strip.py"


def strip(folder: Path) -> str:
    done = subprocess.run([sys.executable, SCRIPT, folder], capture_output=True, text=True, check=True)
    return done.stdout


def copied(package: str, to: Path) -> list[Path]:
    """The shared libraries of a copy of an installed package."""
    found = importlib.util.find_spec(package)
    assert found and found.origin
    shutil.copytree(Path(found.origin).parent, to / package)
    return list((to / package).rglob("*.so"))


def test_a_library_without_its_debugging_information_works_as_before(tmp_path: Path) -> None:
    (library,) = copied("uvloop", tmp_path)
    before = library.stat().st_size
    assert "MB of debugging information dropped" in strip(tmp_path)
    assert library.stat().st_size < before / 2
    code = "import asyncio, uvloop; uvloop.run(asyncio.sleep(0.01)); print(uvloop.loop.__file__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.strip() == str(library), done.stderr


def test_what_has_none_is_left_as_it_is(tmp_path: Path) -> None:
    libraries = copied("pydantic_core", tmp_path)
    (tmp_path / "text.so").write_text("no library")
    (tmp_path / "empty.so").touch()
    before = {file: file.read_bytes() for file in (*libraries, tmp_path / "text.so", tmp_path / "empty.so")}
    assert strip(tmp_path) == "0.0 MB of debugging information dropped\n"
    assert {file: file.read_bytes() for file in before} == before
