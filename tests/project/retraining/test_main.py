"""forecastle.project.retraining: a better challenger replaces the incumbent; else all stays as it was."""

from pathlib import Path

import httpx
import pandas as pd
import pytest

from forecastle import observations
from forecastle.artifact import Artifact, sha256
from forecastle.catalogue.app import create_catalogue
from forecastle.catalogue.settings import Settings
from forecastle.catalogue.store.engine import Store
from forecastle.project import train
from forecastle.project.retraining import shadow
from forecastle.project.retraining.__main__ import main
from forecastle.sealing import verified

from ...conftest import MakeArtifact
from ...served import live
from ...tiny import CODES, KNOWN, LAST, NEW, NEW_DAYS, SALES, THROUGH, TRUTH, as_csv, made, sold
from ..conftest import Docker
from .conftest import Project


def test_a_better_challenger_replaces_the_incumbent_and_its_data_are_in_use(
    project: Project, incumbent, capfd: pytest.CaptureFixture[str]
) -> None:
    before = incumbent(10 * TRUTH)
    assert project.run() == 0
    after = Artifact.load(project.artifact)
    assert (before.data_through, after.data_through) == (THROUGH, LAST)
    retrained = after.manifest.retrained
    assert retrained["incumbent"] == before.version
    assert (retrained["first_day"], retrained["last_day"]) == ("2020-04-30", "2020-05-09")
    assert (retrained["series"], retrained["forecasts"]) == (len(CODES), len(CODES) * NEW_DAYS)
    assert retrained["wis"] < 0.1 * retrained["wis_incumbent"]
    # What is in use is what it was fitted to, and Make finds the artifact newer.
    assert after.manifest.data.sha256 == sha256(project.current)
    assert project.current.stat().st_mtime < (project.artifact / "manifest.json").stat().st_mtime
    assert [path.name for path in project.current.parent.iterdir()] == ["first-wave-2020.csv", "current.csv"]
    in_use = observations.read(project.current).frame
    assert len(in_use) == len(KNOWN) + len(NEW)
    printed = capfd.readouterr().out
    assert "held-out dates 2020-04-30 to 2020-05-09: 60 forecasts, 6 countries" in printed
    for name in ("challenger", "incumbent", "naive"):
        assert f"\n  {name}" in printed
    assert "tiny: the challenger goes on to the gate: its WIS is 0.0" in printed
    assert f"the challenger has replaced {before.version}" in printed

    assert project.run() == 0
    assert f"nothing is newer than {LAST}, so {after.version} stays" in capfd.readouterr().out


def test_a_worse_challenger_is_refused_and_all_stays(
    project: Project, incumbent, capfd: pytest.CaptureFixture[str]
) -> None:
    incumbent(TRUTH)
    project.train_with(factor=2)
    before = project.state()
    assert project.run() == 1
    assert project.state() == before
    (line,) = [line for line in capfd.readouterr().err.splitlines() if "refused" in line]
    assert line.startswith("tiny: the challenger is refused, its WIS is ")
    allowed = "at most 1.05 is allowed, and the interval must reach down to 1.01"
    assert line.endswith(f"; {allowed}; the incumbent and the data in use stay")


def test_a_challenger_that_fails_the_gate_is_refused_however_bad_the_incumbent(
    project: Project, incumbent, capfd: pytest.CaptureFixture[str]
) -> None:
    """Three days do not decide; the gate does, as the challenger forecasts worse than a naive forecast."""
    incumbent(100 * TRUTH)
    project.train_with(factor=5)
    project.received["body"] = as_csv(NEW[NEW["date"] <= pd.Timestamp(2020, 5, 2)]).encode()
    before = project.state()
    assert project.run() == 1
    assert project.state() == before
    printed = capfd.readouterr()
    assert "tiny: 3 held-out dates are fewer than 7, so the gate alone decides" in printed.out
    assert "wis_ratio is" in printed.err
    assert "refused, it does not pass the gate; the incumbent and the data in use stay" in printed.err


def test_code_that_fails_is_refused(project: Project, incumbent, capfd: pytest.CaptureFixture[str]) -> None:
    incumbent(TRUTH)
    (project.folder / "models/tiny/train.py").write_text("raise SystemExit('no such prior')\n")
    before = project.state()
    assert project.run() == 1
    assert project.state() == before
    assert "tiny: the challenger is refused, it cannot be fitted" in capfd.readouterr().err


