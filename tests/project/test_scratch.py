"""scratch.py: temporary folders are removed in the end, by the next process if theirs was killed."""

import os
import subprocess
import sys
from pathlib import Path

from forecastle.project.scratch import scratch

from ..served import eventually

KILLED = """
import sys, time
from pathlib import Path
from forecastle.project.scratch import scratch

with scratch(Path(sys.argv[1])) as folder:
    (folder / "file").touch()
    time.sleep(600)
"""


def test_one_is_removed_in_the_end_and_two_can_be_in_use(tmp_path: Path) -> None:
    with scratch(tmp_path) as first, scratch(tmp_path) as second:
        assert first != second and first.is_dir() and second.is_dir()
    assert os.listdir(tmp_path / ".cache") == []


def test_what_a_killed_process_left_is_removed_and_what_a_live_one_uses_is_not(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED, tmp_path]) as process:
        try:
            eventually(lambda: list(tmp_path.glob(".cache/*/file")))
            with scratch(tmp_path):
                assert len(list(tmp_path.glob(".cache/*/file"))) == 1
        finally:
            process.kill()
    assert len(os.listdir(tmp_path / ".cache")) == 1
    with scratch(tmp_path):
        assert list(tmp_path.glob(".cache/*/file")) == []
    assert os.listdir(tmp_path / ".cache") == []
