"""Requests a second and p99 of a model's hot routes, beside plain FastAPI that answers the same bytes.

    .venv/bin/python benchmarks/throughput.py deaths
    .venv/bin/python benchmarks/throughput.py
    GATEWAY=http://localhost:8080 .venv/bin/python benchmarks/throughput.py deaths

Without a model there is a synthetic one, of 92 countries, 2000 draws and 28 days. Model and plain FastAPI are
served here by the server of the images, with one worker: the model's app with all middleware, and an app of
plain FastAPI whose route returns the bytes that the model answers. wrk (Debian's package) loads one after the
other, round by round, so that whatever else the machine does meets both. A ratio is of requests a second,
model over plain FastAPI in the same round: the median of the rounds, the least and the greatest.

Some routes are asked for the same again and again, which the model keeps. In others every request has a level
or a threshold that was never asked for.

With GATEWAY the former are asked of that gateway too: past its cache (as are requests that carry
`Authorization`), out of its cache, and by a client that has the answer (`If-None-Match`, status 304).
"""

import argparse
import datetime
import multiprocessing
import os
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
from fastapi import FastAPI, Response
from starlette.types import ASGIApp

from forecastle.artifact import Artifact, ArtifactError, Manifest, write
from forecastle.runtime import server

ROOT = Path(__file__).resolve().parents[1]
NEW = "0.%09d"  # in a URL: a number below 1 that no other request has
ASK_ANEW = """
local number = {start}
request = function()
    number = number + 1
    return wrk.format("GET", string.format("{path}", number))
end
"""
SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


@dataclass(frozen=True)
class Load:
    """What wrk measured: requests a second, and the seconds within which 99 of 100 were answered."""

    rate: float
    p99: float


@dataclass(frozen=True)
class Target:
    """What is asked; in `url` may be `NEW`."""

    name: str
    url: str
    headers: tuple[str, ...] = ()


def main() -> None:
    """Print a table for each route."""
    parser = argparse.ArgumentParser(prog="benchmarks/throughput.py")
    parser.add_argument("model", nargs="?", help="a folder of models/ that has an artifact")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=5, help="of load in each round")
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args()
    if not shutil.which("wrk"):
        sys.exit("wrk makes the load, and is not here: apt install wrk")
    with ExitStack() as stack:
        if options.model:
            folder = ROOT / "models" / options.model
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "synthetic"
            synthesise(folder)
        try:
            artifact = Artifact.load(folder / "artifact")
        except ArtifactError as error:
            sys.exit(str(error))
        code, country = next(iter(artifact.series.items()))
        tomorrow = country.origin_date + datetime.timedelta(1)
        start, of_country = f"/{folder.name}", f"/{folder.name}/countries/{code}"
        levels = f"level=0.5&level=0.8&level={NEW}"
        paths = {
            "forecast": f"{of_country}/forecast",
            "forecast, levels never asked before": f"{of_country}/forecast?{levels}",
            "probability": f"{of_country}/probability?peak_by={country.origin_date}",
            "probability, never asked before": f"{of_country}/probability?above={NEW}&on={tomorrow}",
            "/forecast": f"{start}/forecast",
            "/forecast, levels never asked before": f"{start}/forecast?days=28&{levels}",
        }
        model = stack.enter_context(serving(folder))
        for name, path in paths.items():
            answer = httpx.get(model + path.replace(NEW, "0.95"), timeout=30).raise_for_status()
            with serving(None, {path.partition("?")[0]: answer}) as plain:
                targets = [Target("plain FastAPI", plain + path), Target("model", model + path)]
                if NEW not in path:
                    targets += of_gateway(os.environ.get("GATEWAY", "").rstrip("/"), path)
                rounds = [
                    {target.name: load(target, options.seconds, options.connections) for target in targets}
                    for _ in range(options.rounds)
                ]
            size = f"{len(answer.content):,} bytes"
            print(f"\n{name}: {path} ({size}), {options.rounds} rounds of {options.seconds} s", flush=True)
            report(rounds)


def synthesise(folder: Path, countries: int = 92, draws: int = 2000, horizon: int = 28) -> None:
    """Make a model's folder with an artifact of draws that nobody fitted."""
    rng = np.random.default_rng(1)
    origin, day = datetime.date(2020, 6, 8), datetime.timedelta(1)
    days = [origin - before * day for before in reversed(range(90))]
    codes = [f"{first}{second}X" for first in "ABCD" for second in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"][:countries]
    manifest = {
        **{
            "model": folder.name,
            "title": "Synthetic",
            "target": "daily deaths",
            "unit": "deaths",
            "measure": "deaths",
        },
        **{"cumulative": False, "reference": False, "horizon": horizon},
        **{"created": "2020-06-09T06:00:00+00:00", "seed": 1, "training_seconds": 0.0},
        "data": {"file": "none", "sha256": "0" * 64, "last_day": str(origin), "changes": []},
        "series": {
            code: {"name": code, "first_day": str(days[0]), "origin_date": str(origin), "total": 9000}
            for code in codes
        },
        **{"excluded": {}, "versions": {}, "diagnostics": {"bounds": {}, "worst": {}}, "backtest": None},
    }
    means = rng.lognormal(3, 1.5, (1, countries, 1))
    drawn = rng.negative_binomial(3, 3 / (3 + means), (draws, countries, horizon))
    with write(folder / "artifact", Manifest.of(manifest)) as scratch:
        np.save(scratch / "draws.npy", drawn.astype(np.float32))
        rows = [f"{day},{code},100" for code in codes for day in days]
        (scratch / "observations.csv").write_text("\n".join(["date,country,observed", *rows]) + "\n")
        (scratch / "parameters.json").write_text("{}")
        (scratch / "backtest.json").write_text("null")
        np.savez(scratch / "backtest.npz")
        (scratch / "posterior.nc").touch()
        (scratch / "card.html").touch()
    (folder / "main.py").write_text(
        "from forecastle.artifact import Artifact\nfrom forecastle.service import create_app\n\n"
        'app = create_app(Artifact.load("artifact"))\n'
    )


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
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"]
    command += ["--latency", "--timeout", "10s"]
    command += [part for header in target.headers for part in ("--header", header)]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        if NEW in target.url:
            host, path = re.fullmatch("(https?://[^/]+)(/.*)", target.url).groups()  # type: ignore[union-attr]
            script.write(ASK_ANEW.format(start=random.randrange(1, 10**9 - 10**7), path=path))
            script.flush()
            command += ["--script", script.name, host]
        else:
            command.append(target.url)
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx or 3xx" in output or "Socket errors" in output:
        sys.exit(f"some requests to {target.url} failed:\n{output}")
    rate = re.search(r"Requests/sec: +([\d.]+)", output)
    p99 = re.search(r"99% +([\d.]+)([a-z]+)", output)
    if not rate or not p99:
        sys.exit(f"wrk's output has no rate or no p99:\n{output}")
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
        async def respond() -> Response:
            return Response(body, media_type=media_type)

    for path, answer in answers.items():
        add(path, answer)
    return app


if __name__ == "__main__":
    main()
