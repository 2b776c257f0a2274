"""`python -m forecastle.catalogue`: the catalogue of the models that `MODELS` names, hosts with port 8000."""

import os
import sys

import httpx
from starlette.types import ASGIApp

from forecastle import server


def load() -> ASGIApp:
    """The app, for the server's master process."""
    from forecastle.catalogue import create_catalogue

    if not (names := os.environ.get("MODELS", "").split()):
        sys.exit("MODELS names no model: set it to their names with spaces between")
    return create_catalogue({name: httpx.AsyncClient(base_url=f"http://{name}:8000") for name in names})


if __name__ == "__main__":
    os.environ["MODEL"] = "catalogue"
    server.main(load)
