"""The Python that runs a model without Docker: the project's, or one with the model's own packages besides.

A model whose lock pins packages gets an environment of its own in `.cache/environments`, on top of the
project's. It is installed when the lock changes. No model's packages can thus break another's.
"""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from forecastle.manifest import sha256
from forecastle.project import packages
from forecastle.project.compose import ROOT
from forecastle.project.packages import PackagesError
from forecastle.project.pins import packages as pinned_packages
from forecastle.project.pins import unpinned


class InstallError(Exception):
    """A model's packages cannot be installed; the message is one line."""


def python(model: str, lock: str, root: Path = ROOT) -> Path:
    """The interpreter that trains (`pins.TRAIN`) or serves (`pins.SERVE`) a model, its packages installed.

    What `<lock>.in` names and `<lock>.txt` does not pin is pinned first.

    Raises:
        InstallError: The packages cannot be pinned or installed.
    """
    folder = root / "models" / model
    if missing := unpinned(folder, lock):
        print(f"{model}: pinning {', '.join(missing)} (make lock MODEL={model})", file=sys.stderr)
        done = subprocess.run(["make", "--silent", "lock", f"MODEL={model}"], cwd=root)
        if done.returncode:
            raise InstallError(f"{model}: {', '.join(missing)} cannot be pinned, see above")
    pinned = folder / f"{lock}.txt"
    if not pinned_packages(pinned):
        return Path(sys.executable)
    home = root / ".cache/environments" / f"{model}-{lock}"
    interpreter, stamp = home / "bin/python", home / "lock"
    wanted = f"{sha256(pinned)} {sys.version}"
    if not stamp.is_file() or stamp.read_text() != wanted:
        _install(model, home, interpreter, pinned)
        stamp.write_text(wanted)
    return interpreter


def _install(model: str, home: Path, interpreter: Path, pinned: Path) -> None:
    print(f"{model}: installing what its {pinned.name} pins", file=sys.stderr)
    venv.create(home, clear=True, symlinks=True, with_pip=False)
    own = home / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
    # Behind its own packages those of the project's environment, and the library.
    library = Path(__file__).resolve().parents[2]
    (own / "project.pth").write_text(f"{sysconfig.get_path('purelib')}\n{library}\n")
    try:
        packages.install(interpreter, [pinned])
    except PackagesError as error:
        raise InstallError(f"{model}: its packages cannot be installed: {error}") from None
