"""A terminal for tests."""

import os
import pty
import subprocess
import sys
from contextlib import suppress


def shown_by(code: str) -> str:
    """What a terminal of 80 columns gets of a script's stderr."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "NO_COLOR": "1"}
    process = subprocess.Popen([sys.executable, "-c", code], stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # Linux says so where others return nothing
        while part := os.read(ours, 65536):
            shown += part
    os.close(ours)
    assert process.wait() == 0
    return shown.decode()
