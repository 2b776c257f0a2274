"""What docker/gateway/nginx.conf decides by its maps; tests/e2e has the rest, with a real nginx."""

import ipaddress
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from forecastle.project import local_gateway
from forecastle.runtime import logs
from forecastle.web import prefix
from forecastle.web.problem_types import of_status
from forecastle.web.representations import _accepted

from .. import nginx

ROOT = Path(__file__).resolve().parents[2]
CONF = (ROOT / "docker/gateway/nginx.conf").read_text()


def mapped(variable: str, value: str) -> str:
    """What a map of nginx makes of a value."""
    (block,) = re.findall(rf"map \S.* \${variable} {{\n(.*?)\n    }}", CONF, re.DOTALL)
    default = ""
    for line in block.splitlines():
        if line.strip().startswith("volatile;"):
            continue
        pattern, result = re.fullmatch(r'\s*(".*?"|\S+) "?(.*?)"?;.*', line).groups()  # type: ignore[union-attr]
        if pattern == "default":
            default = result
            continue
        flags = re.IGNORECASE if pattern.startswith('"~*') else 0
        pattern = re.sub(r"\(\?<(?=\w+>)", "(?P<", pattern.strip('"').lstrip("~*"))
        if match := re.search(pattern, value, flags):
            return re.sub(r"\$(\w+)", lambda name: match.groupdict().get(name[1], name[0]), result)
    return default


@pytest.mark.parametrize(
    ("method", "uri", "args", "asked"),
    [
        ("GET", "/deaths/countries/GBR/forecast", "as_of=2020-05-01", True),
        ("HEAD", "/deaths/countries/GBR/forecast", "days=3&as_of=2020-05-01&level=0.5", True),
        ("GET", "/sales/stores/s%201/forecast", "as_of=2020-05-01", True),
        ("GET", "/deaths/forecast", "as_of=2020-05-01", True),
        ("GET", "/deaths/forecast", "as%5Fof=2020-05-01", True),
        ("GET", "/deaths/forecast", "%61s%5fo%66=2020-05-01", True),
        ("GET", "/deaths/forecast", "as_of=&as_of=2020-05-01", True),
        ("GET", "/deaths/countries/GBR/forecast", "known_at=2020-05-01T12:00Z", True),
        ("GET", "/deaths/forecast", "days=3&%6bnown%5Fa%74=2020-05-01T12:00Z&as_of=", True),
        ("GET", "/deaths/forecast", "known_at=&as_of=", False),
        ("GET", "/deaths/forecast", "as_of=", False),
        ("GET", "/deaths/forecast", "days=3", False),
        ("GET", "/deaths/forecast", "was_of=1&x=as_of", False),
        ("POST", "/deaths/forecast", "as_of=2020-05-01", False),
        ("GET", "/deaths/probability", "as_of=2020-05-01", False),
        ("GET", "/deaths/x/forecast", "as_of=2020-05-01", False),
        ("GET", "/forecast", "as_of=2020-05-01", False),
    ],
)
def test_a_past_forecast_is_asked_of_the_catalogue(method: str, uri: str, args: str, asked: bool) -> None:
    assert bool(mapped("past", f"{method} {mapped('dated', args)} {uri}")) == asked
    scope = {"method": method, "path": uri, "query_string": args.encode()}
    assert local_gateway._of_the_past(scope) == asked


@pytest.mark.parametrize(
    "address",
    [
        "203.0.113.77",
        "10.0.0.1",
        "2001:db8:1234:5678:9abc:def0:1234:5678",
        "2001:db8:1234:5678::1",
        "2001:db8:1234::1",
        "2001:db8::1",
        "2001:db8:0:1::5",
        "fe80::1234:5678",
        "::1",
        "::",
    ],
)
def test_an_address_is_logged_as_the_apps_would(address: str) -> None:
    kept = mapped("client", address)
    assert ipaddress.ip_address(kept) == ipaddress.ip_address(logs.anonymous(address))


