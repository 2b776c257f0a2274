"""markdown.py: README.md on a page: shown, harmless, and without what a served page has not got."""

from pathlib import Path

import pytest

from forecastle.web.markdown import render

ROOT = Path(__file__).resolve().parents[2]


def test_headings_go_down_a_level() -> None:
    html = render("# One\n\n## Two\n\n###### Six\n")
    assert html == "<h2>One</h2>\n<h3>Two</h3>\n<h6>Six</h6>\n"


def test_tables_are_tables() -> None:
    assert "<th>b</th>" in render("| a | b |\n|---|---|\n| 1 | 2 |\n")


@pytest.mark.parametrize(
    "markdown",
    [
        "<script>alert(1)</script>",
        "text <img src=x onerror=alert(1)> text",
        "[x](javascript:alert(1))",
        "[x](data:text/html,hello)",
        "![x](https://example.org/x.png)",
        "[![x](https://example.org/x.png)](train.py)",
        '[x](https://example.org/"onclick="alert(1))',
    ],
)
def test_nothing_is_run_or_loaded(markdown: str) -> None:
    html = render(markdown)
    assert "<script" not in html and "<img" not in html and 'onclick="' not in html
    assert 'href="javascript' not in html and 'href="data' not in html


def test_links_lead_to_the_web_or_nowhere() -> None:
    html = render("[a **file**](train.py), [b](../x.md), [c](#d), [e](https://example.org/f)")
    assert html == '<p>a <strong>file</strong>, b, c, <a href="https://example.org/f">e</a></p>\n'


def test_the_models_own_readmes_are_rendered_whole() -> None:
    for readme in ROOT.glob("models/*/README.md"):
        prose = readme.read_text()
        html = render(prose)
        assert "<strong>Question.</strong>" in html and "<img" not in html
        assert ("<table>" in html) is ("|---" in prose)