@pytest.mark.parametrize("received", [NEW.head(0), KNOWN.tail(3)], ids=["none", "known days"])
def test_nothing_new_is_said_and_nothing_is_done(
    received: pd.DataFrame, project: Project, incumbent, capfd: pytest.CaptureFixture[str]
) -> None:
    version = incumbent(TRUTH).version
    project.received["body"] = as_csv(received).encode()
    before = project.state()
    assert project.run() == 0
    assert project.state() == before
    assert capfd.readouterr().out == f"tiny: nothing is newer than {THROUGH}, so {version} stays\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--url", "http://127.0.0.1:9"], "http://127.0.0.1:9/observations gives no observations ("),
        (
            ["--url", "http://ada:hunter2@127.0.0.1:9"],
            "http://127.0.0.1:9/observations gives no observations (",
        ),
        (["--url", "nowhere"], "nowhere/observations gives no observations ("),
        (["--file", "nosuch.csv"], "nosuch.csv is not there: check the path"),
        (["--file", "nosuch.csv", "--since", "May"], "SINCE=May is not a date such as 2020-04-24"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    arguments: list[str], message: str, project: Project, incumbent, capfd: pytest.CaptureFixture[str]
) -> None:
    incumbent(TRUTH)
    before = project.state()
    assert project.run(*arguments) == 1
    assert project.state() == before
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"tiny: {message}")


