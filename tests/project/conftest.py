"""A docker command that does as a test says."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

Docker = Callable[[str], None]


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    """`docker(script)` puts a shell script in the place of the docker command."""

    def put(script: str) -> None:
        command = tmp_path / "bin/docker"
        command.parent.mkdir()
        command.write_text(f"#!/bin/sh\n{script}\n")
        command.chmod(0o755)
        monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")

    return put
