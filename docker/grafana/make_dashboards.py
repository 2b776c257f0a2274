"""Writes dashboards/*.json, which Grafana reads: `.venv/bin/python docker/grafana/make_dashboards.py`.

The files are in git, so that building needs nothing, and can be imported into a Grafana of your own.
"""

from pathlib import Path

from grafana_foundation_sdk.builders import stat, timeseries
from grafana_foundation_sdk.builders.common import ReduceDataOptions, VizLegendOptions
from grafana_foundation_sdk.builders.dashboard import (
    Dashboard,
    DashboardLink,
    QueryVariable,
    Row,
    ThresholdsConfig,
)
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueTextMode,
    DataSourceRef,
    LegendDisplayMode,
    LegendPlacement,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
)

FOLDER = Path(__file__).with_name("dashboards")
PROMETHEUS = DataSourceRef(type_val="prometheus", uid="prometheus")  # as provisioning/datasources says
HEIGHT, WIDTH, NARROW = 8, 12, 4  # of 24 columns
# Selectors: every app; the model that is chosen, what was asked of it (not by scrapes and health checks), and
# its scores at all horizons together or at some, in days.
APPS = '{job="forecastle"}'
CHOSEN = '{model="$model"}'
ASKED = '{model="$model",http_route!~"/(metrics|livez|readyz|v2/health/.+)"}'
AT_ALL = '{model="$model",horizon="all"}'
AHEAD = '{model="$model",horizon=~"1|7|14|28"}'
AHEAD_90 = '{model="$model",horizon=~"1|7|14|28",level="0.9"}'
SHARES = (0.5, 0.9, 0.99)

Panel = timeseries.Panel | stat.Panel


def quantile(share: float, histogram: str) -> str:
    """PromQL for the value that this share of the chosen model's requests stays below."""
    buckets = f"rate(http_server_{histogram}_bucket{ASKED}[$__rate_interval])"
    return f"histogram_quantile({share}, sum by (le) ({buckets}))"


def graph(
    title: str, queries: dict[str, str], unit: str = "short", description: str = ""
) -> timeseries.Panel:
    """Lines over time.

    Args:
        title: Of the panel.
        queries: Their legends, such as `{{model}}`, and PromQL.
        unit: Grafana's name for it.
        description: What a reader should know.
    """
    panel = timeseries.Panel().title(title).unit(unit).datasource(PROMETHEUS).height(HEIGHT).span(WIDTH)
    legend = VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    panel = panel.legend(legend.show_legend(True)).description(description).fill_opacity(5)
    for letter, (legend_format, expression) in zip("ABCDEFGH", queries.items(), strict=False):
        panel = panel.with_target(
            Dataquery().ref_id(letter).expr(expression).legend_format(legend_format).datasource(PROMETHEUS)
        )
    return panel


