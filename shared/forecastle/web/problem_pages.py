"""A page about each type of problem, where the `type` of an error leads."""

import html

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from forecastle.web.documents import KEEP
from forecastle.web.problem_types import PATH, TYPES

# A page loads nothing and runs nothing.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

router = APIRouter(include_in_schema=False)


@router.get(PATH)
async def problems() -> HTMLResponse:
    """All types of problems."""
    rows = "".join(
        f'<li><a href="problems/{name}">{html.escape(problem_type.title)}</a> ({problem_type.status})</li>'
        for name, problem_type in TYPES.items()
    )
    return _page("Problems", f"<ul>{rows}</ul>")


@router.get(PATH + "/{name}")
async def problem(name: str) -> HTMLResponse:
    """One type of problem."""
    if (problem_type := TYPES.get(name)) is None:
        raise HTTPException(404)
    content = (
        f"<p>HTTP status {problem_type.status}, <code>{name}</code></p>"
        f"<h2>What it means</h2><p>{_with_code(problem_type.meaning)}</p>"
        f"<h2>What to do</h2><p>{_with_code(problem_type.remedy)}</p>"
        '<p><a href="../problems">All problems</a></p>'
    )
    return _page(problem_type.title, content)


def _with_code(text: str) -> str:
    """HTML of a text that has `code` in it."""
    parts = html.escape(text).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))


def _page(title: str, content: str) -> HTMLResponse:
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)} · Forecastle</title><style>:root{{color-scheme:light dark}}"
        "body{font:1rem/1.6 system-ui,sans-serif;max-width:42rem;margin:2rem auto;padding:0 1rem}</style>"
        f"</head><body><main><h1>{html.escape(title)}</h1>{content}</main></body></html>"
    )
    headers = {"Cache-Control": "public, max-age=3600", "Content-Security-Policy": POLICY, **KEEP}
    return HTMLResponse(page, headers=headers)
