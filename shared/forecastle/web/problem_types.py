"""The table of problem types: what the `type` and `title` of an error (RFC 9457) are, here and in nginx.

`python -m forecastle.web.problem_types` prints the table as maps for nginx; docker/Dockerfile calls it where
no package is installed, so this module imports the standard library alone.
"""

from collections.abc import Callable
from dataclasses import dataclass

PATH = "/docs/problems"  # of the pages about them, see problem_pages.py
NO_TYPE = "about:blank"  # RFC 9457: there is no more to say than the status


@dataclass(frozen=True)
class ProblemType:
    """A type of problem.

    Attributes:
        status: The HTTP status that it comes with.
        title: A few words.
        meaning: What went wrong, in a sentence.
        remedy: What to do about it, in a sentence.
    """

    status: int
    title: str
    meaning: str
    remedy: str


# By name. Of several types with one status the first is that status's own. nginx and JSON take the texts as
# they stand, so they hold no double quote, backslash or dollar sign.
TYPES = {
    "malformed-request": ProblemType(
        400,
        "Bad Request",
        "The request is malformed: it may have a % in its path without two hexadecimal digits after it, too "
        "many .., or a body that is not JSON.",
        "Encode the path, and send a body that is JSON in UTF-8.",
    ),
    "unauthorized": ProblemType(
        401,
        "Unauthorized",
        "The request needs a key, and its key is missing or wrong.",
        "Send the header `Authorization: Bearer KEY` with the key that the service was started with.",
    ),
    "forbidden": ProblemType(
        403,
        "Forbidden",
        "The service is not set up to do this, for any client.",
        "The detail names the setting that allows it.",
    ),
    "not-found": ProblemType(
        404,
        "Not Found",
        "There is nothing at this path.",
        "GET /models lists the models of a gateway, and GET / of a model links to all it has.",
    ),
    "unknown-country": ProblemType(
        404,
        "Unknown Country",
        "The model has no forecast for this country: the code does not exist, or the country was left out of "
        "training.",
        "Use a code of ISO 3166 alpha-3 such as GBR. `near_matches` lists similar ones, and GET /countries "
        "all. If the country was left out, the detail says why.",
    ),
    "unknown-series": ProblemType(
        404,
        "Unknown Series",
        "The model has no forecast for this series: the identifier does not exist, or the series was left "
        "out of training.",
        "`near_matches` lists similar identifiers, and GET of the list that the path starts with, such as "
        "/stores, all. If the series was left out, the detail says why.",
    ),
    "past-forecast": ProblemType(
        404,
        "Past Forecast",
        "`as_of=` or `known_at=` asks for an earlier forecast than this service has.",
        "Ask the gateway, which keeps the forecasts issued since it was set up, or ask for a later one.",
    ),
    "method-not-allowed": ProblemType(
        405,
        "Method Not Allowed",
        "This path does not take this method.",
        "The header `Allow` lists the methods that it takes.",
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
        "The request contradicts what is stored.",
        "The detail says what it contradicts.",
    ),
    "length-required": ProblemType(
        411,
        "Length Required",
        "The length of the body is missing.",
        "Send the header `Content-Length`.",
    ),
    "content-too-large": ProblemType(
        413,
        "Content Too Large",
        "The body is too long.",
        "The detail has the limit: send several smaller requests.",
    ),
    "uri-too-long": ProblemType(
        414,
        "URI Too Long",
        "The address is longer than 8 KiB.",
        "Ask for less at once, or use POST /probability.",
    ),
    "unsupported-media-type": ProblemType(
        415,
        "Unsupported Media Type",
        "The service does not read bodies of this type.",
        "The detail lists the types that it reads: name one in the header `Content-Type`.",
    ),
    "range-not-satisfiable": ProblemType(
        416,
        "Range Not Satisfiable",
        "The file does not have the bytes that the header `Range` asks for.",
        "The header `Content-Range` has the length of the file.",
    ),
    "invalid-request": ProblemType(
        422,
        "Unprocessable Content",
        "A value in the request cannot be used: it is missing, misspelt, of the wrong type or outside what "
        "the model covers.",
        "`errors` says what each value must be. `/docs` describes all parameters.",
    ),
    "too-many-requests": ProblemType(
        429,
        "Too Many Requests",
        "More requests arrived than the service answers at a time.",
        "Wait as many seconds as the header `Retry-After` says, then send it again.",
    ),
    "header-too-large": ProblemType(
        431,
        "Request Header Fields Too Large",
        "The header of the request is longer than 8 KiB.",
        "Send fewer or shorter fields, above all fewer cookies.",
    ),
    "internal-error": ProblemType(
        500,
        "Internal Server Error",
        "The server failed unexpectedly.",
        "Search its log for the `request_id` of the answer.",
    ),
    "not-implemented": ProblemType(
        501,
        "Not Implemented",
        "The server does not implement what the request asks for.",
        "Check the method and the header `Transfer-Encoding`.",
    ),
    "unavailable": ProblemType(
        503,
        "Service Unavailable",
        "The model does not answer: it is being trained, starting, stopped or overloaded.",
        "Send the request again in a few seconds. GET /models shows the health of every model.",
    ),
    "http-version-not-supported": ProblemType(
        505,
        "HTTP Version Not Supported",
        "The server does not speak this version of HTTP.",
        "Use HTTP/1.1.",
    ),
}
_OF_STATUS = {problem_type.status: name for name, problem_type in reversed(TYPES.items())}


def of_status(status: int) -> str | None:
    """The name of the type that an HTTP status has by itself, if there is one."""
    return _OF_STATUS.get(status)


def uri(name: str | None) -> str:
    """The `type` of a problem: the path of the page about it."""
    return f"{PATH}/{name}" if name else NO_TYPE


def nginx_maps() -> str:
    """Maps of nginx from `$status` to a problem's `$problem_type`, `$title` and `$meaning`."""
    return "\n".join(
        [
            _nginx_map("problem_type", NO_TYPE, uri),
            _nginx_map("title", "Error", lambda name: TYPES[name].title),
            _nginx_map("meaning", "The gateway cannot answer.", lambda name: TYPES[name].meaning),
        ]
    )


def _nginx_map(variable: str, default: str, value: Callable[[str], str]) -> str:
    rows = [f'    {status} "{value(name)}";\n' for status, name in sorted(_OF_STATUS.items())]
    return f'map $status ${variable} {{\n    default "{default}";\n{"".join(rows)}}}\n'


if __name__ == "__main__":
    print(nginx_maps(), end="")
