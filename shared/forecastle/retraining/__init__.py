"""Retraining: a challenger takes an incumbent's place if it passes the gate and forecasts no worse.

    python -m forecastle.retraining deaths           now, if it is better      (`make retrain MODEL=deaths`)
    python -m forecastle.retraining.shadow deaths    scored beside it at first (`make shadow MODEL=deaths`)

The challenger is today's `train.py`, fitted to all that has been reported; the incumbent is the artifact that
`make run` serves, or the image that Docker does. It runs where models are developed and built: no image holds
it.
"""


class RetrainingError(Exception):
    """It cannot be done; the message is one line that says what to do."""


class Refused(RetrainingError):
    """The challenger is not to be used; the message says why."""
