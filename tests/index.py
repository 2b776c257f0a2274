"""Packages without dependencies, and an index of them that answers when a test lets it."""

import hashlib
import os
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .served import Quiet, listening


def wheel(folder: Path, name: str, version: str) -> str:
    """Write a package of one empty module into a folder: the line of a lock that pins it."""
    info, file = f"{name}-{version}.dist-info", folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}\n"


class Index:
    """An index of the wheels in a folder.

    Attributes:
        folder: Where they lie.
        asked: The files that were asked for.
        held: The names of packages that are kept back until `go` is set.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, 0
        self.asked: list[str] = []
        self.held: set[str] = set()
        self.go = threading.Event()

    def variables(self, scratch: Path, uv: Path | str) -> dict[str, str]:
        """What makes uv and pip ask this index alone, and keep nothing but in a scratch folder."""
        url = f"http://127.0.0.1:{self.port}/simple"
        pip = {"PIP_INDEX_URL": url, "PIP_CONFIG_FILE": os.devnull, "PIP_CACHE_DIR": str(scratch / "pip")}
        nothing = {"PIP_FIND_LINKS": "", "PIP_EXTRA_INDEX_URL": ""}
        cache = {"UV_DEFAULT_INDEX": url, "UV_NO_CONFIG": "1", "UV_CACHE_DIR": str(scratch / "uv")}
        return {**pip, **nothing, **cache, "UV": str(uv)}


@contextmanager
def index(folder: Path) -> Iterator[Index]:
    """An index that answers at a port of this machine."""
    made = Index(folder)

    class Handler(Quiet):
        def do_GET(self) -> None:
            kind, name = self.path.strip("/").split("/")[-2:]
            wheels = sorted(made.folder.glob(f"{name}-*.whl" if kind == "simple" else name))
            if kind == "files" and self.command == "GET":
                made.asked.append(name)
                if name.split("-")[0] in made.held:
                    made.go.wait()
            links = "".join(f'<a href="/files/{path.name}">{path.name}</a>' for path in wheels)
            body = links.encode() if kind == "simple" else wheels[0].read_bytes()
            self.send_response(200 if wheels else 404)
            self.send_header("Content-Type", "text/html" if kind == "simple" else "application/zip")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # uv asks so, too

        def finish(self) -> None:
            with suppress(OSError):  # who asked was stopped
                super().finish()

    with listening(Handler) as made.port:
        try:
            yield made
        finally:
            made.go.set()
