"""The files of CI tools are valid and ask for few rights; tests/e2e/test_ci.py runs their commands."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from forecastle.project import compose

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").iterdir())
GITLAB = ROOT / ".gitlab-ci.yml"
PINNED = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40}")
SECRET = re.compile(r"\$\{\{[^}]*\bsecrets\b|token", re.IGNORECASE)


def jobs(file: Path) -> dict[str, dict[str, Any]]:
    """The jobs of a workflow."""
    return yaml.safe_load(file.read_text())["jobs"]


@pytest.mark.parametrize(
    ("schema", "files"), [("vendor.github-workflows", WORKFLOWS), ("vendor.gitlab-ci", [GITLAB])]
)
def test_files_have_their_tools_schema(schema: str, files: list[Path]) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *files]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_may_write_nothing_but_images(file: Path) -> None:
    workflow = yaml.safe_load(file.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["group"]
    for name, job in jobs(file).items():
        pushes = any("make push" in step.get("run", "") for step in job["steps"])
        assert job.get("permissions") == ({"contents": "read", "packages": "write"} if pushes else None), name
        assert job["timeout-minutes"]
        # A branch that a stranger proposes is never pushed.
        assert ("github.ref == 'refs/heads/main'" in job.get("if", "")) is pushes


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_actions_are_pinned_and_leave_no_credentials(file: Path) -> None:
    steps = [step for job in jobs(file).values() for step in job["steps"] if "uses" in step]
    assert steps
    for step in steps:
        assert PINNED.fullmatch(step["uses"])
        assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_no_expression_is_pasted_into_a_script_and_only_the_login_gets_a_secret(file: Path) -> None:
    assert not SECRET.search(str(yaml.safe_load(file.read_text()).get("env", "")))
    for job in jobs(file).values():
        assert not SECRET.search(str(job.get("env", "")))
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")
            if SECRET.search(str(step.get("env", ""))):
                assert "docker login" in step["run"]


def test_the_models_that_are_retrained_are_forecasts() -> None:
    (retrain,) = [jobs(file)["retrain"] for file in WORKFLOWS if "retrain" in jobs(file)]
    gitlab = yaml.safe_load(GITLAB.read_text())["retrain"]["parallel"]["matrix"]
    models = retrain["strategy"]["matrix"]["model"]
    assert gitlab == [{"MODEL": models}]
    assert set(models) <= set(compose.models())
    for model in models:
        assert "forecastle.training" in (ROOT / "models" / model / "train.py").read_text()
