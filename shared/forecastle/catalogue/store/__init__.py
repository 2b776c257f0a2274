"""The store: forecasts as they were issued, counts as they were reported, and scores."""


class StoreError(Exception):
    """The store cannot be read or written now; the message is one line with the reason, for logs."""
