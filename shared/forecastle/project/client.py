"""HTTP requests to a gateway, by `make observe` and `make retrain`."""

import re
from typing import Any

import httpx

from forecastle.observations.address import is_this_machine


class NoAnswerError(Exception):
    """The gateway does not answer; the message says why in a few words."""


def request(method: str, url: str, **options: Any) -> httpx.Response:
    """Send a request and read the whole response, whatever its status.

    `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` apply, but never to an address on this machine.

    Args:
        method: Of HTTP.
        url: The address.
        options: Of `httpx.request`.

    Raises:
        NoAnswerError: There is no response, or none that is whole; or the address or the proxy is not valid.
    """
    timeout = options.pop("timeout", None)
    try:
        direct = httpx.HTTPTransport() if is_this_machine(httpx.URL(url).host) else None
        with httpx.Client(transport=direct, timeout=timeout) as client:
            return client.request(method, url, **options)
    except (httpx.HTTPError, httpx.InvalidURL, ImportError, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise NoAnswerError(re.sub(r"^\[[^]]*\] ", "", reason)) from None  # [Errno 111] Connection refused