def test_other_addresses() -> None:
    assert mapped("client", "::ffff:203.0.113.77") == "203.0.113.0"
    assert mapped("client", "2001:0:1:2:3:4:5:6") == "2001:0:1::"
    assert mapped("client", "2001::1:2:3:4:5:6") == "2001::"
    assert mapped("client", "unix:") == ""


@pytest.mark.parametrize(
    ("request_line", "path"),
    [
        ("GET /deaths/countries/GBR/forecast?days=3&level=0.5", None),
        ("HEAD /deaths/countries?x=1", None),
        ("GET /deaths/countries?API_KEY=x&days=3", "/deaths/countries"),
        ("GET /deaths/countries?days=3&access_token=x", "/deaths/countries"),
        ("GET /deaths/countries?password=x", "/deaths/countries"),
        ("GET /keys/secret", None),
        ("POST /observations?x=1", "/observations"),
        ("DELETE /observations?x=1", "/observations"),
        ("POST /observations", "/observations"),
    ],
)
def test_no_query_is_logged_that_could_hold_a_secret(request_line: str, path: str | None) -> None:
    assert mapped("logged_path", request_line) == (path or "$request_uri")


@pytest.mark.parametrize(
    ("variable", "longest"), [("short_path", 500), ("short_agent", 200), ("short_method", 20)]
)
def test_no_more_is_logged_than_a_line_has_room_for(variable: str, longest: int) -> None:
    assert mapped(variable, "x" * longest).startswith("$")  # as it is
    assert mapped(variable, "x" * (longest + 1)) == "x" * longest + "..."
    assert mapped(variable, "x" * 8000) == "x" * longest + "..."


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (f"00-{'a' * 32}-{'b' * 16}-01", True),
        (f"01-{'a' * 32}-{'b' * 16}-00", True),
        (f"ff-{'a' * 32}-{'b' * 16}-01", False),
        (f"00-{'a' * 32}-{'b' * 16}-01-more", False),
        (f"00-{'A' * 32}-{'b' * 16}-01", False),
        (f"00-{'0' * 32}-{'b' * 16}-01", False),
        (f"00-{'a' * 32}-{'0' * 16}-01", False),
        (f"00-{'a' * 32}-{'b' * 16}-01, 00-{'a' * 32}-{'b' * 16}-01", False),
        ("", False),
    ],
)
def test_a_valid_traceparent_is_kept_and_any_other_replaced(given: str, kept: bool) -> None:
    assert mapped("traceparent", given) == ("$http_traceparent" if kept else "00-$request_id-$span_id-01")


@pytest.mark.parametrize(
    ("failed", "again"),
    [
        ("GET 502/-", True),  # no live upstreams
        ("GET 502/0.001", True),  # a replica went away while it answered
        ("GET 504/-", True),  # no connection came about
        ("HEAD 504, 504/-, -", True),
        ("GET 502, 504/0.001, -", True),
        ("GET 504, 502/-, 0.001", True),
        ("GET 504/0.001", False),  # it took too long
        ("GET 502, 504/-, 0.001", False),
        ("POST 502/-", False),
        ("POST 504/-", False),
    ],
)
def test_what_is_tried_anew_where_no_replica_answered(failed: str, again: bool) -> None:
    assert bool(mapped("again", failed)) == again


@pytest.mark.parametrize(
    "given",
    [
        *("/forecasts", "/a/b-c_d~e/f.g", "/forecasts/", "/a.b", "/" + "x" * 127, "/" + "x" * 128, "", "/"),
        *(
            "forecasts",
            "//elsewhere.example",
            "/a//b",
            "/../a",
            "/a/..",
            "/./a",
            "/.a",
            "https://elsewhere.example",
        ),
        *(
            "/a b",
            "/a%2fb",
            "/a?b",
            "/a#b",
            "/a;b",
            '/a"b',
            "/a<b",
            "/a\\b",
            "/\\elsewhere.example",
            "/a, /b",
            "/é",
        ),
    ],
)
def test_nginx_believes_the_same_prefix_as_the_apps(given: str) -> None:
    scope = {"headers": [(b"x-forwarded-prefix", given.encode())]}
    assert mapped("prefix", given) == prefix.forwarded(scope)


