"""Prose of a README.md as HTML, for pages that have nothing else of the repository beside them."""

from collections.abc import Iterable, Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

# The header Content-Security-Policy of such a page, which has nothing to load and nothing to run.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def render(markdown: str) -> str:
    """HTML of CommonMark with tables, fit for a page that has a heading of its own.

    HTML in it is shown as text. Headings go down a level. Images are left out, and so are links to what is
    not on the web: a page that is served has no files of the repository beside it.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(markdown)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"
        if token.children is not None:
            token.children = list(_without_files(token.children))
    return parser.renderer.render(tokens, parser.options, {})


def _without_files(tokens: Iterable[Token]) -> Iterator[Token]:
    on_the_web = True
    for token in tokens:
        if token.type == "image":
            continue
        if token.type == "link_open":
            on_the_web = str(token.attrGet("href")).startswith(("https://", "http://"))
        if token.type not in ("link_open", "link_close") or on_the_web:
            yield token