@pytest.fixture
def sales(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a weekly model that reads its own file, and has been trained."""
    monkeypatch.setenv("TAG", "no-such-tag")
    folder = tmp_path / "models/sales"
    (folder / "data").mkdir(parents=True)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/first-wave-2020.csv").write_text(as_csv(KNOWN))
    (folder / "train.py").write_text(SALES)
    (folder / "data/sales.csv").write_text(as_csv(sold("2019-01-05", 60, seed=1)))
    assert train.main(["sales"], tmp_path) == 0
    return folder


def test_a_model_with_its_own_file_gets_what_came_since(
    sales: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The gateway's catalogue keeps it, beside deaths."""
    root, store = sales.parents[1], Store(f"sqlite:///{tmp_path}/store.sqlite")
    app = create_catalogue({}, store, Settings(OBSERVATIONS_KEY="key"))
    before = Artifact.load(sales / "artifact")
    assert before.manifest.data.file == "sales.csv"
    default = (root / "data/first-wave-2020.csv").read_bytes()
    with live(app, lifespan="off") as url:
        arguments = ["sales", "--url", url]
        assert main(arguments, root) == 0
        assert f"nothing is newer than {before.data_through}" in capfd.readouterr().out
        for frame in (KNOWN, sold("2020-02-29", 6, seed=2)):
            headers = {"Authorization": "Bearer key", "Content-Type": "text/csv"}
            answer = httpx.post(f"{url}/observations", content=as_csv(frame), headers=headers)
            assert answer.status_code == 200, answer.text
            if frame is KNOWN:  # of another noun
                assert main(arguments, root) == 0
                assert "nothing is newer" in capfd.readouterr().out
        assert main(arguments, root) == 0
    printed = capfd.readouterr().out
    assert "held-out dates 2020-02-29 to 2020-04-04: 12 forecasts, 2 stores" in printed
    assert "sales: its data, up to 2020-04-04, are in use: models/sales/data/sales.csv" in printed
    after = Artifact.load(sales / "artifact")
    assert (before.data_through.isoformat(), after.data_through.isoformat()) == ("2020-02-22", "2020-04-04")
    assert (after.manifest.retrained or {})["series"] == 2
    assert after.manifest.data.sha256 == sha256(sales / "data/sales.csv")
    known = observations.read(sales / "data/sales.csv").frame
    assert list(known.columns) == ["date", "store", "name", "items", "holidays"]
    assert known.groupby("store")["items"].count().tolist() == [66, 66]
    assert [path.name for path in (root / "data").iterdir()] == ["first-wave-2020.csv"]
    assert (root / "data/first-wave-2020.csv").read_bytes() == default


def test_a_file_is_merged_into_the_models_own(
    sales: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new.csv").write_text(as_csv(sold("2020-02-22", 7, seed=2).drop(columns="holidays")))
    assert main(["sales", "--file", str(tmp_path / "new.csv")], tmp_path) == 0
    assert "held-out dates 2020-02-29 to 2020-04-04" in capfd.readouterr().out
    known = observations.read(sales / "data/sales.csv").frame
    assert known.groupby("store")[["items", "holidays"]].count().to_numpy().tolist() == [[66, 60]] * 2
    assert Artifact.load(sales / "artifact").data_through.isoformat() == "2020-04-04"


def test_a_refused_challenger_leaves_the_models_own_file(
    sales: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new.csv").write_text(as_csv(sold("2020-02-29", 6, seed=2)))
    (sales / "train.py").write_text(SALES.replace("FACTOR = 1", "FACTOR = 3"))
    before = (sales / "data/sales.csv").read_bytes(), Artifact.load(sales / "artifact").version
    assert main(["sales", "--file", str(tmp_path / "new.csv")], tmp_path) == 1
    assert "sales: the challenger is refused, its WIS is " in capfd.readouterr().err
    assert ((sales / "data/sales.csv").read_bytes(), Artifact.load(sales / "artifact").version) == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (as_csv(KNOWN), "the observations are of each country, and it forecasts each store"),
        (
            as_csv(sold("2021-01-02", 3, seed=1)).replace("items", "visits"),
            "the observations have no column items, which it forecasts",
        ),
    ],
)
def test_a_file_of_something_else_is_refused_in_a_line(
    content: str, message: str, sales: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other.csv").write_text(content)
    capfd.readouterr()
    assert main(["sales", "--file", str(tmp_path / "other.csv")], tmp_path) == 1
    assert capfd.readouterr().err == f"sales: {message}\n"


PLAIN = """from pathlib import Path

Path("artifact/constant").write_text(Path("data/constant").read_text())
"""
GATE = """from pathlib import Path

def test_the_constant_is_small():
    assert int(Path("artifact/constant").read_text()) < 10
"""


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a model that is no forecast, and has been trained."""
    monkeypatch.setenv("TAG", "no-such-tag")
    folder = tmp_path / "models/plain"
    (folder / "data").mkdir(parents=True)
    (tmp_path / "data").mkdir()
    for name, text in {"train.py": PLAIN, "main.py": "", "test_it.py": GATE, "data/constant": "7"}.items():
        (folder / name).write_text(text)
    assert train.main(["plain"], tmp_path) == 0
    return folder


def test_a_model_that_is_no_forecast_is_trained_anew_and_held_by_its_own_tests(
    plain: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = verified(plain / "artifact")
    (plain / "data/constant").write_text("8")
    assert main(["plain"], plain.parents[1]) == 0
    assert (plain / "artifact/constant").read_text() == "8"
    printed = capfd.readouterr()
    assert f"plain: what was trained anew has replaced {before}\n" in printed.out
    assert printed.out.endswith("plain: `make run` serves it, at once if it is running\n")


@pytest.mark.parametrize(
    ("file", "content", "line"),
    [
        ("data/constant", "80", "plain: its tests fail, and the last artifact stays"),
        ("train.py", "1 / 0", "plain: train.py failed, and the last artifact stays"),
        (
            "train.py",
            "",
            "plain: train.py left nothing in artifact/: let it save there what main.py loads; the",
        ),
    ],
)
def test_one_that_fails_is_a_line_and_the_old_one_stays(
    file: str, content: str, line: str, plain: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = verified(plain / "artifact")
    (plain / file).write_text(content)
    assert main(["plain"], plain.parents[1]) == 1
    assert capfd.readouterr().err.splitlines()[-1].startswith(line)
    assert verified(plain / "artifact") == before


def test_what_does_not_reach_a_model_that_is_no_forecast_is_said(
    plain: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (plain / "test_it.py").unlink()
    assert main(["plain", "--file", "new.csv"], plain.parents[1]) == 0
    said = capfd.readouterr().out
    assert "plain: it is no forecast, so FILE= does not reach it: its train.py says what it reads\n" in said
    assert "plain: it has no test_*.py, so nothing but its train.py can refuse what is new\n" in said
    (plain / "train.py").unlink()
    assert main(["plain"], plain.parents[1]) == 0
    assert capfd.readouterr().out == "plain: it has no train.py, so it stays as it is\n"


def test_an_ensemble_is_made_anew_of_its_members_as_they_are(
    plain: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root, script = plain.parents[1], '"""Its member\'s."""\nopen("artifact/x", "w").write("{}")\n'
    for name in ("other", "all"):
        plain.with_name(name).mkdir()
        (plain.with_name(name) / "main.py").touch()
        (plain.with_name(name) / "train.py").write_text(script.format(1))
    (plain.with_name("all") / "members").write_text("plain\nother\n")
    assert train.main(["all"], root) == 0
    before = verified(plain.with_name("all") / "artifact")
    (plain.with_name("all") / "train.py").write_text(script.format(2))
    assert main(["all", "--file", "new.csv"], root) == 0
    said = capfd.readouterr().out
    assert "all: it is not fitted, so FILE= does not reach it: retrain its members with it first\n" in said
    assert f"all: its members, combined anew, have replaced {before}\n" in said
    assert (plain.with_name("all") / "artifact/x").read_text() == "2"
    (plain.with_name("all") / "train.py").write_text("1 / 0")
    assert main(["all"], root) == 1
    assert (plain.with_name("all") / "artifact/x").read_text() == "2"


IMAGE_WITH = """case $1 in
    image | compose | rm) ;;
    create) echo 0123 ;;
    cp) cp -r '{artifact}' "$3" ;;
    *) exit 1 ;;
esac"""


def test_an_ensembles_image_whose_member_reads_its_own_file_is_refused_in_a_line(
    project: Project, make_artifact: MakeArtifact, docker: Docker, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its build would train the member with the file as it is, and new data would be in use of no model."""
    models = project.folder / "models"
    own = models / "other/data/deaths.csv"
    own.parent.mkdir(parents=True)
    own.write_text(as_csv(KNOWN))
    (models / "tiny/members").write_text("some\nother\n")
    docker(IMAGE_WITH.format(artifact=made(make_artifact, TRUTH, own.name, sha256(own))))
    before = project.state()
    for work in (main, shadow.main):
        assert work(["tiny", "--url", project.url], project.folder) == 1
        assert capfd.readouterr().err == (
            "tiny: its member other reads a file of its own, models/other/data/deaths.csv: "
            "run `make retrain` for each member and then `make build MODEL=tiny`\n"
        )
    assert project.state() == before
