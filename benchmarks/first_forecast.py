"""What a newcomer waits for: `make run` in a fresh clone, until the page, a forecast and all models answer.

    .venv/bin/python benchmarks/first_forecast.py [--until first] [--bound 1800]

Clones what is committed here into a temporary folder, which is removed in the end. Packages come from where
uv or pip finds them, caches included: run it twice for the figures of a warm cache. All is asked by plain
HTTP, without a browser: the page is there when it and the list of models answer, a forecast when
`/{model}/forecast` does, and a model that forecasts nothing when it is ready.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAUSE = 0.2  # seconds between two looks
STOP_SECONDS = 60
STAGES = ("page", "first", "all")


def main(argv: Sequence[str] | None = None) -> None:
    """Print the seconds of each stage; exit code 1 if one is not reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--until", choices=STAGES, default="all", help="stop after this; by default all")
    parser.add_argument("--bound", type=float, default=1800, help="seconds after which to give up (1800)")
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # tidy up, too
    with tempfile.TemporaryDirectory(prefix="forecastle-") as folder:
        clone, log = Path(folder, "clone"), Path(folder, "log")
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        port = _free_port()
        inherited = {name: value for name, value in os.environ.items() if name != "FORECASTLE_DATA"}
        with log.open("wb") as output:
            start = time.monotonic()
            process = subprocess.Popen(
                ["make", "run", f"PORT={port}"],
                cwd=clone,
                env=inherited,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                _measure(f"http://127.0.0.1:{port}", process, start, options.until, options.bound)
            except (TimeoutError, ChildProcessError) as error:
                sys.exit(f"{error}; it printed last:\n{_tail(log)}")
            except KeyboardInterrupt:
                sys.exit(130)
            finally:
                _stop(process)


def _measure(url: str, process: subprocess.Popen[bytes], start: float, until: str, bound: float) -> None:
    """Wait for each stage, and print when it came.

    Raises:
        ChildProcessError: `make run` has ended, or a model that is waited for has failed.
        TimeoutError: A stage is not reached within the bound.
    """
    stages: dict[str, tuple[str, Callable[[], object]]] = {
        "page": ("page", lambda: _get(f"{url}/") and _models(url)),
        "first": ("first forecast", lambda: any(_forecasts(url, model) for model in _models(url))),
        "all": ("all models", lambda: _all_answer(url)),
    }
    for name, (words, reached) in stages.items():
        while not reached():
            if process.poll() is not None:
                raise ChildProcessError(f"`make run` has ended before the stage {words!r}")
            models = _models(url)
            failed = [model["model"] for model in models if model.get("status") == "failed"]
            if failed and (name == "all" or len(failed) == len(models)):
                raise ChildProcessError(f"{', '.join(failed)} failed")
            if time.monotonic() - start > bound:
                raise TimeoutError(f"the stage {words!r} is not reached after {bound:g} s")
            time.sleep(PAUSE)
        print(f"{words:16} {time.monotonic() - start:8.1f} s", flush=True)
        if name == until:
            return


def _get(address: str) -> bytes:
    """The answer; nothing if there is none, or it is a problem."""
    try:
        with urllib.request.urlopen(address, timeout=30) as response:
            return response.read()
    except OSError:  # among them HTTPError
        return b""


def _models(url: str) -> list[dict[str, Any]]:
    answer = _get(f"{url}/models")
    return json.loads(answer)["models"] if answer else []


def _forecasts(url: str, model: dict[str, Any]) -> bool:
    return model.get("kind") == "forecast" and bool(_get(f"{url}/{model['model']}/forecast"))


def _all_answer(url: str) -> bool:
    models = _models(url)
    ready = all(model["health"] == "ready" for model in models)
    return bool(models) and ready and all(one["kind"] == "plain" or _forecasts(url, one) for one in models)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _stop(process: subprocess.Popen[bytes]) -> None:
    """As Ctrl-C does; what does not end then is killed."""
    for number in (signal.SIGINT, signal.SIGKILL):
        if process.poll() is None:
            os.killpg(process.pid, number)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                continue


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-10:])


if __name__ == "__main__":
    main()
