"""Run every test: what `make test` does.

The tests in tests/e2e share a Docker Engine, and mostly wait for containers. All others share nothing. Once
the images are built, the others run beside tests/e2e, on the processor time that it leaves, and are shown at
the end. Without an engine, tests/e2e is skipped, and the others start at once.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[1]
BUILT = ROOT / ".cache/trained/built"  # written by tests/e2e, when there are artifacts that others take
OTHERS = ("--ignore", "tests/e2e", "--numprocesses", "auto", "--dist", "loadfile")
YIELDING = 10  # the niceness of what runs beside tests/e2e: it gets what is left


def main() -> int:
    """Run both; 0 if both pass."""
    BUILT.unlink(missing_ok=True)
    with tempfile.TemporaryFile() as output:
        end_to_end = start("tests/e2e")
        while end_to_end.poll() is None and not BUILT.exists():
            time.sleep(0.5)
        beside = end_to_end.poll() is None
        others = start(*OTHERS, niceness=YIELDING, output=output) if beside else start(*OTHERS)
        codes = [each.wait() for each in (end_to_end, others)]
        output.seek(0)
        sys.stdout.write(output.read().decode(errors="replace"))
    return int(any(codes))


def start(*arguments: str, niceness: int = 0, output: IO[bytes] | None = None) -> subprocess.Popen[bytes]:
    """Start pytest; its output goes to this one's, or to a file."""
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=output, preexec_fn=lambda: os.nice(niceness))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):  # which pytest was sent, too
        sys.exit(main())
    sys.exit(130)
