"""archive.py: what comes from elsewhere is unpacked below one folder, or refused."""

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from forecastle.project.archive import ArchiveError, Limit, unpack

Pack = Callable[[Path, dict[str, bytes]], None]


def tar(path: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def pack_zip(path: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def found(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


both = pytest.mark.parametrize("pack", [tar, pack_zip], ids=["tar", "zip"])


@both
@pytest.mark.parametrize("top", ["", "v3/"])
def test_the_files_of_the_one_folder_at_its_top_are_the_artifact(
    pack: Pack, top: str, tmp_path: Path
) -> None:
    pack(tmp_path / "archive", {f"{top}model.json": b"{}", f"{top}layers/1": b"1"})
    artifact = unpack(tmp_path / "archive", tmp_path / "unpacked", Limit())
    assert found(artifact) == {"model.json": b"{}", "layers/1": b"1"}


def test_an_artifact_of_one_folder_keeps_it_if_the_top_is_a_member(tmp_path: Path) -> None:
    """As `tar czf flu.tar.gz -C artifact .` packs it."""
    (tmp_path / "artifact/model").mkdir(parents=True)
    (tmp_path / "artifact/model/1").write_bytes(b"1")
    with tarfile.open(tmp_path / "archive", "w") as archive:
        archive.add(tmp_path / "artifact", ".")
    assert found(unpack(tmp_path / "archive", tmp_path / "unpacked", Limit())) == {"model/1": b"1"}


def test_what_macos_puts_beside_the_files_is_left_out(tmp_path: Path) -> None:
    pack_zip(tmp_path / "archive", {"artifact/model.json": b"{}", "__MACOSX/artifact/._model.json": b"x"})
    assert found(unpack(tmp_path / "archive", tmp_path / "unpacked", Limit())) == {"model.json": b"{}"}


@both
@pytest.mark.parametrize("name", ["../out", "/tmp/out", "artifact/../../out"])
def test_no_path_leads_out_of_the_folder(pack: Pack, name: str, tmp_path: Path) -> None:
    pack(tmp_path / "archive", {name: b"x"})
    with pytest.raises(ArchiveError, match="which lies outside its folder"):
        unpack(tmp_path / "archive", tmp_path / "sub/unpacked", Limit())
    assert list(found(tmp_path)) == ["archive"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_a_tar_holds_neither_links_nor_devices(kind: bytes, tmp_path: Path) -> None:
    member = tarfile.TarInfo("artifact/passwd")
    member.type, member.linkname = kind, "/etc/passwd"
    with tarfile.open(tmp_path / "archive", "w:gz") as archive:
        archive.addfile(member)
    with pytest.raises(ArchiveError, match="'artifact/passwd', which is neither a file nor a folder"):
        unpack(tmp_path / "archive", tmp_path / "unpacked", Limit())


def test_a_zip_holds_no_links(tmp_path: Path) -> None:
    member = zipfile.ZipInfo("artifact/passwd")
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "archive", "w") as archive:
        archive.writestr(member, "/etc/passwd")
    with pytest.raises(ArchiveError, match="'artifact/passwd', which is neither a file nor a folder"):
        unpack(tmp_path / "archive", tmp_path / "unpacked", Limit())


@both
def test_its_size_has_a_bound_however_small_it_is_packed(pack: Pack, tmp_path: Path) -> None:
    pack(tmp_path / "archive", {"a": bytes(2**20), "b": bytes(2**20)})
    with pytest.raises(ArchiveError, match=r"holds more than 0\.00146484 GiB"):
        unpack(tmp_path / "archive", tmp_path / "unpacked", Limit(largest=3 * 2**19))
    with pytest.raises(ArchiveError, match="holds more than 1 files"):
        unpack(tmp_path / "archive", tmp_path / "again", Limit(most=1))


@both
def test_a_broken_archive_and_one_that_is_none_are_said_to_be(pack: Pack, tmp_path: Path) -> None:
    pack(tmp_path / "archive", {"a": bytes(range(256)) * 64, "b": b"b"})
    content = bytearray((tmp_path / "archive").read_bytes())
    content[60:70] = bytes(10)
    (tmp_path / "archive").write_bytes(content)
    with pytest.raises(ArchiveError, match=r"^(cannot be unpacked \(|is no archive)"):
        unpack(tmp_path / "archive", tmp_path / "unpacked", Limit())
    (tmp_path / "archive").write_text("<html>Log in</html>")
    with pytest.raises(ArchiveError, match=r"^is no archive: give a folder, or a \.tar\.gz or \.zip of one$"):
        unpack(tmp_path / "archive", tmp_path / "another", Limit())


@both
def test_a_name_that_comes_twice_is_refused(pack: Pack, tmp_path: Path) -> None:
    pack(tmp_path / "archive", {"artifact/a": b"1", "artifact/./a": b"2"})
    with pytest.raises(ArchiveError, match=r"^cannot be unpacked"):
        unpack(tmp_path / "archive", tmp_path / "unpacked", Limit())
