"""The Makefile: what a user types, and what it answers."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from forecastle.project import compose

from .conftest import borrow_environment, take
from .index import Index, index, wheel
from .project.plain import TRAIN, model, processes
from .served import eventually, free_port

ROOT = Path(__file__).resolve().parents[1]


def make(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", *arguments],
        cwd=cwd,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout without environment, artifacts and network."""
    for name in ("Makefile", "docker-compose.yml"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("models", "shared", "data", "docker"):
        ignored = shutil.ignore_patterns("artifact", "__pycache__", "current.*")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    return tmp_path


def test_make_alone_lists_every_target_and_the_models() -> None:
    lines = make().stdout.splitlines()
    targets = {line.split()[1] for line in lines if line.startswith("make ")}
    makefile = (ROOT / "Makefile").read_text()
    (phony,) = [line for line in makefile.splitlines() if line.startswith(".PHONY")]
    assert targets == set(phony.split()[1:]) - {"known-model", "javascript"}
    assert any(line.startswith("models: ") and " ".join(compose.models()) in line for line in lines)


@pytest.mark.parametrize("target", ["train", "build"])
def test_an_unknown_model_is_one_clear_line(target: str) -> None:
    done = make(target, "MODEL=nosuch")
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert len(said) == 1
    assert said[0] == f"there is no model nosuch in models/: choose one of {' '.join(compose.models())}"


def test_observe_without_a_key_is_one_clear_line() -> None:
    done = make("observe", "FILE=data/first-wave-2020.csv", OBSERVATIONS_KEY="")
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert said == ["OBSERVATIONS_KEY is not set: it must be the key that the catalogue was started with"]


def test_build_without_an_engine_is_one_clear_line() -> None:
    done = make("build", "MODEL=deaths", DOCKER_HOST="unix:///nowhere.sock")
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert len(said) == 1 and said[0].startswith("no Docker Engine answers")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("changed", "BASE=nosuch"), "BASE=nosuch is no commit here: "),
        (("push", "REGISTRY="), "say where to with REGISTRY=, such as "),
        (
            ("push", "REGISTRY=localhost:1", "MODEL=nosuch"),
            "there is no model nosuch in models/: choose one of ",
        ),
    ],
)
def test_changed_and_push_without_what_they_need_are_one_clear_line(
    arguments: tuple[str, ...], line: str
) -> None:
    done = make(*arguments)
    assert done.returncode != 0
    assert done.stdout == ""
    said = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert len(said) == 1 and said[0].startswith(line)


def fake_python(folder: Path, version: str) -> None:
    """An interpreter that claims a version and, asked for an environment, says where it lies."""
    folder.mkdir(parents=True)
    old = tuple(map(int, version.split("."))) < (3, 12)
    script = folder / "python"
    script.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exit {int(old)}\necho "{folder} makes $4"\nexit 7\n')
    script.chmod(0o755)
    (folder / "python3").symlink_to(script)


def test_a_python_that_lies_only_in_a_pyenv_is_found(tree: Path, tmp_path: Path) -> None:
    fake_python(tmp_path / "bin", "3.11")
    for version in ("3.11.9", "3.12.4", "3.10.1"):
        fake_python(tmp_path / f"pyenv/versions/{version}/bin", version)
    path = f"{tmp_path / 'bin'}:/usr/bin:/bin"
    done = make(".venv/bin/python", cwd=tree, PATH=path, PYENV_ROOT=str(tmp_path / "pyenv"))
    assert done.stdout == f"{tmp_path}/pyenv/versions/3.12.4/bin makes .venv\n"


def test_without_a_fitting_python_one_line_says_what_to_install(tree: Path, tmp_path: Path) -> None:
    fake_python(tmp_path / "bin", "3.11")
    for name in ("python3.12", "python3.13", "python3.14"):  # as a pyenv's shims answer
        (tmp_path / "bin" / name).write_text("#!/bin/sh\nexit 127\n")
        (tmp_path / "bin" / name).chmod(0o755)
    path = f"{tmp_path / 'bin'}:/usr/bin:/bin"
    done = make("run", cwd=tree, PATH=path, PYENV_ROOT=str(tmp_path / "none"))
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert len(said) == 1
    assert said[0].startswith("Python 3.12 or newer, with venv, is needed: install it")


@pytest.mark.parametrize(("ci", "succeeds"), [("", True), ("true", False)])
def test_without_npm_javascript_is_said_not_to_be_checked(ci: str, succeeds: bool, tmp_path: Path) -> None:
    (tmp_path / "make").symlink_to(shutil.which("make") or "")
    done = make("javascript", PATH=str(tmp_path), CI=ci)
    assert (done.returncode == 0) is succeeds
    # Among the shell's own words: without any other program, Make cannot look for models either.
    line = "JavaScript was not checked, since there is no npm: install it (apt install npm)"
    assert done.stderr.splitlines().count(line) == 1


