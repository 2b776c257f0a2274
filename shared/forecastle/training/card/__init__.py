"""The model card, drawn at training."""

from forecastle.training.card.page import EXAMPLES, calibration, largest, replace_backtest, write

__all__ = ["EXAMPLES", "calibration", "largest", "replace_backtest", "write"]
