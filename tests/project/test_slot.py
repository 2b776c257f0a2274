"""slot.py: the newest artifact that can be served is served, without a restart."""

import asyncio
import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import numpy as np
import pytest

from forecastle import manifest
from forecastle.catalogue.models import Status
from forecastle.project import train
from forecastle.project.slot import Slot, load
from forecastle.project.trainings import Trainings

from ..conftest import DRAWS, HORIZON, NAMES, MakeArtifact
from .plain import TRAIN, model

SHAPE = (DRAWS, len(NAMES), HORIZON)
FORECAST = """
from pathlib import Path

from forecastle.artifact import Artifact
from forecastle.service import create_app

app = create_app(Artifact.load(Path(__file__).with_name("artifact")))
"""
HELPED = """
from fastapi import FastAPI
from helper import NAME
from prometheus_client import Counter

NAMED = Counter("named", "How often the name was asked for.")
app = FastAPI()
"""

Get = Callable[[str], Awaitable[httpx.Response]]


def run(slot: Slot, story: Callable[[Get], Awaitable[None]]) -> None:
    """Let the slot serve while the story is told."""

    async def told() -> None:
        transport = httpx.ASGITransport(slot)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            task = asyncio.create_task(slot.run())
            try:
                await story(client.get)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    asyncio.run(told())


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0.05)


def slot_of(root: Path, name: str) -> Slot:
    return Slot(name, root / ".cache/run" / name, Trainings([], root / "trainings", root), root)


def put(artifact: Path, folder: Path) -> None:
    """Let a copy of an artifact replace the model's, as training does."""
    shutil.copytree(artifact, folder / "new")
    manifest.put(folder / "new", folder / "artifact")


def test_a_forecast_answers_when_there_is_an_artifact_and_follows_it(
    make_artifact: MakeArtifact, tmp_path: Path
) -> None:
    folder = model(tmp_path, "flu", main=FORECAST)
    slot = slot_of(tmp_path, "flu")
    versions = [make_artifact("flu", draws=np.full(SHAPE, value)) for value in (1, 2)]

    async def story(get: Get) -> None:
        answer = await get("/flu/")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert answer.headers["content-type"] == "application/problem+json"
        assert slot.status() == Status(status="starting")
        for artifact in versions:
            put(artifact, folder)
            version = manifest.read(artifact)["version"]

            async def served(version: str = version) -> bool:
                return (await get("/flu/")).json().get("version") == version

            await until(served)
            assert slot.status() == Status()
            metrics = (await get("/flu/metrics")).text
            assert f'version="{version}"' in metrics

        async def only_one_is_kept() -> bool:
            return len(list((tmp_path / ".cache/run/flu").iterdir())) == 1

        await until(only_one_is_kept)

    assert len({manifest.read(artifact)["version"] for artifact in versions}) == 2
    run(slot, story)
    assert list((tmp_path / ".cache/run/flu").iterdir()) == []


def test_a_folder_that_was_renamed_serves_under_its_new_name(
    make_artifact: MakeArtifact, tmp_path: Path
) -> None:
    folder = model(tmp_path, "fever", main=FORECAST)
    put(make_artifact("flu"), folder)
    slot = slot_of(tmp_path, "fever")

    async def story(get: Get) -> None:
        async def served() -> bool:
            return (await get("/fever/")).status_code == 200

        await until(served)
        answer = await get("/fever/countries/GBR/forecast")
        assert answer.json()["model"] == "fever" and "flu" not in answer.text
        assert (await get("/fever/v2/models/fever")).json()["name"] == "fever"
        assert 'model="fever"' in (await get("/fever/metrics")).text

    run(slot, story)
    assert manifest.read(folder / "artifact")["model"] == "flu"


def test_an_artifact_that_cannot_be_served_leaves_the_one_before(
    make_artifact: MakeArtifact, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = model(tmp_path, "flu", main=FORECAST)
    slot = slot_of(tmp_path, "flu")
    good, other = make_artifact("flu"), make_artifact("flu", draws=np.zeros(SHAPE))
    put(good, folder)

    async def story(get: Get) -> None:
        async def answers() -> bool:
            return (await get("/flu/")).status_code == 200

        await until(answers)
        (other / "draws.npy").write_bytes(b"broken")
        put(other, folder)

        async def failed() -> bool:
            return slot.status().status == "failed"

        await until(failed)
        (line,) = slot.status().verdict or []
        assert "draws.npy is not what training wrote (SHA-256): train the model again" in line
        answer = await get("/flu/")
        assert answer.json()["version"] == manifest.read(good)["version"]
        assert (await get("/flu/posterior.nc")).status_code == 200  # whose file is kept, too
        put(good, folder)

        async def mended() -> bool:
            return slot.status() == Status()

        await until(mended)

    run(slot, story)
    assert "the one before is served" in capfd.readouterr().err


def test_a_training_that_failed_is_past_once_there_is_a_newer_artifact(
    make_artifact: MakeArtifact, tmp_path: Path
) -> None:
    folder = model(tmp_path, "flu", main=FORECAST)
    put(make_artifact("flu"), folder)
    slot = slot_of(tmp_path, "flu")
    failed = slot.trainings.by_model["flu"] = Status(status="failed", verdict=["no convergence"])

    async def story(get: Get) -> None:
        async def answers() -> bool:
            return (await get("/flu/")).status_code == 200

        await until(answers)
        assert slot.status() == failed  # since what answers is older
        put(make_artifact("flu"), folder)

        async def is_past() -> bool:
            return slot.status() == Status()

        await until(is_past)

    run(slot, story)


def test_a_plain_model_has_a_process_of_its_own_and_follows_its_artifact(tmp_path: Path) -> None:
    folder = model(tmp_path, "constant")
    slot = slot_of(tmp_path, "constant")

    async def story(get: Get) -> None:
        for value in ("1", "2"):
            (folder / "train.py").write_text(TRAIN.replace("1", value))
            await asyncio.to_thread(train.train, "constant", tmp_path)

            async def served(value: str = value) -> bool:
                answer = await get("/constant/value")
                return answer.status_code == 200 and answer.json() == value

            await until(served)

    run(slot, story)


def test_an_app_that_fails_is_said_to_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (model(tmp_path, "broken", main="1 / 0\n") / "train.py").unlink()
    slot = slot_of(tmp_path, "broken")

    async def story(get: Get) -> None:
        async def failed() -> bool:
            return slot.status().status == "failed"

        await until(failed)
        answer = await get("/broken/value")
        assert answer.status_code == 503
        assert answer.json()["detail"] == "broken is not served: its server has ended, see above"
        assert answer.json()["training"] == {
            "status": "failed",
            "verdict": ["its server has ended, see above"],
        }
        assert "retry-after" not in answer.headers
        await asyncio.sleep(1.5)  # longer than it takes to look again

    run(slot, story)
    assert capfd.readouterr().err.count("broken: its server has ended, see above; it is not served") == 1


def test_loading_leaves_no_module_behind(tmp_path: Path) -> None:
    apps = []
    for name in ("one", "two"):
        folder = model(tmp_path, name, main=HELPED)
        (folder / "helper.py").write_text(f"NAME = {name!r}")
        apps.append(load(folder))
    assert apps[0][0] is not apps[1][0]
    assert not {"main", "helper"} & sys.modules.keys()
    assert str(tmp_path / "models/one") not in sys.path
    for _, own in apps:
        assert "named" in {metric.name for metric in own.collect()}
