"""`make train`: fit models, and let their new artifacts replace the last ones; an ensemble's members first.

A folder's `train.py` runs in a copy of it, with an empty `artifact/`. What it leaves there gets a manifest
(`sealing.py`) and is held by the folder's own tests, `test_*.py`. Until all that has succeeded, the last
artifact stays as it was. A training uses all cores, so one runs at a time in a project, and others wait.

    python -m forecastle.project.train deaths           fit these models, or all
    python -m forecastle.project.train --stale deaths   only those whose artifact is missing or out of date
"""

import argparse
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import forecastle
from forecastle import artifact as artifacts
from forecastle import folder as folders
from forecastle import manifest as manifests
from forecastle import members, observations, progress, sealing
from forecastle.manifest import ArtifactError
from forecastle.project import compose, environment, pins
from forecastle.project.compose import ROOT
from forecastle.project.environment import InstallError
from forecastle.project.scratch import scratch as scratch_folder

PYTEST = ("-m", "pytest", "--quiet", "--no-header", "--disable-warnings", "-p", "no:cacheprovider")
# No configuration of a folder above.
ISOLATED = ("--config-file=/dev/null", "--rootdir=.")
MEMORY = ", as happens when memory runs out"


class TrainingError(Exception):
    """A model is not trained; the message is one line, and what the script printed comes before it."""


