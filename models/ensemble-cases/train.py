"""Daily cases: the mean of the quantiles of `hierarchical` and `trend-cases`.

What it assumes, why, and where it fails: README.md.
"""

from forecastle.training import combine

if __name__ == "__main__":
    combine(target="daily cases", unit="cases")
