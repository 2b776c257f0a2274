"""The catalogue: the app behind all paths of the gateway that belong to no model. `app.py` puts it together.

Nothing is imported here. `python -m forecastle.catalogue` imports this package before the server sets the
folder for the metrics of its processes, and prometheus_client reads that setting only when it is imported.
"""
