"""Models that forecast nothing and are trained in no time, in a project of their own."""

from pathlib import Path

MAIN = """
from pathlib import Path

from fastapi import FastAPI

VALUE = Path("artifact/value").read_text()
app = FastAPI()

@app.get("/value")
def value() -> str:
    return VALUE
"""
TRAIN = '''"""A constant."""
from pathlib import Path

Path("artifact/value").write_text("1")
'''
# Tells how far it is, with a process of its own, until there is a file `go` in the project.
WAITS = '''"""One that waits."""
import json, os, subprocess, sys, time
from pathlib import Path

subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "{root}"])
Path(os.environ["FORECASTLE_PROGRESS"]).write_text(json.dumps({{"step": "epochs", "fraction": 0.4}}))
while not Path("{root}/go").exists():
    time.sleep(0.05)
Path("artifact/value").write_text("1")
'''


def model(root: Path, name: str, train: str = TRAIN, main: str = MAIN) -> Path:
    """A model of a project, and its folder."""
    folder = root / "models" / name
    folder.mkdir(parents=True)
    (folder / "train.py").write_text(train)
    (folder / "main.py").write_text(main)
    return folder


def waits(root: Path) -> str:
    """A train.py that waits for a file `go` in the project."""
    return WAITS.format(root=root)


def processes(root: Path) -> list[str]:
    """The command lines of all processes that name the project."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it has just ended
        if any(str(root) in word for word in words):
            found.append(" ".join(words))
    return found
