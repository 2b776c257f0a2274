"""`python -m forecastle.catalogue`: serve the catalogue of the models that `MODELS` names.

`settings.py` has the variables that it reads.
"""

import sys
from collections.abc import Sequence

import httpx
from starlette.types import ASGIApp

from forecastle.runtime import server
from forecastle.web.settings import SettingsError

STORE = "sqlite:////store/forecastle.sqlite"  # on a volume, without DATABASE_URL
SHADOW = "-shadow"  # `deaths-shadow` is the host of a refit that may replace `deaths`


def load() -> ASGIApp:
    """The app, for the server's master process."""
    from forecastle.catalogue.app import create_catalogue
    from forecastle.catalogue.settings import Settings
    from forecastle.catalogue.store.engine import Store, StoreError

    try:
        settings = Settings()
        if not settings.models:
            sys.exit("MODELS is missing: set it to the names of the models, with spaces between")
        store = Store(settings.database_url.get_secret_value() if settings.database_url else STORE)
    except (SettingsError, StoreError) as error:
        sys.exit(str(error))
    shadows = [name + SHADOW for name in settings.models]
    return create_catalogue(_clients(settings.models), store, settings, _clients(shadows))


def _clients(hosts: Sequence[str]) -> dict[str, httpx.AsyncClient]:
    """For each host a client of its port 8000; the proxy of `HTTP_PROXY` leads elsewhere, so none uses it."""
    return {host: httpx.AsyncClient(base_url=f"http://{host}:8000", trust_env=False) for host in hosts}


if __name__ == "__main__":
    server.main(load, model="catalogue")
