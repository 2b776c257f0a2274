"""The packages that locks pin, checked by their hashes: uv installs them where it is there, pip otherwise.

`UV` names a uv that is not on the PATH; if it is empty, or uv fails, pip installs. The Makefile runs this in
the environment that is to have the packages:

    python -m forecastle.project.packages .venv/run "what training needs" LOCK...

The marker `.venv/run` is touched when all packages are in. It needs only the standard library.
"""

import argparse
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

FROM_LOCKS = ("install", "--require-hashes")
LONGEST_REASON = 300  # characters


class PackagesError(Exception):
    """Packages cannot be installed; the message is one line."""


def install(python: Path, locks: Sequence[Path], *, compiled: bool = True, quiet: bool = True) -> None:
    """Install what locks pin.

    Args:
        python: The interpreter of the environment that is to have the packages.
        locks: Files of pins with hashes.
        compiled: Whether to compile all modules now, and not each when it is first imported.
        quiet: Whether pip, which takes its time, shows nothing of what it does.

    Raises:
        PackagesError: They cannot be installed.
    """
    requirements = [f"--requirement={lock}" for lock in locks]
    if uv := _uv():
        options = ["--compile-bytecode"] if compiled else []
        try:
            _run([uv, "pip", *FROM_LOCKS, f"--python={python}", *options, *requirements])
            return
        except PackagesError as error:
            print(f"uv fails, so pip is tried: {error}", file=sys.stderr, flush=True)
    _ensure_pip()
    pip = [sys.executable, "-m", "pip", *([] if python == Path(sys.executable) else [f"--python={python}"])]
    options = ["--disable-pip-version-check", *([] if compiled else ["--no-compile"])]
    _run([*pip, *FROM_LOCKS, *options, *(["--quiet"] if quiet else []), *requirements])


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m forecastle.project.packages", description="Install what locks pin."
    )
    parser.add_argument("marker", type=Path, help="touched when all packages are in")
    parser.add_argument("what", help="what they are, in words")
    parser.add_argument("locks", type=Path, nargs="+")
    parser.add_argument("--quick", action="store_true", help="compile modules only when they are imported")
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop uv or pip, too
    try:
        with _turn(Path(sys.prefix)):
            if not _is_current(options.marker, options.locks):
                print(f"installing {options.what} into {options.marker.parent}", flush=True)
                _mend(Path(sysconfig.get_path("purelib")))
                install(
                    Path(sys.executable),
                    options.locks,
                    compiled=not options.quick,
                    quiet=not sys.stdout.isatty(),
                )
                if not options.quick:
                    _ensure_pip()  # for what users add
                options.marker.touch()
    except (PackagesError, OSError) as error:
        print(f"{options.what} cannot be installed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


@contextmanager
def _turn(home: Path) -> Iterator[None]:
    """Wait until no other installation runs in an environment, and let the next one wait for this."""
    descriptor = os.open(home, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_current(marker: Path, locks: Sequence[Path]) -> bool:
    """Whether another installation has done it meanwhile."""
    return marker.exists() and all(lock.stat().st_mtime <= marker.stat().st_mtime for lock in locks)


def _mend(packages: Path) -> None:
    """Forget packages of which an installation that was killed left a part.

    Both uv and pip write INSTALLER after the package, and would take such a part for the whole.
    """
    for known in packages.glob("*.dist-info"):
        if not (known / "INSTALLER").is_file():
            shutil.rmtree(known)


def _uv() -> str | None:
    """The program, if it is there.

    Raises:
        PackagesError: `UV` names none.
    """
    name = os.environ.get("UV", "uv")
    found = shutil.which(name)
    if name and not found and "UV" in os.environ:
        raise PackagesError(f"UV={name} is no program: let it name uv, or be empty for pip")
    return found


def _ensure_pip() -> None:
    """Python brings pip along."""
    if not any(metadata.distributions(name="pip")):
        _run([sys.executable, "-m", "ensurepip", "--default-pip"], stdout=subprocess.DEVNULL)


def _run(command: Sequence[str], stdout: int | None = None) -> None:
    """Run a command to its end, also if this is interrupted.

    Raises:
        PackagesError: It fails.
    """
    process = subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE, text=True, errors="replace")
    try:
        _, said = process.communicate()
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    if process.returncode < 0:
        raise PackagesError(f"the installer was killed ({signal.Signals(-process.returncode).name})")
    if process.returncode:
        raise PackagesError(_reason(said))


def _reason(said: str) -> str:
    """The last error that uv or pip printed, as one line."""
    error = re.split(r"^(?:ERROR|error):|×", said, flags=re.MULTILINE)[-1]
    line = " ".join(re.sub(r"[╰─▶│]", " ", error).split())[:LONGEST_REASON]
    unreachable = "Retrying (" in said and "; the index of packages did not answer"
    return f"{line}{unreachable or ''}"


if __name__ == "__main__":
    sys.exit(main())
