"""svg.py: plots are drawn in a style of their own, and the user's stays."""

from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt

from .test_page import page


def test_matplotlib_stays_as_the_user_has_it(tmp_path: Path) -> None:
    with matplotlib.rc_context({"font.size": 33, "text.usetex": True}):
        before = dict(matplotlib.rcParams)
        backend = matplotlib.get_backend(auto_select=False)
        text = page(tmp_path)
        assert dict(matplotlib.rcParams) == before
        assert matplotlib.get_backend(auto_select=False) == backend
    assert plt.get_fignums() == []
    assert text == page(tmp_path)
