"""The prose of a model's card: its README.md, put into the page that training drew.

It is rendered when the server starts, so that a change of the prose does not fit the model again.
"""

import html

from forecastle.artifact import PROSE, Artifact
from forecastle.web.markdown import render


def page(artifact: Artifact) -> str:
    """The page of the artifact, with its version and the README.md beside its folder, if there is one."""
    page = (artifact.folder / "card.html").read_text(encoding="utf-8")
    version = f"<p>Version <strong>{html.escape(artifact.version)}</strong></p>"
    readme = artifact.folder.parent / "README.md"
    prose = render(readme.read_text(encoding="utf-8", errors="replace")) if readme.is_file() else ""
    return page.replace(PROSE, f'{version}\n<section class="prose">\n{prose}</section>', 1)
