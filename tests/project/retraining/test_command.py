"""command.py: whatever goes wrong is one line, and a process that is told to end tidies up first."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from forecastle.observations import ObservationsError
from forecastle.project.images import ImagesError
from forecastle.project.retraining import Refused, RetrainingError, command

RECEIVES = """
import sys, tempfile
from pathlib import Path
from forecastle.project.retraining import command, data

def receive():
    with tempfile.TemporaryDirectory(dir=sys.argv[1]) as scratch:
        data.receive(sys.argv[2], Path(scratch), "country")

sys.exit(command.run("flu", receive))
"""


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            Refused("its WIS is 2"),
            "the challenger is refused, its WIS is 2; the incumbent and the data in use stay",
        ),
        (RetrainingError("it has no shadow"), "it has no shadow"),
        (ObservationsError("new.csv is empty"), "new.csv is empty"),
        (ImagesError("docker tag: no such image"), "docker tag: no such image"),
        (KeyboardInterrupt(), "interrupted; what was not replaced before stays"),
    ],
)
def test_what_goes_wrong_is_one_line(
    error: BaseException, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    assert command.run("flu", fail) == 1
    assert capsys.readouterr() == ("", f"flu: {line}\n")


def test_sigterm_ends_a_job_in_the_background_which_tidies_up(tmp_path: Path) -> None:
    """A shell without job control starts what ends in & with Ctrl-C ignored."""
    with socket.create_server(("127.0.0.1", 0)) as gateway:
        gateway.settimeout(60)
        url = f"http://127.0.0.1:{gateway.getsockname()[1]}"
        shell = ["sh", "-c", '"$@" & echo $!; wait $!', "sh", sys.executable, "-c", RECEIVES, tmp_path, url]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(shell, text=True, **pipes) as process:  # type: ignore[call-overload]
            job = int(process.stdout.readline())
            silent, _ = gateway.accept()  # the job waits for an answer
            with silent:
                assert len(list(tmp_path.iterdir())) == 1
                os.kill(job, signal.SIGTERM)
                try:
                    assert process.wait(10) == 1
                except subprocess.TimeoutExpired:
                    os.kill(job, signal.SIGKILL)
                    raise
            assert process.stderr.read() == "flu: interrupted; what was not replaced before stays\n"
    assert list(tmp_path.iterdir()) == []
