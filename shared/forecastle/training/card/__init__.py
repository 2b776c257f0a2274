"""The model card, drawn at training."""

from forecastle.training.card.calibration import calibration
from forecastle.training.card.page import replace_backtest, write
from forecastle.training.card.selection import EXAMPLES, largest

__all__ = ["EXAMPLES", "calibration", "largest", "replace_backtest", "write"]
