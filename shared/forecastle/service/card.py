"""The prose of a model's card: its README.md, put into the page that training drew.

It is rendered when the server starts, so that a change of the prose does not fit the model again.
"""

import html
from collections.abc import Iterable, Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

from forecastle.artifact import PROSE, Artifact


def page(artifact: Artifact) -> str:
    """The page of the artifact, with its version and the README.md beside its folder, if there is one."""
    page = (artifact.folder / "card.html").read_text(encoding="utf-8")
    version = f"<p>Version <strong>{html.escape(artifact.version)}</strong></p>"
    readme = artifact.folder.parent / "README.md"
    prose = render(readme.read_text(encoding="utf-8", errors="replace")) if readme.is_file() else ""
    return page.replace(PROSE, f'{version}\n<section class="prose">\n{prose}</section>', 1)


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