def number(
    title: str,
    query: str,
    unit: str = "short",
    *,
    bad: float | None = None,
    good: float | None = None,
    legend: str = "{{model}}",
    span: int = NARROW,
    names: bool = False,
) -> stat.Panel:
    """The present value of each series, red from `bad` on, or below `good`; or, with `names`, its legend."""
    steps = [Threshold(value=None, color="text")]
    if bad is not None:
        steps = [Threshold(value=None, color="green"), Threshold(value=bad, color="red")]
    if good is not None:
        steps = [Threshold(value=None, color="red"), Threshold(value=good, color="green")]
    target = Dataquery().ref_id("A").expr(query).legend_format(legend).datasource(PROMETHEUS).instant()
    return (
        stat.Panel()
        .title(title)
        .unit(unit)
        .datasource(PROMETHEUS)
        .height(NARROW)
        .span(span)
        .thresholds(ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .text_mode(BigValueTextMode.NAME if names else BigValueTextMode.AUTO)
        .with_target(target)
    )


def dashboard(uid: str, title: str, rows: dict[str, list[Panel]], models: str = "") -> Dashboard:
    """Rows of panels; with `models`, a PromQL selector, for one of the models that it finds."""
    board = (
        Dashboard(title)
        .uid(f"forecastle-{uid}")
        .tags(["forecastle"])
        .link(DashboardLink("Forecastle").type(DashboardLinkType.DASHBOARDS).tags(["forecastle"]))
        .readonly()
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
    )
    if models:
        variable = QueryVariable("model").label("Model").datasource(PROMETHEUS)
        variable = variable.query(f"label_values({models}, model)").refresh(
            VariableRefresh.ON_TIME_RANGE_CHANGED
        )
        board = board.with_variable(variable)
    for row, panels in rows.items():
        board = board.with_row(Row(row))
        for panel in panels:
            board = board.with_panel(panel)
    return board


FLEET = dashboard(
    "fleet",
    "Forecastle: all models",
    {
        "Now": [
            number(
                "Replicas that answer",
                'sum by (model) (up{job="forecastle"}) or 0 * model:expected',
                good=1,
                span=10,
            ),
            number("Alerts", 'count(ALERTS{alertstate="firing"}) or vector(0)', bad=1, legend="firing"),
            number("Gateway", "min(nginx_up)", good=1, legend="nginx"),
            number("Connections", "sum(nginx_connections_active)", legend="open", span=6),
        ],
        "Requests": [
            graph(
                "Requests at the gateway",
                {"all": "sum(rate(nginx_http_requests_total[$__rate_interval]))"},
                "reqps",
            ),
            graph(
                "Requests that reach a model",
                {"{{model}}": "model:http_server_requests:rate5m"},
                "reqps",
                "Without scrapes, health checks and what the gateway answers from its cache.",
            ),
            graph(
                "Server errors",
                {"{{model}}": "model:http_server_errors:ratio5m"},
                "percentunit",
                "Of all that a model answers. The objective allows 0.1 %.",
            ),
            graph(
                "Burn rate over three days",
                {"{{model}}": "model:http_server_errors:ratio3d / 0.001"},
                description="Errors over those that the objective allows: above 1 for a month, it is missed.",
            ),
            graph(
                "99 of 100 requests are faster than",
                {"{{model}}": "model:http_server_request_duration_seconds:p99_5m"},
                "s",
            ),
            graph("Requests being answered", {"{{model}}": "sum by (model) (http_server_active_requests)"}),
        ],
        "Data and training": [
            graph(
                "Days of observations that a model does not know",
                {"{{model}}": "model:data_behind:days"},
                "d",
            ),
            graph(
                "Time since training",
                {"{{model}}": "time() - min by (model) (forecastle_trained_timestamp_seconds)"},
                "s",
            ),
        ],
        "Processes": [
            graph(
                "Memory",
                {"{{model}}": f"sum by (model) (process_resident_memory_bytes{APPS})"},
                "bytes",
            ),
            graph(
                "Processors",
                {"{{model}}": f"sum by (model) (rate(process_cpu_seconds_total{APPS}[$__rate_interval]))"},
            ),
            graph("Workers", {"{{model}}": "sum by (model) (forecastle_workers)"}),
            graph(
                "Workers started anew",
                {"{{model}}": "sum by (model) (increase(forecastle_worker_restarts_total[1h]))"},
                description="In the hour before.",
            ),
        ],
    },
)

MODEL = dashboard(
    "model",
    "Forecastle: one model",
    {
        "What is served": [
            number("Version", f"forecastle_build_info{CHOSEN}", legend="{{version}}", span=8, names=True),
            number("Replicas that answer", 'sum(up{job="forecastle",model="$model"})', legend="up", good=1),
            number(
                "Data behind, of what may be",
                f"model:data_behind:days{CHOSEN} / on (model) model:data_behind_allowed:days",
                "percentunit",
                bad=1,
            ),
            number("Series", f"max(forecastle_series{CHOSEN})", legend="forecast"),
            number("Series left out", f"max(forecastle_series_excluded{CHOSEN})", legend="left out"),
        ],
        "Fit": [
            number("Worst R-hat", f"max(forecastle_fit_r_hat_max{CHOSEN})", legend="R-hat", bad=1.01),
            number("Smallest ESS", f"min(forecastle_fit_ess_min{CHOSEN})", legend="ESS", good=400),
            number("Divergences", f"max(forecastle_fit_divergences{CHOSEN})", legend="divergences", bad=1),
            number("Smallest E-BFMI", f"min(forecastle_fit_e_bfmi_min{CHOSEN})", legend="E-BFMI", good=0.3),
            number("Training took", f"max(forecastle_training_seconds{CHOSEN})", "s", legend="training"),
            number(
                "Backtest: WIS over naive",
                f"max(forecastle_backtest_wis_ratio{CHOSEN})",
                legend="ratio",
                bad=1,
            ),
        ],
        "Requests": [
            graph(
                "By route",
                {
                    "{{http_route}}": "sum by (http_route) "
                    f"(rate(http_server_request_duration_seconds_count{ASKED}[$__rate_interval]))"
                },
                "reqps",
            ),
            graph(
                "By status",
                {
                    "{{http_response_status_code}}": "sum by (http_response_status_code) "
                    f"(rate(http_server_request_duration_seconds_count{ASKED}[$__rate_interval]))"
                },
                "reqps",
            ),
            graph(
                "Duration",
                {f"{share:.0%}": quantile(share, "request_duration_seconds") for share in SHARES},
                "s",
            ),
            graph(
                "Size of answers",
                {f"{share:.0%}": quantile(share, "response_body_size_bytes") for share in SHARES},
                "bytes",
            ),
        ],
        "Processes": [
            graph("Memory", {"{{instance}}": f"process_resident_memory_bytes{CHOSEN}"}, "bytes"),
            graph(
                "Processors",
                {"{{instance}}": f"rate(process_cpu_seconds_total{CHOSEN}[$__rate_interval])"},
            ),
        ],
    },
    models='up{job="forecastle"}',
)

FORECASTS = dashboard(
    "forecasts",
    "Forecastle: do forecasts come true?",
    {
        "One model": [
            graph(
                "Coverage",
                {
                    "{{level}}": f"max by (level) (forecast_interval_coverage_ratio{AT_ALL})",
                    "backtest, {{level}}": f"max by (level) (forecastle_backtest_coverage_ratio{CHOSEN})",
                },
                "percentunit",
                "The share of what was observed since that intervals hold: those of 0.9 should hold 90 %.",
            ),
            graph(
                "Coverage of 90 % intervals, by days ahead",
                {"{{horizon}}": f"max by (horizon) (forecast_interval_coverage_ratio{AHEAD_90})"},
                "percentunit",
            ),
            graph(
                "Weighted interval score, by days ahead",
                {"{{horizon}}": f"max by (horizon) (forecast_wis{AHEAD})"},
            ),
            graph(
                "The same over the naive forecast's",
                {"{{horizon}}": f"max by (horizon) (forecast_wis_ratio{AHEAD})"},
                description="Below 1 the model is the better one.",
            ),
            graph(
                "Bias, by days ahead",
                {"{{horizon}}": f"max by (horizon) (forecast_bias{AHEAD})"},
                description="Above 0 forecasts are too high, below too low.",
            ),
            graph("Forecasts scored", {"all": f"max(forecast_scored_count{AT_ALL})"}),
        ],
        "All models": [
            graph(
                "Coverage of 90 % intervals",
                {"{{model}}": 'max by (model) (forecast_interval_coverage_ratio{level="0.9",horizon="all"})'},
                "percentunit",
            ),
            graph(
                "Weighted interval score over the naive forecast's",
                {"{{model}}": 'max by (model) (forecast_wis_ratio{horizon="all"})'},
            ),
        ],
        "Observations": [
            number("Store", "min(forecastle_store_writable)", legend="writable", good=1),
            number(
                "Newest observation",
                "max(forecastle_observations_through_timestamp_seconds) * 1000",
                "dateTimeAsIso",
                legend="day",
                span=8,
            ),
            number(
                "Series that drift",
                "count(count by (noun, series) (forecastle_drift == 1)) or vector(0)",
                legend="series",
                bad=1,
            ),
            number(
                "Store errors",
                "sum(increase(forecastle_store_errors_total[1d]))",
                legend="in a day",
                bad=1,
                span=8,
            ),
            graph(
                "Observations received",
                {
                    "rows received": "sum(increase(forecastle_observations_received_total[1h]))",
                    "files refused": "sum(increase(forecastle_observations_rejected_total[1h]))",
                },
                description="In the hour before.",
            ),
            graph(
                "Series that drift",
                {"{{reason}}": "count by (reason) (forecastle_drift == 1) or vector(0)"},
            ),
        ],
    },
    models='forecast_scored_count{horizon="all"}',
)


def main() -> None:
    """Write the files."""
    for name, board in {"fleet": FLEET, "model": MODEL, "forecasts": FORECASTS}.items():
        (FOLDER / f"{name}.json").write_text(
            JSONEncoder(sort_keys=True, indent=2).encode(board.build()) + "\n"
        )


if __name__ == "__main__":
    main()