def test_new_makes_a_model_once_and_refuses_bad_names(tree: Path) -> None:
    borrow_environment(tree)
    assert make("new", "MODEL=flu-2", cwd=tree).returncode == 0
    assert "flu-2" in make(cwd=tree).stdout.splitlines()[-2]
    for name, message in {
        "flu-2": "models/flu-2 exists already",
        "Flu": "'Flu' is no name for a model",
        "docs": "'docs' is taken",
        "": "a model needs a name",
    }.items():
        done = make("new", f"MODEL={name}", cwd=tree)
        assert done.returncode != 0
        assert message in done.stderr


def test_new_makes_a_plain_model_that_trains_and_tests_as_it_stands(tree: Path) -> None:
    borrow_environment(tree)
    environment = {"PYTHONPATH": str(tree / "shared")}
    assert make("new", "MODEL=line", "KIND=plain", cwd=tree, **environment).returncode == 0
    done = make("train", "MODEL=line", cwd=tree, **environment)
    assert done.returncode == 0, done.stderr
    assert "1 passed" in done.stdout
    assert json.loads((tree / "models/line/artifact/manifest.json").read_text())["kind"] == "plain"


def test_run_serves_an_artifact_from_elsewhere_without_training(tree: Path) -> None:
    borrow_environment(tree)
    shutil.rmtree(tree / "models")
    (tree / "models").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(tree / "shared")}
    assert make("new", "MODEL=line", "KIND=plain", cwd=tree, **environment).returncode == 0
    (tree / "elsewhere").mkdir()
    (tree / "elsewhere/line.json").write_text('{"slope": 2, "intercept": 3.25}')
    port = free_port()
    command = ["make", "run", f"PORT={port}", "ARTIFACT=elsewhere", "MODEL=line"]
    options = {"cwd": tree, "env": environment, "stderr": subprocess.PIPE, "start_new_session": True}
    with subprocess.Popen(command, text=True, **options) as process:  # type: ignore[call-overload]
        try:
            url = f"http://localhost:{port}/line"
            eventually(lambda: process.poll() is not None or _answers(f"{url}/readyz"), seconds=90)
            assert httpx.post(f"{url}/predict", json={"x": 5}).json() == {"y": 13.25}
            assert list(httpx.get(f"{url}/manifest.json").json()["files"]) == ["line.json"]
        finally:
            os.killpg(process.pid, signal.SIGINT)
    assert not (tree / "models/line/artifact").exists()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.HTTPError:
        return False


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["ARTIFACT=x"], "say which model ARTIFACT= is for, with MODEL=: one of "),
        (
            ["ARTIFACT=nosuch.zip", "MODEL=diagnosis"],
            "diagnosis: ARTIFACT=nosuch.zip is not there: check the path",
        ),
    ],
)
def test_run_with_an_artifact_that_cannot_be_served_is_one_line(
    arguments: list[str], line: str, tree: Path
) -> None:
    borrow_environment(tree)
    done = make("run", f"PORT={free_port()}", *arguments, cwd=tree, PYTHONPATH=str(tree / "shared"))
    assert done.returncode != 0
    said = [each for each in done.stderr.splitlines() if not each.startswith("make")]
    assert len(said) == 1 and said[0].startswith(line)


def test_an_environment_that_was_copied_from_another_checkout_is_installed_anew(tree: Path) -> None:
    borrow_environment(tree)
    assert make("--question", ".venv/run", cwd=tree).returncode == 0
    (tree / ".venv/checkout").write_text("/some/other/checkout\n")
    assert make("--question", ".venv/run", cwd=tree).returncode == 1
    assert not (tree / ".venv/serve").exists()