def main(argv: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """The command line; its exit code is 1 if a model was not trained. The others are."""
    parser = argparse.ArgumentParser(prog="python -m forecastle.project.train", description="Fit models.")
    parser.add_argument("models", nargs="*", help="by default all")
    parser.add_argument("--stale", action="store_true", help="only those without a current artifact")
    parser.add_argument("--root", type=Path, default=root, help="the project; by default this one")
    options = parser.parse_args(argv)
    root = options.root.resolve()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop train.py, too, and tidy up
    chosen = options.models or compose.models(root)
    failed: set[str] = set()
    try:
        for model in members.first(chosen, root):
            folder = root / "models" / model
            stale = options.stale or model not in chosen  # an ensemble's member
            if not (folder / "train.py").is_file():
                if options.models and not stale:
                    print(f"{model}: it has no train.py, so it is served as it is", file=sys.stderr)
            elif not stale or is_stale(folder):
                try:
                    if lost := failed.intersection(members.read(folder)):
                        names = ", ".join(sorted(lost))
                        raise TrainingError(
                            f"{model}: not trained, and the last artifact stays: {names} failed"
                        )
                    train(model, root, stale)
                except (TrainingError, InstallError, ArtifactError) as error:
                    print(error, file=sys.stderr)
                    failed.add(model)
    except KeyboardInterrupt:
        print("interrupted; the last artifacts stay", file=sys.stderr)
        return 130
    return int(bool(failed))


@contextmanager
def turn(model: str, root: Path = ROOT) -> Iterator[None]:
    """Wait until no other training runs in the project, and let the next one wait for this."""
    descriptor = os.open(root / "models", os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{model}: waits until another training ends", file=sys.stderr, flush=True)
            progress.tell("waiting for another training")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # the system drops the lock, also of a process that is killed


def train(model: str, root: Path = ROOT, stale: bool = False) -> None:
    """Run a model's `train.py`, seal what it left, test it, and replace the last artifact.

    Args:
        model: The model's name.
        root: The project.
        stale: Whether to do nothing if the artifact is current once other trainings have ended.

    Raises:
        ArtifactError: `train.py` left no artifact, or one that cannot be served.
        InstallError: What the model needs cannot be installed.
        TrainingError: `train.py` or a test fails.
    """
    with turn(model, root):
        if not stale or is_stale(root / "models" / model):
            _train(model, root)


def _train(model: str, root: Path) -> None:
    folder = root / "models" / model
    if fault := members.fault(folder):
        raise TrainingError(f"{model}: {fault}; the last artifact stays")
    manifests.recover(folder / folders.ARTIFACT)
    progress.tell("preparing")
    python = environment.python(model, pins.TRAIN, root)
    with scratch_folder(root) as scratch:
        given, trained = Path(scratch, "given", model), Path(scratch, "trained", model)
        folders.copy(folder, folders.training_files(folder), given)
        folders.copy(given, folders.training_files(given), trained)
        artifact = trained / folders.ARTIFACT
        artifact.mkdir()
        for member in members.read(folder):  # whose artifacts lie beside an ensemble's folder
            trained.with_name(member).symlink_to(folder.with_name(member).resolve())
        started = time.perf_counter()
        progress.tell("training")
        _run([python, "train.py"], trained, f"{model}: train.py failed, and the last artifact stays")
        try:
            version = sealing.seal(given, trained, model, time.perf_counter() - started)
        except ArtifactError as error:
            raise ArtifactError(f"{model}: {error}; the last artifact stays") from None
        if folders.gate_files(folder):
            progress.tell("testing")
            test(model, artifact, Path(scratch, "serving", model), root)
        manifests.put(artifact, folder / folders.ARTIFACT)
    print(f"{model}: version {version} is in models/{model}/artifact", file=sys.stderr)


def test(
    model: str,
    artifact: Path,
    scratch: Path,
    root: Path = ROOT,
    otherwise: str = "and the last artifact stays",
) -> None:
    """Hold an artifact and its app by the `test_*.py` of the model's folder.

    Args:
        model: The model's name.
        artifact: What is tested.
        scratch: Where the files that are served, and the tests, are put together; it does not exist yet.
        root: The project.
        otherwise: What a failure leads to, as the end of its line.

    Raises:
        InstallError: What the model needs cannot be installed.
        TrainingError: A test fails; pytest has printed why.
    """
    folder = root / "models" / model
    served(folder, artifact, scratch)
    folders.copy(folder, folders.gate_files(folder), scratch)
    python = environment.python(model, pins.SERVE, root)
    _run([python, *PYTEST, *ISOLATED], scratch, f"{model}: its tests fail, {otherwise}")


def served(folder: Path, artifact: Path, scratch: Path) -> None:
    """Put together in `scratch` what the model's image holds: the files that are served, and the artifact."""
    folders.copy(folder, folders.serving_files(folder), scratch)
    (scratch / folders.ARTIFACT).symlink_to(artifact.resolve(), target_is_directory=True)


def is_stale(folder: Path) -> bool:
    """Whether a model's artifact is missing, or made of other sources or observations than there are now.

    A folder that was renamed is another model. An ensemble's artifact is made of its members' artifacts,
    instead of observations.
    """
    manifests.recover(folder / folders.ARTIFACT)
    try:
        content = manifests.read(folder / folders.ARTIFACT)
    except ArtifactError:
        return True
    if content.get("model") != folder.name:
        return True
    if content.get("kind", manifests.FORECAST) != manifests.FORECAST:
        return content.get("sources") != folders.sources(folder)
    if content.get("sources") != folders.sources(folder, Path(forecastle.__file__).parent):
        return True
    if members.is_ensemble(folder):
        made_of = {name: one["content"] for name, one in content.get("members", {}).items()}
        return made_of != {name: _combined(folder.with_name(name)) for name in members.read(folder)}
    # The observations in use, or a file of the folder's own; save_forecast() may name none.
    if not (known := content["data"]["sha256"]):
        return False
    files = (observations.default_path(), *folder.rglob(Path(content["data"]["file"]).name))
    return all(not file.is_file() or manifests.sha256(file) != known for file in files)


def _combined(folder: Path) -> str:
    """The hash of what an ensemble reads of a model's artifact; "" if there is none."""
    try:
        return artifacts.combined(manifests.read(folder / folders.ARTIFACT)["files"])
    except ArtifactError:
        return ""


def _run(command: Sequence[Path | str], cwd: Path, failure: str) -> None:
    """Run a command in a folder; it ends before this does, also when it is interrupted.

    Raises:
        TrainingError: It fails.
    """
    environ = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    if data := environ.get("FORECASTLE_DATA"):
        # Relative to where the user stands.
        environ["FORECASTLE_DATA"] = os.path.abspath(os.path.expanduser(data))
    with subprocess.Popen([str(part) for part in command], cwd=cwd, env=environ) as process:
        try:
            code = process.wait()
        except KeyboardInterrupt:
            process.terminate()
            raise
    if code < 0:
        name = signal.Signals(-code).name
        raise TrainingError(f"{failure}: it was killed ({name}{MEMORY if name == 'SIGKILL' else ''})")
    if code:
        raise TrainingError(failure)


if __name__ == "__main__":
    sys.exit(main())
