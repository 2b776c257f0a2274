"""The path under which a proxy in front serves everything here, such as `/forecasts`; "" without one.

A proxy that asks for `/deaths/docs` when its client wants `/forecasts/deaths/docs` says so in the header
`X-Forwarded-Prefix: /forecasts`. Every link then starts with it. Anything but a plain path is ignored, so
that no header makes a link to another host.
"""

import re

from starlette.types import Scope

HEADER = "X-Forwarded-Prefix"
# Of up to 128 characters; as in nginx.conf.
PLAIN = re.compile(rb"(?=.{1,128}$)((?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+)/?")


def forwarded(scope: Scope) -> str:
    """The path, without a slash at its end."""
    given = [value for name, value in scope["headers"] if name == b"x-forwarded-prefix"]
    plain = PLAIN.fullmatch(given[0]) if len(given) == 1 else None
    return plain[1].decode() if plain else ""