@pytest.fixture(params=["uv", "pip"])
def fresh(request: pytest.FixtureRequest, tree: Path) -> Iterator["Fresh"]:
    """A fresh clone with a plain model that needs `soup` for its training, where uv or pip installs."""
    shutil.rmtree(tree / "models")
    model(tree, "line", f"{TRAIN}import soup\n")
    (tree / "index").mkdir()
    serving, training = (wheel(tree / "index", name, "1.0") for name in ("salt", "soup"))
    for lock in (tree / "shared").rglob("requirements*.txt"):
        lock.write_text(training if "train" in lock.name else serving)
    # What is served comes from the environment of these tests, as if it were Python's own.
    venv.create(tree / ".venv", symlinks=True, with_pip=False)
    packages = tree / ".venv" / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
    (packages / "tests.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    uv = Path(sys.executable).with_name("uv") if request.param == "uv" else ""
    with index(tree / "index") as packages_of:
        yield Fresh(tree, packages_of, packages_of.variables(tree / "kept", uv), request.param)


class Fresh(NamedTuple):
    """A clone, the index that its packages come from, and the variables that name it."""

    root: Path
    index: Index
    variables: dict[str, str]
    installer: str

    def markers(self) -> set[str]:
        """The steps of the installation that are done."""
        return {name for name in ("serve", "run") if (self.root / ".venv" / name).exists()}

    @contextmanager
    def run(self) -> Iterator[tuple[subprocess.Popen[str], str]]:
        """`make run`, and its address."""
        port = free_port()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        process = subprocess.Popen(
            ["make", "run", f"PORT={port}"],
            cwd=self.root,
            env={**inherited, **self.variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            yield process, f"http://localhost:{port}"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
            process.communicate(timeout=60)


def test_run_serves_while_what_training_needs_is_installed(fresh: Fresh) -> None:
    fresh.index.held = {"soup"}
    with fresh.run() as (_, url):
        eventually(lambda: _answers(f"{url}/"), seconds=90)
        eventually(lambda: any("soup" in name for name in fresh.index.asked), seconds=60)
        (entry,) = httpx.get(f"{url}/models").json()["models"]
        assert (entry["status"], entry["progress"]["step"]) == ("waiting", "installing packages")
        answer = httpx.get(f"{url}/line/value")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        detail = answer.json()["detail"]
        assert re.fullmatch(
            r"line has no artifact yet: installing packages \(\d+ s so far\) comes first\.", detail
        )
        assert fresh.markers() == {"serve"}
        fresh.index.go.set()
        eventually(lambda: _answers(f"{url}/line/value"), seconds=90)
        assert fresh.markers() == {"serve", "run"}
    installers = {path.parent.name: path.read_text().strip() for path in fresh.root.rglob("*/INSTALLER")}
    assert installers == {
        "salt-1.0.dist-info": fresh.installer,
        "soup-1.0.dist-info": fresh.installer,
    }
    assert processes(fresh.root) == []


@pytest.mark.parametrize(("held", "done"), [("salt", set()), ("soup", {"serve"})])
def test_ctrl_c_while_packages_are_installed_leaves_no_process_and_no_marker(
    held: str, done: set[str], fresh: Fresh
) -> None:
    fresh.index.held = {held}
    with fresh.run() as (process, _):
        eventually(lambda: any(held in name for name in fresh.index.asked), seconds=90)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert "Traceback" not in said
    eventually(lambda: processes(fresh.root) == [])
    assert fresh.markers() == done


def test_without_what_training_needs_the_page_says_so_in_a_line(fresh: Fresh) -> None:
    (fresh.root / "index/soup-1.0-py3-none-any.whl").unlink()
    with fresh.run() as (_, url):
        eventually(lambda: _answers(f"{url}/"), seconds=90)
        line = "what training needs cannot be installed: No matching distribution found for soup==1.0"
        eventually(
            lambda: httpx.get(f"{url}/models").json()["models"][0].get("verdict") == [line], seconds=90
        )
        assert _answers(f"{url}/")
    assert fresh.markers() == {"serve"}


@pytest.mark.parametrize("content", ["", "date,country\n2020-01-01,GBR\n"])
def test_bad_data_leave_those_in_use(content: str, tree: Path) -> None:
    borrow_environment(tree)
    (tree / "bad.csv").write_text(content)
    done = make("data", f"FILE={tree / 'bad.csv'}", cwd=tree, PYTHONPATH=str(tree / "shared"))
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert len(said) == 1 and said[0].startswith(str(tree / "bad.csv"))
    assert not (tree / "data/current.csv").exists()


def test_a_name_that_the_terminal_cannot_show_is_written_in_ascii(tree: Path) -> None:
    borrow_environment(tree)
    header, row = "Date_reported,Country_code,Country,New_cases,New_deaths", "2020-03-01,{},{},200,70"
    rows = [header, row.format("FR", "France"), row.format("", "其他"), ""]
    (tree / "who.csv").write_text("\n".join(rows), encoding="utf-8")
    ascii_alone = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONPATH": str(tree / "shared")}
    done = make("data", f"FILE={tree / 'who.csv'}", cwd=tree, **ascii_alone)
    assert done.returncode == 0, done.stderr
    assert r"rows of no country, left out: 1 (\u5176\u4ed6)" in done.stdout


def test_a_new_model_passes_the_contract_tests_as_it_stands(tree: Path) -> None:
    """Template, training and serving together: `make new` and nothing else.

    An image of the template's model has been trained already if there is an engine.
    """
    borrow_environment(tree)
    assert make("new", "MODEL=newcomer", cwd=tree).returncode == 0
    take(tree / "models/newcomer")
    (tree / "tests").mkdir()
    for name in ("tests/conftest.py", "tests/served.py", "tests/test_models.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tree / name)
    done = subprocess.run(
        [tree / ".venv/bin/python", "-m", "pytest", "-q", "tests/test_models.py", "-k", "[newcomer]"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree / "shared")},
        capture_output=True,
        text=True,
        timeout=3600,  # it trains, and a machine may have much else to do
    )
    assert done.returncode == 0, done.stdout


def test_ensembles_come_after_all_other_models(tree: Path) -> None:
    """Among them their members, whose artifacts they read."""
    for name, files in {
        "a-mean": ("main.py", "train.py", "members"),
        "zebra": ("main.py", "train.py"),
    }.items():
        (tree / "models" / name).mkdir()
        for file in files:
            (tree / "models" / name / file).touch()
    borrow_environment(tree)
    (looped,) = [
        line for line in make("--dry-run", "backtest", cwd=tree).stdout.splitlines() if "for model" in line
    ]
    models = looped.partition(" in ")[2].partition(";")[0].split()
    assert sorted(models) == compose.models(tree)
    assert models.index("a-mean") > models.index("zebra") > models.index("deaths")
