"""Forecasts of daily deaths."""

from pathlib import Path

from forecastle.service import create_app

from forecastle.artifact import Artifact

artifact = Artifact.load(Path(__file__).with_name("artifact"))
app = create_app(artifact)
