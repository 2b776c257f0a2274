"""Retraining: a challenger takes an incumbent's place if it passes the gate and forecasts no worse.

    make retrain MODEL=deaths    now, if it is better: python -m forecastle.project.retraining deaths
    make shadow MODEL=deaths     scored beside it at first: ... .shadow deaths

The challenger is today's `train.py`, fitted to all that has been reported; the incumbent is the artifact that
`make run` serves, or the image that Docker does. It runs where models are developed and built: no image holds
it.
"""


class RetrainingError(Exception):
    """It cannot be done; the message is one line that says what to do."""


class Refused(RetrainingError):
    """The challenger is not to be used; the message says why."""
