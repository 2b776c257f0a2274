"""Files of observations at an http(s) address: downloaded as curl does, and named without their password."""

import base64
import ipaddress
import re
import urllib.parse
import urllib.request
from pathlib import Path

TIMEOUT = 30  # seconds that a server may keep silent


def is_address(source: str | Path) -> bool:
    """Whether observations lie at an address rather than in a file."""
    return str(source).startswith(("http://", "https://"))


def shown(text: str | Path) -> str:
    """An address, or a message that names one, without the user's name and password."""
    return re.sub(r"(https?://)[^/?#\s]*@", r"\1", str(text))


def is_this_machine(host: str) -> bool:
    """Whether a host name or an IP address is the machine's own, which no proxy reaches."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def download(address: str) -> bytes:
    """Download a file. A name and password in its address are sent as basic authentication.

    `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` apply, but never to an address on this machine.

    Raises:
        OSError: The server does not answer, or answers with an error.
        ValueError: The address is not valid.
        http.client.HTTPException: The server breaks off.
    """
    parts = urllib.parse.urlsplit(address)
    request = urllib.request.Request(shown(address), headers={"User-Agent": "forecastle"})
    if parts.username or parts.password:
        user = f"{urllib.parse.unquote(parts.username or '')}:{urllib.parse.unquote(parts.password or '')}"
        # Not sent to another host that the server may redirect to.
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(user.encode()).decode()}")
    # None stands for those of the environment.
    proxies: dict[str, str] | None = {} if is_this_machine(parts.hostname or "") else None
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies))
    with opener.open(request, timeout=TIMEOUT) as response:
        return response.read()
