"""Forecastle: a folder in `models/` becomes a trained, checked, monitored forecast service."""
