"""Every command of the files of CI tools but lint and tests, as these tools run it, against a real registry.

In a small project with its own history: `line` is a plain model, and `tiny` a forecast that is fitted in
seconds. A tool gets a registry's namespace, and what its jobs push is looked for there.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from forecastle.project import changed

from ..tiny import KNOWN, LAST, NEW, TRAIN, as_csv
from .conftest import ROOT, Project, Registry, copy_without_models, run

pytestmark = pytest.mark.engine

NOTHING = 40 * "0"


def github() -> dict[str, list[dict[str, Any]]]:
    """By job, the steps with a command: what it is, and its variables."""
    files = [yaml.safe_load(file.read_text()) for file in (ROOT / ".github/workflows").iterdir()]
    jobs = {name: job for file in files for name, job in file["jobs"].items()}
    return {
        name: [
            {"run": step["run"], "env": job.get("env", {}) | step.get("env", {})}
            for step in job["steps"]
            if "run" in step
        ]
        for name, job in jobs.items()
    }


def gitlab() -> dict[str, list[dict[str, Any]]]:
    """By job, its script, which is one; what readies its machine, and where its engine is, are left out."""
    jobs = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text())
    return {
        name: [{"run": "\n".join(job["script"]), "env": {}}]
        for name, job in jobs.items()
        if isinstance(job, dict) and "script" in job
    }


@dataclass
class Tool(Project):
    """A CI tool in a checkout: it has logged in nowhere before its jobs do."""

    name: str = ""
    registry: Registry = field(default_factory=lambda: Registry("", 0))

    @property
    def environment(self) -> dict[str, str]:
        home = self.folder / ".cache/docker"  # of the login, which is of no other test
        return super().environment | {"DOCKER_CONFIG": str(home), "PYTHONPATH": str(self.folder / "shared")}

    @property
    def namespace(self) -> str:
        return f"{self.registry.address}/{self.name}"

    def job(self, name: str, base: str = NOTHING, check: bool = True, **variables: str) -> str:
        """Run a job's commands, with the values that the tool would give; returns what they print."""
        given = {
            "BASE": base,
            "CI_COMMIT_BEFORE_SHA": base,
            "CI_MERGE_REQUEST_DIFF_BASE_SHA": base,
            "REGISTRY": self.namespace,
            "CI_REGISTRY_IMAGE": self.namespace,
            "CI_REGISTRY": self.registry.address,
            **{f"{prefix}REGISTRY_USER": Registry.USER for prefix in ("", "CI_")},
            **{f"{prefix}REGISTRY_PASSWORD": Registry.PASSWORD for prefix in ("", "CI_")},
            "DATA_FILE": str(self.folder / "new.csv"),
            "MODEL": "tiny",
        }
        printed = ""
        for step in (github if self.name == "github" else gitlab)()[name]:
            of_gitlab = [key for key in given if key.startswith("CI_") or key == "DATA_FILE"]
            names = step["env"] if self.name == "github" else of_gitlab
            environment = {key: given[key] for key in names} | variables
            command = ("bash", "-e", "-o", "pipefail", "-c", step["run"])
            done = self.run(*command, environment=environment, check=check, timeout=1800)
            printed += done.stdout
            if done.returncode:
                break
        return printed

    def tags(self, image: str) -> dict[str, str]:
        return self.registry.tags(f"{self.name}/forecastle/{image}")

    def commit(self) -> str:
        """Commit everything; returns the commit before."""
        git = ("git", "-c", "user.name=A", "-c", "user.email=a@example.org")
        self.run(*git, "add", "--all")
        self.run(*git, "commit", "--quiet", "--message=x")
        return self.run("git", "rev-parse", "--verify", "--quiet", "HEAD^", check=False).stdout.strip()

    def forget(self) -> None:
        """Remove all images here, as another machine has none; an incumbent that was pulled has no tag."""
        listed = run("docker", "image", "ls", "--format", "{{.ID}} {{.Repository}}").stdout.splitlines()
        images = [line.split()[0] for line in listed if line.split()[1].startswith(f"{self.namespace}/")]
        if images:
            run("docker", "image", "rm", "--force", *sorted(set(images)))


