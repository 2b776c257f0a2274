"""The store: forecasts as they were issued, counts as they were reported, and scores."""
