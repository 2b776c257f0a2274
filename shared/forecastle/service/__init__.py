"""The API of a model that forecasts."""

from forecastle.service.app import create_app

__all__ = ["create_app"]
