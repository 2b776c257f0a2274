"""Daily deaths: the mean of the quantiles of `deaths` and `trend-deaths`.

What it assumes, why, and where it fails: README.md.
"""

from forecastle.training import combine

if __name__ == "__main__":
    combine(target="daily deaths", unit="deaths")
