"""`python -m forecastle.catalogue` serves the catalogue of the models that `MODELS` names.

Each name is that of a host, which serves the model at port 8000. `DATABASE_URL` is the address of the store;
`settings.py` reads the other variables.
"""

import os
import sys

import httpx
from starlette.types import ASGIApp

from forecastle.runtime import server

STORE = "sqlite:////store/forecastle.sqlite"  # on a volume
SHADOW = "-shadow"  # after a model's name: the host of the candidate for its place


def load() -> ASGIApp:
    """The app. The server's master process calls this."""
    from forecastle.catalogue.app import create_catalogue
    from forecastle.catalogue.settings import Settings, SettingsError
    from forecastle.catalogue.store.engine import Store, StoreError

    if not (names := os.environ.get("MODELS", "").split()):
        sys.exit("MODELS names no model: set it to the models' names, separated by spaces")
    clients, shadows = (
        {host: httpx.AsyncClient(base_url=f"http://{host}:8000") for host in hosts}
        for hosts in (names, [name + SHADOW for name in names])
    )
    try:
        store, settings = Store(os.environ.get("DATABASE_URL") or STORE), Settings.of(os.environ)
    except (StoreError, SettingsError) as error:
        sys.exit(str(error))
    return create_catalogue(clients, store, settings, shadows)


if __name__ == "__main__":
    os.environ["MODEL"] = "catalogue"
    server.main(load)
