"""Forecasts of {{model}}."""

from pathlib import Path

from forecastle.artifact import Artifact
from forecastle.service import create_app

artifact = Artifact.load(Path(__file__).with_name("artifact"))
app = create_app(artifact)

# Routes of your own are plain FastAPI, under the gateway's /{{model}}/ :
#
#     @app.get("/hello")
#     async def hello() -> dict[str, str]:
#         return {"hello": artifact.version}
#
# Metrics of your own are prometheus_client's, and appear at /metrics with all others:
#
#     GREETINGS = prometheus_client.Counter("greetings", "How often somebody was greeted.")
