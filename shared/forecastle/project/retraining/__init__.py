"""Retraining: a challenger replaces the incumbent if it passes the gate and forecasts no worse.

    make retrain MODEL=deaths    compare and replace now: python -m forecastle.project.retraining deaths
    make shadow MODEL=deaths     run the challenger beside the incumbent first: ... .shadow deaths

The challenger is today's `train.py`, fitted to all observations. The incumbent is the artifact that
`make run` serves, or the image that Docker runs. This package runs where models are built, and no image
holds it.
"""


class RetrainingError(Exception):
    """Retraining is impossible; the message is one line that says what to do."""


class Refused(RetrainingError):
    """The challenger must not be used; the message says why."""
