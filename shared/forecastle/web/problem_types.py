"""The kinds of problems, and a page about each: where the `type` of an answer of RFC 9457 leads."""

import html
from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

PATH = "/docs/problems"
# A page has nothing to load and nothing to run.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class ProblemType:
    """A kind of problem.

    Attributes:
        status: The HTTP status that it comes with.
        title: In few words.
        meaning: What went wrong.
        remedy: What to do about it.
    """

    status: int
    title: str
    meaning: str
    remedy: str


# Of those of one status the first stands for the status.
TYPES = {
    "malformed-request": ProblemType(
        400,
        "Bad Request",
        "The request cannot be read: its path, a header or the body is not well-formed.",
        "Look for a % in the path that two hexadecimal digits do not follow, and for a body that is not JSON "
        "in UTF-8.",
    ),
    "unauthorized": ProblemType(
        401,
        "Unauthorized",
        "The request needs a key, and has none or a wrong one.",
        "Send the header `Authorization: Bearer KEY` with the key that the service was started with.",
    ),
    "forbidden": ProblemType(
        403,
        "Forbidden",
        "This is not to be had here, whoever asks.",
        "The detail says which setting of the service would allow it.",
    ),
    "not-found": ProblemType(
        404,
        "Not Found",
        "There is nothing at this path.",
        "GET /models lists the models of a gateway, and GET / of a model links to what it has.",
    ),
    "unknown-country": ProblemType(
        404,
        "Unknown Country",
        "The model has no forecast for this country: the code is not one, or the country was left out when "
        "the model was trained.",
        "Codes are those of ISO 3166 alpha-3, such as GBR. `near_matches` has those that may have been "
        "meant, and GET /countries all. Where a country was left out, the detail has the reason.",
    ),
    "past-forecast": ProblemType(
        404,
        "Past Forecast",
        "The forecast that was asked for with `as_of=` was issued before the one that is served here.",
        "The gateway keeps the forecasts that were issued since it was set up: ask it, or take a later day.",
    ),
    "method-not-allowed": ProblemType(
        405,
        "Method Not Allowed",
        "There is something at this path, but not for this method.",
        "The header `Allow` has the methods there are.",
    ),
    "timeout": ProblemType(
        408,
        "Request Timeout",
        "The request took too long to arrive.",
        "Send it again.",
    ),
    "conflict": ProblemType(
        409,
        "Conflict",
        "The request does not go together with what is stored.",
        "The detail says what is in its way.",
    ),
    "length-required": ProblemType(
        411,
        "Length Required",
        "The body has no length.",
        "Send the header `Content-Length`.",
    ),
    "content-too-large": ProblemType(
        413,
        "Content Too Large",
        "The body is longer than what is read of it.",
        "The detail has the limit: ask for less at once, in several requests.",
    ),
    "uri-too-long": ProblemType(
        414,
        "URI Too Long",
        "The address is longer than 8 KiB.",
        "Ask for less at once, or with POST /probability.",
    ),
    "unsupported-media-type": ProblemType(
        415,
        "Unsupported Media Type",
        "The body has a form that is not read here.",
        "The detail has those that are: name one in the header `Content-Type`.",
    ),
    "range-not-satisfiable": ProblemType(
        416,
        "Range Not Satisfiable",
        "The file does not have the bytes that `Range` names.",
        "The header `Content-Range` has its length.",
    ),
    "invalid-request": ProblemType(
        422,
        "Unprocessable Content",
        "The request can be read, but a value in it cannot be used: it is missing, misspelt, of another type "
        "or beyond what the model has.",
        "`errors` says of each value what it must be. `/docs` has all parameters.",
    ),
    "too-many-requests": ProblemType(
        429,
        "Too Many Requests",
        "There were more requests than are answered at a time.",
        "Send it again after the seconds that the header `Retry-After` has.",
    ),
    "header-too-large": ProblemType(
        431,
        "Request Header Fields Too Large",
        "The header of the request is longer than 8 KiB.",
        "Send fewer or shorter fields, cookies above all.",
    ),
    "internal-error": ProblemType(
        500,
        "Internal Server Error",
        "The server failed at something that it did not foresee.",
        "Its log has the reason, under the `request_id` of the answer.",
    ),
    "not-implemented": ProblemType(
        501,
        "Not Implemented",
        "The server does not know what the request asks for.",
        "Look at the method and at the header `Transfer-Encoding`.",
    ),
    "unavailable": ProblemType(
        503,
        "Service Unavailable",
        "The model does not answer at the moment: it starts, has stopped, or has more to do than it can.",
        "Send the request again after some seconds. GET /models tells the health of each model.",
    ),
    "http-version-not-supported": ProblemType(
        505,
        "HTTP Version Not Supported",
        "The request is of a version of HTTP that is not spoken here.",
        "Use HTTP/1.1.",
    ),
}
_OF_STATUS = {about.status: name for name, about in reversed(TYPES.items())}

router = APIRouter(include_in_schema=False)


def of_status(status: int) -> str | None:
    """The name of the kind that stands for an HTTP status, if there is one."""
    return _OF_STATUS.get(status)


def uri(name: str | None) -> str:
    """What `type` says: a path, or "about:blank" if there is no more to tell than the status."""
    return f"{PATH}/{name}" if name else "about:blank"


@router.get(PATH)
async def problems() -> HTMLResponse:
    """All kinds of problems."""
    rows = "".join(
        f'<li><a href="problems/{name}">{html.escape(about.title)}</a> ({about.status})</li>'
        for name, about in TYPES.items()
    )
    return _page("Problems", f"<ul>{rows}</ul>")


@router.get(PATH + "/{name}")
async def problem(name: str) -> HTMLResponse:
    """A kind of problem."""
    if (about := TYPES.get(name)) is None:
        raise HTTPException(404)
    told = (
        f"<p>HTTP status {about.status}, <code>{name}</code></p>"
        f"<h2>What it means</h2><p>{_text(about.meaning)}</p>"
        f"<h2>What to do</h2><p>{_text(about.remedy)}</p>"
        '<p><a href="../problems">All problems</a></p>'
    )
    return _page(about.title, told)


def _text(words: str) -> str:
    """HTML of words with `code` in them."""
    parts = html.escape(words).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))


def _page(title: str, content: str) -> HTMLResponse:
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)} · Forecastle</title><style>:root{{color-scheme:light dark}}"
        "body{font:1rem/1.6 system-ui,sans-serif;max-width:42rem;margin:2rem auto;padding:0 1rem}</style>"
        f"</head><body><main><h1>{html.escape(title)}</h1>{content}</main></body></html>"
    )
    headers = {"Cache-Control": "public, max-age=3600", "Content-Security-Policy": POLICY}
    return HTMLResponse(page, headers=headers)
