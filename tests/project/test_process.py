"""process.py: a model in a process of its own is asked like any other, and says so when it does not start."""

import asyncio
import sys
from pathlib import Path

import httpx
import pytest

from forecastle.project.process import Process, StartError

MAIN = """
import os
from fastapi import FastAPI, Request

app = FastAPI()

@app.post("/echo")
async def echo(request: Request) -> list:
    return [(await request.body()).decode(), str(request.query_params), os.getcwd(), os.environ["COLOUR"]]
"""


def test_requests_reach_it_whole_and_it_stops(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(MAIN)
    process = Process("plain", tmp_path, Path(sys.executable), COLOUR="red")

    async def story() -> tuple[httpx.Response, httpx.Response]:
        await process.start()
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(process), base_url="http://test"
        ) as client:
            answered = await client.post("/echo?a=%C3%BC", content="grüße".encode())
            assert (await client.get("/nosuch")).status_code == 404
            process.stop()
            return answered, await client.get("/livez")

    answered, stopped = asyncio.run(story())
    assert answered.json() == ["grüße", "a=%C3%BC", str(tmp_path), "red"]
    assert (stopped.status_code, stopped.headers["retry-after"]) == (503, "5")
    assert process.server is not None and process.server.poll() == 0


def test_one_that_cannot_start_is_an_error_and_a_problem(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "main.py").write_text("1 / 0\n")
    process = Process("broken", tmp_path, Path(sys.executable))

    async def story() -> httpx.Response:
        with pytest.raises(StartError, match="its server has ended, see above"):
            await process.start()
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(process), base_url="http://test"
        ) as client:
            return await client.get("/")

    answer = asyncio.run(story())
    process.stop()
    assert answer.status_code == 503
    assert answer.json()["detail"] == "This model could not start: the terminal of `make run` shows why."
    assert "ZeroDivisionError" in capfd.readouterr().err
