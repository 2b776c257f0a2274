"""prefix.py: only a plain path comes before links, whatever a client sends."""

from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecastle.web.prefix import forwarded


def of(*values: bytes) -> str:
    return forwarded({"headers": [(b"host", b"x"), *((b"x-forwarded-prefix", value) for value in values)]})


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (b"/forecasts", "/forecasts"),
        (b"/forecasts/", "/forecasts"),
        (b"/team-1/v2.1/~me/a_b", "/team-1/v2.1/~me/a_b"),
        (b"/" + b"x" * 127, "/" + "x" * 127),
    ],
)
def test_a_plain_path_is_what_links_start_with(value: bytes, path: str) -> None:
    assert of(value) == path


@pytest.mark.parametrize(
    "value",
    [
        *(
            b"",
            b"/",
            b"forecasts",
            b"//elsewhere.example",
            b"/\\elsewhere.example",
            b"https://elsewhere.example",
        ),
        *(
            b"/a//b",
            b"/a/..",
            b"/../a",
            b"/./a",
            b"/.well-known",
            b"/a b",
            b"/a\tb",
            b"/%2e%2e",
            b"/a?b",
            b"/a#b",
        ),
        *(b'/"><script>', b"/a'b", b"/a,/b", b"/a;b", b"/\xc3\xa9", b"/a\n", b"/" + b"x" * 128),
    ],
)
def test_all_else_is_ignored(value: bytes) -> None:
    assert of(value) == ""


def test_two_of_them_are_ignored() -> None:
    assert of() == of(b"/a", b"/b") == ""


@given(st.one_of(st.binary(max_size=40), st.text("/.\\:@%a", max_size=12).map(str.encode)))
def test_no_link_leads_to_another_host(value: bytes) -> None:
    prefix = of(value)
    assert urljoin("http://here.example/x/y", f"{prefix}/deaths/") == f"http://here.example{prefix}/deaths/"
