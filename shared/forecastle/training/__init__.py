"""Training: from observations to a checked artifact."""

from forecastle.training.command import published_priors, train
from forecastle.training.saving import save_forecast

__all__ = ["published_priors", "save_forecast", "train"]
