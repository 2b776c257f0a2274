"""Training: from observations to a checked artifact."""

from forecastle.training.command import published_priors, train

__all__ = ["published_priors", "train"]