@pytest.fixture(scope="module", params=["github", "gitlab"])
def tool(
    request: pytest.FixtureRequest, registries: dict[str, Registry], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Tool]:
    """A tool with all images pushed, by its own job of a first commit."""
    folder = tmp_path_factory.mktemp(request.param)
    copy_without_models(folder)
    for name in (".dockerignore", ".gitignore"):
        shutil.copy(ROOT / name, folder)
    tool = Tool(folder, name=request.param, registry=registries["closed"])
    (folder / "data/first-wave-2020.csv").write_text(as_csv(KNOWN))
    (folder / "new.csv").write_text(as_csv(KNOWN))
    tool.make("new", "MODEL=tiny")
    tool.make("new", "MODEL=line", "KIND=plain")
    (folder / "models/tiny/train.py").write_text(TRAIN)
    tool.run("git", "init", "--quiet")
    tool.commit()
    try:
        tool.job("push")
        yield tool
    finally:
        tool.forget()
        shutil.rmtree(folder / ".cache", ignore_errors=True)


def test_every_job_is_run_here_but_that_of_lint_and_tests() -> None:
    for jobs in (github(), gitlab()):
        assert set(jobs) == {"check", "build", "push", "retrain"}
        checked = [command for step in jobs["check"] for command in step["run"].splitlines()]
        assert checked == ["make lint", "make test"]


def test_a_build_sees_what_make_changed_takes_it_to_see(engine: None, tmp_path: Path) -> None:
    """By Docker's own reading of .dockerignore."""
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    known = [PurePosixPath(name) for name in run("git", "ls-files", cwd=ROOT).stdout.splitlines()]
    for path in known:
        (tmp_path / "context" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "context" / path).touch()
    shutil.copy(ROOT / ".dockerignore", tmp_path / "context")
    out = f"type=local,dest={tmp_path / 'seen'}"
    dockerfile = str(tmp_path / "Dockerfile")
    run("docker", "buildx", "build", "--output", out, "--file", dockerfile, tmp_path / "context", timeout=300)
    seen = {path.relative_to(tmp_path / "seen") for path in (tmp_path / "seen").rglob("*") if path.is_file()}
    rules = changed.dockerignore(ROOT)
    assert seen == {Path(path) for path in known if changed.is_seen(path, rules)}
    assert 50 < len(seen) < len(known)


def test_a_first_commit_pushes_everything(tool: Tool) -> None:
    for image in ("line", "tiny", "gateway", "catalogue"):
        tags = tool.tags(image)
        assert tool.tag in tags and len(tags) == 2 and len(set(tags.values())) == 1


def test_a_proposal_builds_what_it_touches_and_pushes_nothing(tool: Tool) -> None:
    before = tool.tags("line")
    main = tool.folder / "models/line/main.py"
    main.write_text(main.read_text() + "\n# A proposal.\n")
    printed = tool.job("build", tool.commit())
    assert f"forecastle/line:{tool.tag} is built" in printed and "forecastle/tiny:" not in printed
    assert tool.tags("line") == before


def test_a_change_of_main_pushes_what_it_touches(tool: Tool) -> None:
    before = {image: tool.tags(image) for image in ("line", "tiny")}
    train = tool.folder / "models/line/train.py"
    train.write_text(train.read_text() + "\n# Accepted.\n")
    tool.forget()
    printed = tool.job("push", tool.commit())
    assert f"{tool.namespace}/forecastle/line@sha256:" in printed and "forecastle/tiny@" not in printed
    assert tool.tags("line")[tool.tag] != before["line"][tool.tag]
    assert tool.tags("tiny") == before["tiny"]


def test_a_base_that_is_gone_builds_and_pushes_nothing(tool: Tool) -> None:
    printed = tool.job("push", "0123456789abcdef", check=False)
    assert "BASE=0123456789abcdef is no commit here" in printed and "is built" not in printed


def test_retraining_pushes_what_passes_and_nothing_else(tool: Tool) -> None:
    train: Path = tool.folder / "models/tiny/train.py"
    before = tool.tags("tiny")
    (tool.folder / "new.csv").write_text(as_csv(KNOWN) + as_csv(NEW).partition("\n")[2])
    tool.forget()  # the incumbent is in the registry alone

    train.write_text(TRAIN.replace("FACTOR = 1", "FACTOR = 2"))
    printed = tool.job("retrain", check=False, MODEL="tiny")
    train.write_text(TRAIN)
    assert "tiny: the challenger is refused, its WIS is " in printed
    assert tool.tags("tiny") == before

    tool.forget()
    os.unlink(tool.folder / "data/current.csv")
    printed = tool.job("retrain", MODEL="tiny")
    assert "tiny: the challenger has replaced " in printed
    assert f"{tool.namespace}/forecastle/tiny@{tool.tags('tiny')[tool.tag]}" in printed
    (version,) = set(tool.tags("tiny")) - set(before)
    assert version.startswith(LAST.isoformat())
