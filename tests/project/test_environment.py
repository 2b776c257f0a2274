"""environment.py: a model's packages are installed for it alone, and again when its lock changes."""

import subprocess
import sys
from pathlib import Path

import pytest

from forecastle.project import environment

from ..index import wheel

SALT = "from importlib.metadata import version; import forecastle; print(version('salt'))"


@pytest.mark.parametrize("uv", [Path(sys.executable).with_name("uv"), ""])
def test_a_model_has_what_its_lock_pins_and_others_have_not(
    uv: Path | str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for folder in ("index", "models/flu", "models/cold"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setenv("UV", str(uv))
    for installer in ("PIP", "UV"):
        monkeypatch.setenv(f"{installer}_NO_INDEX", "1")
        monkeypatch.setenv(f"{installer}_FIND_LINKS", str(tmp_path / "index"))
    for version in ("1.0", "2.0"):
        (tmp_path / "models/flu/requirements.txt").write_text(wheel(tmp_path / "index", "salt", version))
        for installed in ("flu: installing what its requirements.txt pins\n", ""):
            python = environment.python("flu", "requirements", tmp_path)
            assert capfd.readouterr().err == installed
        done = subprocess.run([python, "-c", SALT], capture_output=True, text=True, check=True)
        assert done.stdout == f"{version}\n"
    (tmp_path / "models/cold/requirements.txt").write_text("# nothing\n")
    for model, lock in (("cold", "requirements"), ("flu", "requirements-train")):
        assert environment.python(model, lock, tmp_path) == Path(sys.executable)


def test_what_cannot_be_installed_is_one_line_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models/flu").mkdir(parents=True)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (tmp_path / "models/flu/requirements.txt").write_text(f"salt==3.0 --hash=sha256:{'0' * 64}\n")
    for _ in range(2):
        with pytest.raises(environment.InstallError, match="flu: its packages cannot be installed"):
            environment.python("flu", "requirements", tmp_path)
