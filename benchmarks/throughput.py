"""Requests a second and p99 of a model's hot routes, beside plain FastAPI that answers the same bytes.

    .venv/bin/python benchmarks/throughput.py deaths
    GATEWAY=http://localhost:8080 .venv/bin/python benchmarks/throughput.py deaths

Both are served here by the server of the images, with one worker: the model's app with all middleware, and an
app of plain FastAPI whose route returns the bytes that the model answers. wrk (Debian's package) loads one
after the other, round by round, so that whatever else the machine does meets both. A ratio is of requests a
second, model over plain FastAPI in the same round: the median of the rounds, the least and the greatest.

With GATEWAY the same routes are asked of that gateway too: past its cache (as are requests that carry
`Authorization`), out of its cache, and by a client that has the answer (`If-None-Match`, status 304).
"""

import argparse
import multiprocessing
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from fastapi import FastAPI, Response
from starlette.types import ASGIApp

from forecastle.artifact import Artifact, ArtifactError
from forecastle.runtime import server

ROOT = Path(__file__).resolve().parents[1]
SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


@dataclass(frozen=True)
class Load:
    """What wrk measured: requests a second, and the seconds within which 99 of 100 were answered."""

    rate: float
    p99: float


@dataclass(frozen=True)
class Target:
    """What is asked."""

    name: str
    url: str
    headers: tuple[str, ...] = ()


def main() -> None:
    """Print a table for each route."""
    parser = argparse.ArgumentParser(prog="benchmarks/throughput.py")
    parser.add_argument("model", help="a folder of models/ that has an artifact")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=5, help="of load in each round")
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args()
    if not shutil.which("wrk"):
        sys.exit("wrk makes the load, and is not here: apt install wrk")
    folder = ROOT / "models" / options.model
    try:
        artifact = Artifact.load(folder / "artifact")
    except ArtifactError as error:
        sys.exit(str(error))
    country = next(iter(artifact.countries))
    day = artifact.countries[country].origin_date
    paths = {
        "forecast": f"/{options.model}/countries/{country}/forecast",
        "probability": f"/{options.model}/countries/{country}/probability?peak_by={day}",
        "/forecast": f"/{options.model}/forecast",
    }
    with ExitStack() as stack:
        model = stack.enter_context(serving(folder))
        answers = {path.partition("?")[0]: httpx.get(model + path) for path in paths.values()}
        plain = stack.enter_context(serving(None, answers))
        for name, path in paths.items():
            targets = [
                Target("plain FastAPI", plain + path),
                Target("model", model + path),
                *of_gateway(os.environ.get("GATEWAY", "").rstrip("/"), path),
            ]
            rounds = [
                {target.name: load(target, options.seconds, options.connections) for target in targets}
                for _ in range(options.rounds)
            ]
            size = len(answers[path.partition("?")[0]].content)
            print(f"\n{name}: {path} ({size:,} bytes), {options.rounds} rounds of {options.seconds} s")
            report(rounds)


def of_gateway(gateway: str, path: str) -> Iterator[Target]:
    """The ways in which a gateway may answer; none without one."""
    if gateway:
        etag = httpx.get(gateway + path).headers["ETag"]
        yield Target("gateway, uncached", gateway + path, ("Authorization: none",))
        yield Target("gateway, cached", gateway + path)
        yield Target("gateway, 304", gateway + path, (f"If-None-Match: {etag}",))


def report(rounds: list[dict[str, Load]]) -> None:
    """Medians over the rounds, and the ratios with their spread."""
    print(f"{'':20}{'requests/s':>12}{'p99 in ms':>12}   ratio to plain FastAPI")
    for name in rounds[0]:
        rate, p99 = (
            statistics.median(getattr(one[name], what) for one in rounds) for what in ("rate", "p99")
        )
        ratios = [one[name].rate / one["plain FastAPI"].rate for one in rounds]
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"{name:20}{rate:12,.0f}{p99 * 1000:12.2f}   {spread}")


def load(target: Target, seconds: int, connections: int) -> Load:
    """Ask for so many seconds, over so many connections at once."""
    headers = [part for header in target.headers for part in ("--header", header)]
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"]
    command += ["--latency", *headers, target.url]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx or 3xx" in told or "Socket errors" in told:
        sys.exit(f"{target.url} was not answered as it should be:\n{told}")
    rate = re.search(r"Requests/sec: +([\d.]+)", told)
    p99 = re.search(r"99% +([\d.]+)([a-z]+)", told)
    if not rate or not p99:
        sys.exit(f"wrk told something else:\n{told}")
    return Load(float(rate[1]), float(p99[1]) * SECONDS[p99[2]])


@contextmanager
def serving(folder: Path | None, answers: dict[str, httpx.Response] | None = None) -> Iterator[str]:
    """The address of a server of the model in that folder, or else of plain FastAPI with those answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    process = multiprocessing.get_context("fork").Process(target=serve, args=(address, folder, answers))
    process.start()
    try:
        for _ in range(300):
            try:
                httpx.get(f"http://{address}/readyz")
                break
            except httpx.TransportError:
                time.sleep(0.1)
        else:
            sys.exit(f"the server at {address} does not start")
        yield f"http://{address}"
    finally:
        process.terminate()
        process.join(10)


def serve(address: str, folder: Path | None, answers: dict[str, httpx.Response] | None) -> None:
    """Serve until a signal says to stop."""
    os.environ |= {"BIND": address, "WORKERS": "1", "LOG_LEVEL": "warning"}
    if folder is not None:
        os.environ["MODEL"] = folder.name
        os.chdir(folder)
        sys.path.insert(0, str(folder))
        server.main()
        return
    settings = {"bind": address, "worker_class": server.ForecastleWorker, "loglevel": "warning"}
    server.Server(plain(answers or {}), {**settings, "control_socket_disable": True}).run()


def plain(answers: dict[str, httpx.Response]) -> ASGIApp:
    """An app of FastAPI alone, with a route for each path that returns the bytes of an answer."""
    app = FastAPI()

    def add(path: str, answer: httpx.Response) -> None:
        body, media_type = answer.content, answer.headers["Content-Type"]

        @app.get(path)
        async def told() -> Response:
            return Response(body, media_type=media_type)

    for path, answer in answers.items():
        add(path, answer)
    return app


if __name__ == "__main__":
    main()
