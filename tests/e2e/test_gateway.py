"""What the gateway answers: every route of a model, and the errors that nginx and the apps tell alike."""

import datetime
import gzip
import json
import re

import pytest
from openapi_spec_validator import validate

from forecastle.frequency import Frequency

from .conftest import FORECASTS, MODELS, Project, run, until

pytestmark = pytest.mark.engine

PROBLEM = "application/problem+json"


@pytest.mark.parametrize("model", FORECASTS)
@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("", "application/json"),
        ("/", "application/json"),
        ("/{plural}", "application/json"),
        ("/{plural}/{code}/observations", "application/json"),
        ("/{plural}/{code}/forecast?days=7&level=0.5&level=0.9", "application/json"),
        ("/{plural}/{code}/probability?above=1&by={day}", "application/json"),
        ("/{plural}/{code}/probability?peak_by={day}", "application/json"),
        ("/{plural}/{code}/parameters", "application/json"),
        ("/{plural}/{code}", "application/json"),
        ("/forecast", "application/json"),
        ("/forecast?format=hubverse", "text/csv"),
        ("/forecast?format=ndjson", "application/x-ndjson"),
        ("/manifest.json", "application/json"),
        ("/card", "text/html"),
        ("/posterior.nc", "application/x-netcdf"),
        ("/livez", "application/json"),
        ("/readyz", "application/json"),
        ("/openapi.json", "application/json"),
        ("/docs", "text/html"),
    ],
)
def test_a_models_routes(stack: Project, model: str, path: str, media_type: str) -> None:
    manifest = stack.get(f"/{model}/manifest.json").json
    code, series = next(iter(manifest["series"].items()))
    after = Frequency.of(manifest["frequency"]).after(datetime.date.fromisoformat(series["origin_date"]), 1)
    answer = stack.get(f"/{model}" + path.format(plural=manifest["plural"], code=code, day=after))
    assert answer.status == 200
    assert answer.headers["content-type"].startswith(media_type)
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_model_that_forecasts_nothing_has_its_own_routes_and_what_all_have(stack: Project) -> None:
    """models/diagnosis: scikit-learn and a plain FastAPI app, which import nothing of Forecastle."""
    nuclei = {
        **{"radius": 14.1, "texture": 19.3, "perimeter": 92.0, "area": 654.9, "smoothness": 0.096},
        **{"compactness": 0.104, "concavity": 0.089, "concave_points": 0.049, "symmetry": 0.181},
        "fractal_dimension": 0.063,
    }
    body = json.dumps(nuclei).encode()
    answer = stack.get("/diagnosis/predict", "POST", body, **{"Content-Type": "application/json"})
    assert answer.status == 200
    assert 0 < answer.json["malignant"] < 1
    (entry,) = [one for one in stack.get("/models").json["models"] if one["model"] == "diagnosis"]
    assert (entry["kind"], entry["routes"]) == ("plain", ["POST /diagnosis/predict"])
    assert "horizon" not in entry
    for path in ("livez", "readyz", "docs", "card", "manifest.json", "openapi.json"):
        assert stack.get(f"/diagnosis/{path}").status == 200
    nothing = stack.get("/diagnosis/countries")
    assert (nothing.status, nothing.headers["content-type"]) == (404, PROBLEM)


