"""retraining/shadow.py where there is nothing to do; what is Docker's to do is in tests/e2e."""

from pathlib import Path

import pytest

from forecastle.project.retraining.shadow import main
from forecastle.sealing import seal

from ...conftest import MakeArtifact
from ..conftest import Docker

DOCKER = """case "$*" in
    "compose ps --quiet --status running shadow") echo 0123456789ab ;;
    "inspect --format {{json .Config.Env}} 0123456789ab") echo '["PATH=/venv/bin","MODEL=flu-shadow"]' ;;
    *) echo "unknown: $*" >&2; exit 1 ;;
esac"""


@pytest.fixture
def root(tmp_path: Path, docker: Docker) -> Path:
    """A project in which Docker says that the shadow of `flu` runs."""
    (tmp_path / "data").mkdir()
    docker(DOCKER)
    return tmp_path


def test_one_shadow_runs_at_a_time(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deaths"], root) == 1
    assert capsys.readouterr().err == (
        "deaths: flu has a shadow, and only one can run: stop it with `make shadow MODEL=flu STOP=1`\n"
    )


def test_a_shadow_needs_something_beside_it(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flu"], root) == 1
    assert capsys.readouterr().err.startswith(
        "flu: there is no artifact and no image to replace: `make train`"
    )
    assert list((root / "data").iterdir()) == []


def test_a_model_that_is_no_forecast_has_no_shadow(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = root / "models/flu"
    (folder / "artifact").mkdir(parents=True)
    (folder / "artifact/constant").write_text("7")
    seal(folder, folder, "flu", 0)
    assert main(["flu"], root) == 1
    assert capsys.readouterr().err == "flu: it is no forecast, so there is nothing to score a shadow by\n"


def test_a_file_of_another_noun_is_no_shadows(
    root: Path, make_artifact: MakeArtifact, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a model reads of its own folder is the noun's, too."""
    (root / "models").mkdir()
    make_artifact("flu").parent.rename(root / "models/flu")
    (root / "models/flu/data.csv").write_text("date,country,deaths\n")
    (root / "sold.csv").write_text("date,store,deaths\n2020-04-20,s1,3\n")
    assert main(["flu", "--file", str(root / "sold.csv")], root) == 1
    assert capsys.readouterr().err == (
        "flu: the observations are of each store, and it forecasts each country\n"
    )


def test_without_a_shadow_there_is_nothing_to_promote(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deaths", "--promote"], root) == 1
    assert capsys.readouterr().err == "deaths: it has no shadow: `make shadow MODEL=deaths` makes one\n"


def test_ending_what_does_not_run_is_no_error(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deaths", "--stop"], root) == 0
    assert capsys.readouterr().out == "deaths: no shadow runs any more\n"


@pytest.mark.parametrize("arguments", [[], ["--stop"]])
def test_without_an_engine_it_is_one_line(
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    monkeypatch.setenv("PATH", f"{tmp_path}")  # no docker command either
    assert main(["deaths", *arguments], tmp_path) == 1
    assert capsys.readouterr().err.startswith("deaths: the docker command cannot be run: No such file")
