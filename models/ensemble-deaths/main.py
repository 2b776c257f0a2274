"""Forecasts of daily deaths, averaged."""

from pathlib import Path

from forecastle.artifact import Artifact
from forecastle.service import create_app

artifact = Artifact.load(Path(__file__).with_name("artifact"))
app = create_app(artifact)