def test_a_forecast_as_a_table(stack: Project) -> None:
    answer = stack.get("/deaths/countries/GBR/forecast?days=14", Accept="text/csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert len(answer.body.decode().splitlines()) == 15
    assert stack.get("/deaths/countries/GBR/forecast?days=14").json["country"] == "GBR"


def test_the_catalogue_lists_every_model_with_its_health(stack: Project) -> None:
    entries = {entry["model"]: entry for entry in stack.get("/models").json["models"]}
    assert set(entries) == set(MODELS)
    for model, entry in entries.items():
        manifest = stack.get(f"/{model}/manifest.json").json
        assert (entry["health"], entry["version"]) == ("ready", manifest["version"])
        assert entry.get("data_through") == manifest.get("data", {}).get("last_day")
    for path in ("/", "/openapi.json", "/docs"):
        assert stack.get(path).status == 200


def test_one_openapi_document_of_all_models(stack: Project) -> None:
    answer = stack.get("/openapi.json", **{"Accept-Encoding": "gzip"})
    document = json.loads(gzip.decompress(answer.body))
    validate(document)
    assert {tag["name"]: tag.get("x-health") for tag in document["tags"]} == {
        "gateway": None,
        **dict.fromkeys(MODELS, "ready"),
    }
    for model in FORECASTS:
        plural = stack.get(f"/{model}/manifest.json").json["plural"]
        assert f"/{model}/{plural}/{{code}}/forecast" in document["paths"]
    assert "/diagnosis/predict" in document["paths"]
    assert set(answer.headers["vary"].split(", ")) == {"Accept", "Accept-Encoding"}
    assert stack.get("/openapi.json", **{"If-None-Match": answer.headers["etag"]}).status == 304
    head = stack.get("/openapi.json", "HEAD")
    assert (head.status, head.body) == (200, b"")


def test_the_page_is_compressed_and_what_it_loads_is_kept(stack: Project) -> None:
    page = stack.get("/", **{"Accept-Encoding": "gzip"})
    assert page.headers["content-encoding"] == "gzip"
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert stack.get("/", **{"If-None-Match": page.headers["etag"]}).status == 304
    (script,) = re.findall(r'<script type="module" src="([^"]+)"', stack.get("/").body.decode())
    for _ in range(2):
        answer = stack.get(script, **{"Accept-Encoding": "gzip"})
    assert (answer.headers["content-encoding"], answer.headers["x-cache"]) == ("gzip", "HIT")
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("page", ["/", "/docs", *(f"/{model}/docs" for model in MODELS)])
def test_pages_load_nothing_from_elsewhere(stack: Project, page: str) -> None:
    html = stack.get(page).body.decode()
    links = re.findall(r"""(?:href|src|url)\s*[=:]\s*["']([^"']+)["']""", html)
    assert len(links) >= 3
    for link in links:
        assert link.startswith("/") and not link.startswith("//"), link
        assert stack.get(link).status == 200, link


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nosuch", 404),
        ("/nosuch/countries/GBR/forecast", 404),
        ("/Deaths/livez", 404),
        ("/deathsx", 404),
        ("/metrics", 404),
        ("/problem", 404),
        ("/deaths/nosuch", 404),
        ("/deaths/countries/XYZ/forecast", 404),
        ("/deaths/countries/GBR/forecast?days=0", 422),
        ("/deaths/countries/GBR/forecast?days=-1", 422),
        ("/deaths/countries/GBR/forecast?days=1000", 422),
        ("/deaths/countries/GBR/forecast?days=abc", 422),
        ("/deaths/countries/GBR/forecast?level=0", 422),
        ("/deaths/countries/GBR/forecast?level=1", 422),
        ("/deaths/countries/GBR/forecast?level=-0.5", 422),
        ("/deaths/countries/GBR/forecast?level=nan", 422),
        ("/deaths/%zz", 400),
        ("/deaths/countries/%", 400),
        ("/deaths/%00", 400),
        ("/..", 400),
        ("/../../etc/passwd", 400),
        ("/deaths/..%2f..%2f..%2fetc/passwd", 400),
        ("/deaths/../nosuch", 404),
        ("/deaths/../exponential/livez", 404),
        ("/deaths/countries/../../../etc/passwd", 400),
        ("/" + "a" * 1_000_000, 414),
        ("/deaths/countries/GBR/forecast?days=" + "1" * 1_000_000, 414),
        ("/deaths/metrics", 404),
        ("/deaths/metrics/", 404),
        ("/deaths//metrics", 404),
        ("/deaths/%6Detrics", 404),
        ("/deaths/x/../metrics", 404),
    ],
)
def test_bad_paths_are_problems(stack: Project, path: str, status: int) -> None:
    answer = stack.get(path)
    assert answer.status == status
    assert_problem(answer.headers, answer.body, status)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE"])
def test_methods_that_are_not_allowed(stack: Project, method: str) -> None:
    answer = stack.get("/deaths/countries", method)
    assert answer.status == 405
    assert "GET" in answer.headers["allow"]
    assert_problem(answer.headers, answer.body, 405)


