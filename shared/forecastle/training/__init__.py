"""Training: from observations to a checked artifact."""

from forecastle.training.command import published_priors, train
from forecastle.training.ensemble import combine
from forecastle.training.saving import save_forecast

__all__ = ["combine", "published_priors", "save_forecast", "train"]
