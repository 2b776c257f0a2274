"""The catalogue: what the gateway answers of its own, about all models at once; `app.py` puts it together.

Nothing is imported here. `python -m forecastle.catalogue` imports this package first, before the server can
say where its processes write their metrics, and prometheus_client looks for that once, when it is imported.
"""