MEDIA = st.sampled_from(
    [
        "text/csv",
        "TEXT/CSV",
        "application/json",
        "application/x-ndjson",
        "application/ndjson",
        "*/*",
        "text/html",
        "",
    ]
)
WEIGHT = st.sampled_from(["", ";q=0", ";q=0.5", "; q=1", ";q=x", ";charset=utf-8"])
ITEM = st.builds("{}{}".format, MEDIA, WEIGHT)


@given(st.builds(str.join, st.sampled_from([",", ", ", " ,"]), st.lists(ITEM, max_size=4)))
def test_an_answer_is_kept_as_the_representation_that_the_apps_choose(accept: str) -> None:
    """Or not at all, if it takes weights to choose."""
    assert mapped("representation", accept) in (_accepted(accept), "weighted")


@pytest.mark.parametrize(
    ("accept", "kept"),
    [
        ("", "json"),
        ("*/*", "json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "json"),
        ("text/csv", "csv"),
        ("application/x-ndjson, */*", "ndjson"),
        ("text/csv;q=0.5, application/json", "weighted"),
    ],
)
def test_what_most_clients_send_is_one_of_three(accept: str, kept: str) -> None:
    assert mapped("representation", accept) == kept
    assert mapped("cache", f"{kept} ") == ("off" if kept == "weighted" else "answers")


@pytest.mark.parametrize(
    ("answer", "same", "kept"),
    [
        ("yes 1234 {} Accept", "|", True),
        ("yes 999999 {} Accept, Accept-Encoding", "|", True),
        ("yes 1234 {} Accept, Origin", "https://page.example|https://page.example", True),
        ("yes 1234 {} Accept, Origin", "https://page.example|*", True),
        ("yes 1234 {} Accept, Origin", "https://page.example|", False),
        ("yes 1234 {} Accept", "a|b|c", False),
        (" 1234 {} Accept", "|", False),  # does not say that it may
        ("yes 1000000 {} Accept", "|", False),
        ("yes  {} Accept", "|", False),  # of unknown length
        ("yes 1234 {} Accept, Cookie", "|", False),
        ("yes 1234 {} *", "|", False),
    ],
)
def test_which_answers_are_kept(answer: str, same: str, kept: bool) -> None:
    assert (mapped("not_kept", answer.format(mapped("same", same))) == "") == kept


def test_the_cache_leaves_most_of_its_file_system_free() -> None:
    """nginx looks every ten seconds whether there is too much in it."""
    (temporary,) = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["gateway"]["tmpfs"]
    size, largest, free = (
        int(re.search(pattern, text)[1])  # type: ignore[index]
        for pattern, text in (
            (r"size=(\d+)m", temporary),
            (r"max_size=(\d+)m", CONF),
            (r"min_free=(\d+)m", CONF),
        )
    )
    assert 2 * largest <= free <= size - largest


def test_every_error_of_nginx_is_in_the_table() -> None:
    (statuses,) = re.findall("error_page ([0-9 ]+) /problem;", CONF)
    assert {"404", "405", "413", "503"} <= set(statuses.split())
    for status in [*statuses.split(), "431"]:
        assert of_status(int(status)), status


def test_nginx_accepts_the_configuration(tmp_path: Path) -> None:
    nginx.configure(tmp_path / "nginx", ["flu", "other-flu"])
    command = nginx.command(tmp_path / "nginx", "-t", network="none")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        started = done.returncode != 125  # Docker's own code if the container did not start
        reason = done.stderr
    except (OSError, subprocess.TimeoutExpired) as error:
        started, reason = False, str(error)
    if not started and os.environ.get("REQUIRE_ENGINE") != "1":
        pytest.skip(f"no Docker Engine has {nginx.IMAGE}: {reason.strip()}")
    assert started and done.returncode == 0, reason
