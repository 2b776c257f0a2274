"""docs/any-sampler.ipynb: run as it stands, it makes an artifact that passes the gate and is served."""

import shutil
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from forecastle.artifact import Artifact
from forecastle.project import slot
from forecastle.runtime.monitoring import Monitoring

from .conftest import ROOT, Ask

NOTEBOOK = ROOT / "docs/any-sampler.ipynb"


def test_the_notebooks_last_cell_is_a_served_forecast(tmp_path: Path, ask: Ask) -> None:
    folder = tmp_path / "models/trend"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "shared/template/forecast/main.py", folder)
    (tmp_path / "docs").mkdir()
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)  # figures of another day
    NotebookClient(notebook, resources={"metadata": {"path": tmp_path / "docs"}}, timeout=300).execute()

    manifest = Artifact.load(folder / "artifact").manifest
    assert manifest.backtest and manifest.backtest.scores["wis_ratio"] < 1
    assert manifest.diagnostics.worst["r_hat"] < 1.01
    app = Monitoring(slot.load(folder)[0], model="trend", prefix="/trend")
    answer = ask(app, "/trend/countries/ITA/forecast?days=7")
    assert len(answer.json()["forecast"]) == 7
