"""Forecastle: a folder in `models/` becomes a trained, checked, monitored forecast service.

Public are the names that a package lists in `__all__`, and `Artifact` of `forecastle.artifact`; all else may
change without notice.
"""

__version__ = "0.1.0"
