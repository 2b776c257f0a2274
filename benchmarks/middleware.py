"""What metrics and traces cost a request, against the same app without them, in the same run.

    .venv/bin/python benchmarks/middleware.py
    .venv/bin/python benchmarks/middleware.py --scrape http://localhost:8080/deaths/metrics ...

The app answers 4 kB that lie ready, as the hot routes do. Each variant is a server of one worker on real
sockets, and asked in turn, round after round, over connections that are kept; with every request come the
headers that the gateway sends. A ratio is a variant's over the plain app's of the same round: the median of
all rounds, with the least and the largest. Processor time is the server's alone (user and system), so that it
does not matter how fast this client is.

With `--scrape` it tells instead how long Prometheus would wait for these addresses and how much it would get.
"""

import argparse
import asyncio
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx

from forecastle.runtime.resources import usage

CONNECTIONS = 8
MAIN = """
from fastapi import FastAPI, Response

app = FastAPI()
BODY = b"x" * 4096

@app.get("/countries/{code}/forecast")
async def forecast(code: str, days: int = 14) -> Response:
    return Response(BODY, media_type="application/json")
"""
PLAIN = """
import os, sys
from forecastle.runtime.server import ForecastleWorker, Server, load_app

sys.path.insert(0, "")
settings = {"bind": os.environ["BIND"], "worker_class": ForecastleWorker, "control_socket_disable": True}
Server(load_app(), settings | {"loglevel": "warning"}).run()
"""
PATH = "/countries/GBR/forecast?days=7"


def traces(ratio: str, receiver: str) -> dict[str, str]:
    """The variables with which so many traces are sent."""
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver,
        "OTEL_TRACES_SAMPLER": "traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": ratio,
    }


@dataclass
class Variant:
    """A server, and what each round found: requests a second, and seconds of its processor time a request."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    rates: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)

    def cpu(self) -> float:
        """Seconds that master and worker have used so far."""
        used = [usage(pid) for pid in (self.process.pid, *_children(self.process.pid))]
        return sum(each.cpu for each in used if each)

    async def measure(self, requests: int) -> None:
        """Ask that many times."""
        before, started = self.cpu(), time.perf_counter()
        await asyncio.gather(*(self._ask(requests // CONNECTIONS) for _ in range(CONNECTIONS)))
        done = requests // CONNECTIONS * CONNECTIONS
        self.rates.append(done / (time.perf_counter() - started))
        self.costs.append((self.cpu() - before) / done)

    async def _ask(self, requests: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        for _ in range(requests):
            one = os.urandom(16).hex()
            writer.write(
                f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: {one}\r\n"
                f"traceparent: 00-{one}-{one[:16]}-01\r\n\r\n".encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            await reader.readexactly(int(length.split()[1]))
        writer.close()
        await writer.wait_closed()


@contextmanager
def served(folder: Path, name: str, arguments: Sequence[str], **variables: str) -> Iterator[Variant]:
    """A server of the app in this folder, once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"BIND": f"127.0.0.1:{port}", "LOG_LEVEL": "warning"} | variables
    process = subprocess.Popen([sys.executable, *arguments], cwd=folder, env=environment)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}{PATH}").raise_for_status()
                break
            except httpx.TransportError:
                if process.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"the server of {name} does not start")
                time.sleep(0.05)
        yield Variant(name, port, process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


@contextmanager
def receiver() -> Iterator[str]:
    """The address of a receiver of traces that throws them away."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def compare(requests: int, rounds: int) -> None:
    """Measure every variant and print the table."""
    monitored = ("-m", "forecastle.runtime.server")
    with tempfile.TemporaryDirectory() as scratch, receiver() as address:
        folder = Path(scratch)
        (folder / "main.py").write_text(MAIN)
        with (
            served(folder, "plain app", ("-c", PLAIN)) as plain,
            served(folder, "metrics, ids, logs", monitored) as metrics,
            served(folder, "and traces, 1 %", monitored, **traces("0.01", address)) as one,
            served(folder, "and traces, 10 %", monitored, **traces("0.1", address)) as ten,
            served(folder, "and traces, all", monitored, **traces("1", address)) as all_of_them,
        ):
            variants = (plain, metrics, one, ten, all_of_them)
            for number in range(rounds + 1):
                for variant in variants:
                    asyncio.run(variant.measure(requests))
                if number == 0:  # to warm up
                    for variant in variants:
                        variant.rates.clear()
                        variant.costs.clear()
    print(f"{rounds} rounds of {requests} requests, {CONNECTIONS} connections\n")
    print(f"{'':20}{'requests/s':>11}{'of plain':>22}{'CPU µs':>9}{'plain over it':>22}")
    for variant in variants:
        rates = [rate / base for rate, base in zip(variant.rates, plain.rates, strict=True)]
        costs = [base / cost for cost, base in zip(variant.costs, plain.costs, strict=True)]
        rate, cost = statistics.median(variant.rates), 1e6 * statistics.median(variant.costs)
        print(f"{variant.name:20}{rate:11.0f}{_spread(rates):>22}{cost:9.0f}{_spread(costs):>22}")


def scrape(urls: Sequence[str], rounds: int) -> None:
    """Time what Prometheus would do every few seconds."""
    total_seconds, total_bytes = 0.0, 0
    for url in urls:
        seconds = []
        for _ in range(rounds + 1):
            started = time.perf_counter()
            answer = httpx.get(url, headers={"Accept": "application/openmetrics-text; version=1.0.0"})
            seconds.append(time.perf_counter() - started)
        answer.raise_for_status()
        series = sum(not line.startswith("#") for line in answer.text.splitlines())
        size, middle = len(answer.content), statistics.median(seconds[1:])
        spread = f"{1000 * min(seconds[1:]):.1f} to {1000 * max(seconds[1:]):.1f}"
        print(f"{url}: {1000 * middle:.1f} ms ({spread}), {size} bytes, {series} series")
        total_seconds, total_bytes = total_seconds + middle, total_bytes + size
    print(f"all {len(urls)}: {1000 * total_seconds:.1f} ms, {total_bytes} bytes")


def _children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if stat.read_text().rpartition(")")[2].split()[1] == str(pid):
                found.append(int(stat.parent.name))
        except OSError:  # it has ended meanwhile
            continue
    return found


def _spread(ratios: Sequence[float]) -> str:
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What metrics and traces cost a request.")
    parser.add_argument("--requests", type=int, default=8000, help="of each variant in a round (8000)")
    parser.add_argument("--rounds", type=int, default=7, help="(7)")
    parser.add_argument("--scrape", nargs="+", metavar="URL", help="addresses of /metrics to time instead")
    options = parser.parse_args()
    if options.scrape:
        scrape(options.scrape, options.rounds)
    else:
        compare(options.requests, options.rounds)
