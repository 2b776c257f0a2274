"""fetch.py: an artifact from a path, a server or S3 comes whole and verified, or not at all."""

import contextlib
import http.server
import os
import shutil
import socket
import tarfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from forecastle import sealing
from forecastle.project import archive as archives
from forecastle.project import fetch as fetching
from forecastle.project.fetch import FetchError, fetch, shown

from ..conftest import MakeArtifact, tamper
from ..served import Quiet, listening

FILES = {"model.json": b"{}", "layers/1.bin": b"1"}
Address = Callable[[Path], str]


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    """An artifact of `flu` that was trained elsewhere, without a manifest."""
    for name, content in FILES.items():
        path = tmp_path / "elsewhere/artifact" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "elsewhere/artifact"


def seal(artifact: Path, model: str = "flu") -> None:
    sealing.seal(artifact.parent, artifact.parent, model, 1)


def pack(artifact: Path) -> Path:
    return Path(shutil.make_archive(str(artifact), "gztar", artifact.parent, artifact.name))


def files(folder: Path) -> dict[str, bytes]:
    found = [path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@contextlib.contextmanager
def web(folder: Path) -> Iterator[str]:
    """A web server of a folder."""

    class Files(Quiet, http.server.SimpleHTTPRequestHandler):
        pass

    with listening(partial(Files, directory=folder)) as port:  # type: ignore[arg-type]
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """An S3 with a bucket `models`, which `AWS_*` lead to."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    names = {"ACCESS_KEY_ID": "ada", "SECRET_ACCESS_KEY": "secret", "DEFAULT_REGION": "us-east-1"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**names, "ENDPOINT_URL": url}.items():
            patch.setenv(f"AWS_{name}", value)
        boto3.client("s3").create_bucket(Bucket="models")
        yield url
    server.stop()


def put(folder: Path, prefix: str) -> None:
    """Upload a folder to the bucket."""
    for path in (each for each in folder.rglob("*") if each.is_file()):
        boto3.client("s3").upload_file(path, "models", f"{prefix}/{path.relative_to(folder).as_posix()}")


@pytest.mark.parametrize("address", [str, lambda path: f"file://{path}", lambda path: f"file:{path}"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_path_is_copied(address: Address, packed: bool, artifact: Path, tmp_path: Path) -> None:
    fetch("flu", address(pack(artifact) if packed else artifact), tmp_path / "new/artifact")
    assert files(tmp_path / "new/artifact") == FILES
    assert os.listdir(tmp_path / "new") == ["artifact"]


def test_what_links_of_a_folder_lead_to_is_copied(artifact: Path, tmp_path: Path) -> None:
    """As in a cache of large files."""
    (artifact / "model.json").rename(tmp_path / "blob")
    (artifact / "model.json").symlink_to(tmp_path / "blob")
    fetch("flu", str(artifact), tmp_path / "artifact")
    assert not (tmp_path / "artifact/model.json").is_symlink()
    assert files(tmp_path / "artifact") == FILES


def test_an_archive_is_downloaded(artifact: Path, tmp_path: Path) -> None:
    seal(artifact)
    pack(artifact)
    with web(artifact.parent) as url:
        fetch("flu", f"{url}/artifact.tar.gz?token=secret", tmp_path / "artifact")
    assert files(tmp_path / "artifact") == FILES
    assert sealing.verified(tmp_path / "artifact")


@pytest.mark.parametrize("packed", [False, True])
def test_s3_gives_a_folder_or_an_archive(packed: bool, s3: str, artifact: Path, tmp_path: Path) -> None:
    seal(artifact)
    if packed:
        pack(artifact)
        put(artifact.parent, "packed")
    else:
        put(artifact, "flu/v3")
        put(artifact, "flu/v30")  # begins alike
        boto3.client("s3").put_object(Bucket="models", Key="flu/v3/layers/")  # as a console makes a folder
    fetch("flu", f"s3://models/{'packed/artifact.tar.gz' if packed else 'flu/v3'}", tmp_path / "artifact")
    assert files(tmp_path / "artifact") == FILES
    assert sealing.verified(tmp_path / "artifact")


def test_a_key_that_leads_out_of_the_folder_is_refused(s3: str, tmp_path: Path) -> None:
    boto3.client("s3").put_object(Bucket="models", Key="escapes/../../out", Body=b"x")
    with pytest.raises(FetchError, match="flu: ARTIFACT=s3://models/escapes "):
        fetch("flu", "s3://models/escapes", tmp_path / "sub/artifact")
    assert files(tmp_path) == {}


def test_a_forecast_is_verified_as_one(make_artifact: MakeArtifact, tmp_path: Path) -> None:
    folder = make_artifact("flu")
    fetch("flu", str(folder), tmp_path / "artifact")
    (folder / "draws.npy").unlink()
    with pytest.raises(FetchError, match=r"is refused: draws\.npy is missing: train the model again$"):
        fetch("flu", str(folder), tmp_path / "again")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda folder: (folder / "model.json").write_text("[]"),
            "is refused: model.json is not what training wrote (SHA-256)",
        ),
        (
            lambda folder: tamper(folder, files={}),
            "was changed since its manifest was written: 'layers/1.bin' is not",
        ),
        (
            lambda folder: tamper(folder, model="cold"),
            "is an artifact of 'cold', as its manifest says: take it with that MODEL=",
        ),
        (
            lambda folder: tamper(folder, schema_version=99),
            "is refused: manifest.json has schema version 99, newer than",
        ),
        (
            lambda folder: (folder / "extra.pkl").touch(),
            "was changed since its manifest was written: 'extra.pkl' is not",
        ),
        (lambda folder: tamper(folder, files=7), "holds a manifest.json that is no manifest"),
        (lambda folder: tamper(folder, files=["x"]), "holds a manifest.json that is no manifest"),
        (
            lambda folder: (folder / "manifest.json").write_text("[]"),
            "is refused: manifest.json is not a manifest",
        ),
        (
            lambda folder: [shutil.rmtree(folder), folder.mkdir()],
            "holds no files: give the folder whose files",
        ),
        (lambda folder: shutil.rmtree(folder), "is not there: check the path"),
    ],
)
def test_what_is_not_the_artifact_of_this_model_is_one_line(
    change: Callable[[Path], object], message: str, artifact: Path, tmp_path: Path
) -> None:
    seal(artifact)
    change(artifact)
    with pytest.raises(FetchError) as refused:
        fetch("flu", str(artifact), tmp_path / "new/artifact")
    line = str(refused.value)
    assert line.startswith(f"flu: ARTIFACT={artifact} {message}") and "\n" not in line
    assert os.listdir(tmp_path / "new") == []


def test_addresses_that_do_not_answer_or_hold_something_else_are_one_line(s3: str, tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "web/page.html").write_text("<html>Log in</html>")
    with socket.socket() as nobody, web(tmp_path / "web") as url:
        nobody.bind(("127.0.0.1", 0))
        silent = f"http://ada:hunter2@127.0.0.1:{nobody.getsockname()[1]}/flu.zip?key=secret"
        lines = {
            silent: "cannot be fetched: Cannot connect to host",
            f"{url}/nosuch.zip": "cannot be fetched: there is nothing at this address",
            f"{url}/page.html": "is no archive: give a folder, or a .tar.gz or .zip of one",
            "s3://models/nosuch": "cannot be fetched: there is nothing at this address",
            "s3://nosuch/flu": "cannot be fetched: ",
            "gs://models/flu": "cannot be fetched: it must be a path, or begin with file:, https:, ",
            "https://": "cannot be fetched: ",
        }
        for address, reason in lines.items():
            with pytest.raises(FetchError) as refused:
                fetch("flu", address, tmp_path / "new/artifact")
            line = str(refused.value)
            assert line.startswith(f"flu: ARTIFACT={shown(address)} {reason}")
            assert "\n" not in line and "hunter2" not in line and "secret" not in line
    assert os.listdir(tmp_path / "new") == []


def test_a_server_that_asks_who_it_is_is_told_and_a_refusal_is_its_status(
    artifact: Path, tmp_path: Path
) -> None:
    content = pack(artifact).read_bytes()

    class Private(Quiet):
        def do_GET(self) -> None:
            known = self.headers.get("Authorization") == "Basic YWRhOmh1bnRlcjI="  # ada:hunter2
            self.send_response(200 if known else 401)
            self.end_headers()
            self.wfile.write(content if known else b"")

    with listening(Private) as port:
        fetch("flu", f"http://ada:hunter2@127.0.0.1:{port}/flu", tmp_path / "artifact")
        with pytest.raises(FetchError, match=r"the server answers 401$"):
            fetch("flu", f"http://ada:other@127.0.0.1:{port}/flu", tmp_path / "another")
    assert files(tmp_path / "artifact") == FILES


def test_a_download_without_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(Quiet):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                while True:
                    self.wfile.write(bytes(2**20))

    monkeypatch.setattr(fetching, "Limit", partial(archives.Limit, largest=2**24))
    with listening(Endless) as port, pytest.raises(FetchError, match=r"holds more than 0\.015625 GiB"):
        fetch("flu", f"http://127.0.0.1:{port}/flu", tmp_path / "artifact")


def test_the_command_is_one_line_and_an_exit_code(
    artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetching.main(["flu", str(artifact), str(tmp_path / "artifact")]) == 0
    assert fetching.main(["flu", str(tmp_path / "x"), str(tmp_path / "y"), "--named", "v3.zip"]) == 1
    assert capsys.readouterr().err == "flu: ARTIFACT=v3.zip is not there: check the path\n"


def test_a_tar_of_a_folder_with_a_link_is_refused(artifact: Path, tmp_path: Path) -> None:
    (artifact / "passwd").symlink_to("/etc/passwd")
    with tarfile.open(tmp_path / "flu.tar", "w") as archive:
        archive.add(artifact, "artifact")
    with pytest.raises(FetchError, match=r"'artifact/passwd', which is neither a file nor a folder$"):
        fetch("flu", str(tmp_path / "flu.tar"), tmp_path / "artifact")
