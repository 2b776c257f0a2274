"""pins.py: what a model's requirements*.in name and its lock does not pin."""

import subprocess
import sys
from pathlib import Path

from forecastle.project import pins
from forecastle.project.compose import ROOT


def test_a_package_without_a_pin_is_named_in_whatever_spelling(tmp_path: Path) -> None:
    (tmp_path / "requirements.in").write_text("# packages\nScikit_Learn>=1.5\nnumpy\nhttpx[http2]  # asks\n")
    assert pins.unpinned(tmp_path, pins.SERVE) == ["httpx", "numpy", "scikit-learn"]
    (tmp_path / "requirements.txt").write_text("scikit-learn==1.7.0 \\\n    --hash=sha256:00\nnumpy==2.0\n")
    assert pins.unpinned(tmp_path, pins.SERVE) == ["httpx"]
    assert pins.unpinned(tmp_path, pins.TRAIN) == []


def test_the_build_asks_by_a_command(tmp_path: Path) -> None:
    (tmp_path / "requirements-train.in").write_text("numpy\n")
    (tmp_path / "requirements.in").write_text("# none\n")
    command = [sys.executable, "-m", "forecastle.project.pins", tmp_path]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout == "numpy\n"