@pytest.mark.parametrize(
    ("path", "method"),
    [("/deaths/countries", "GET"), ("/models", "GET"), ("/v2/models/deaths/infer", "POST")],
)
def test_options_reaches_the_app(stack: Project, path: str, method: str) -> None:
    answer = stack.get(path, "OPTIONS")
    assert answer.status < 500
    assert method in answer.headers["allow"]


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/deaths/probability", 64 * 1024),
        ("/v2/models/deaths/infer", 64 * 1024),
        ("/v2/repository/index", 64 * 1024),
        ("/observations", 8 * 1024 * 1024),
    ],
)
def test_a_long_body_is_a_problem(stack: Project, path: str, limit: int) -> None:
    answer = stack.get(path, "POST", b"x" * (limit + 1))
    assert answer.status == 413
    assert_problem(answer.headers, answer.body, 413)
    assert stack.get(path, "POST", b"x" * limit).status != 413


def test_a_long_header_is_a_problem(stack: Project) -> None:
    answer = stack.get("/deaths/livez", Cookie="a" * 20_000)
    assert answer.status == 431
    assert_problem(answer.headers, answer.body, 431)


def test_an_unknown_model_is_sent_to_the_list(stack: Project) -> None:
    assert "/models" in stack.get("/nosuch/livez").json["detail"]


def test_an_unknown_country_is_answered_with_near_matches(stack: Project) -> None:
    assert stack.get("/deaths/countries/GRB/forecast").json["near_matches"]


@pytest.mark.parametrize("path", ["/nosuch/livez", "/models/nosuch", "/deaths/nosuch"])
def test_the_type_of_a_problem_leads_to_a_page(stack: Project, path: str) -> None:
    """Whether nginx, the catalogue or a model reported it."""
    page = stack.get(stack.get(path).json["type"])
    assert page.status == 200 and page.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("path", ["/deaths/decisions", "/deaths/countries"])
def test_options_tells_the_methods(stack: Project, path: str) -> None:
    answer = stack.get(path, "OPTIONS")
    assert answer.status == 204
    assert "OPTIONS" in answer.headers["allow"]


def test_beyond_the_horizon_it_is_named(stack: Project) -> None:
    assert "28" in stack.get("/deaths/countries/GBR/forecast?days=1000").json["detail"]


def test_a_request_id_is_kept_if_it_is_harmless(stack: Project) -> None:
    answer = stack.get("/deaths/nosuch", **{"X-Request-ID": "my-request_1.2"})
    assert answer.headers["x-request-id"] == answer.json["request_id"] == "my-request_1.2"
    for bad in ('"}', "a" * 129, "ü", ""):
        answer = stack.get("/deaths/nosuch", **{"X-Request-ID": bad})
        assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


def test_the_access_log_is_json_with_the_request_id(stack: Project) -> None:
    stack.get(
        '/deaths/livez?quote="',
        **{
            "X-Request-ID": "to-be-found",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        },
    )

    def lines() -> list[str]:
        return run("docker", "logs", *stack.containers("gateway")).stdout.splitlines()

    found = until(lambda: [line for line in lines() if "to-be-found" in line], 5, "the request is logged")
    (entry,) = map(json.loads, found)
    assert (entry["status"], entry["method"], entry["traceparent"]) == (
        200,
        "GET",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )
    assert not any("/gateway/livez" in line for line in lines())


def test_answers_to_post_are_not_kept(stack: Project) -> None:
    answers = [stack.get("/v2/repository/index", "POST") for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 200]
    assert not any("x-cache" in answer.headers for answer in answers)


def test_an_answer_is_kept_for_two_seconds_and_revalidated(stack: Project) -> None:
    # On a machine that is busy two seconds may pass in between.
    for days in range(9, 14):
        path = f"/deaths/countries/GBR/forecast?days={days}"
        first, second = stack.get(path), stack.get(path)
        if second.headers["x-cache"] == "HIT":
            break
    assert (first.headers["x-cache"], second.headers["x-cache"]) == ("MISS", "HIT")
    assert first.body == second.body
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert stack.get(path, **{"If-None-Match": first.headers["etag"]}).status == 304


def test_long_answers_are_compressed(stack: Project) -> None:
    answer = stack.get("/deaths/countries", **{"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.body) < len(stack.get("/deaths/countries").body) / 2


def assert_problem(headers: dict[str, str], body: bytes, status: int) -> None:
    """RFC 9457, with the id of the request, and nothing of what went on inside."""
    assert headers["content-type"] == PROBLEM
    problem = json.loads(body)
    assert problem["status"] == status
    assert problem["title"] and problem["detail"] and problem["type"].startswith("/docs/problems/")
    assert problem["request_id"] == headers["x-request-id"]
    assert b"Traceback" not in body and b"nginx" not in body.lower()
