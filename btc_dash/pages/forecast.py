"""The forecast page: ask for a number of days, see the last weeks and what may follow."""

from __future__ import annotations

from dash import dcc, html
from dash.development.base_component import Component

from btc_assets.contracts import HORIZONS, NETWORKS
from btc_assets.market.calendar import DAY, FIRST_DAY
from btc_dash.charts.base import CONFIG, Figure
from btc_dash.charts.fan import LEGEND, fan_figure
from btc_dash.data import market
from btc_dash.data.context import Context
from btc_dash.data.forecasting import ForecastResult
from btc_dash.data.query import PRESETS, Question
from btc_dash.pages import chance
from btc_dash.pages.controls import Choice, Entry, Table
from btc_dash.text import forecast_text
from btc_dash.text import formatting as fmt

TABLE_LEVELS = {
    0.025: "2.5 %", 0.1: "10 %", 0.25: "25 %", 0.5: "Middle", 0.75: "75 %", 0.9: "90 %", 0.975: "97.5 %",
}  # fmt: skip
"""The quantile levels of the table and their headings."""

_MODEL_NAMES = {name: fmt.model(name) for name in ("ensemble", *NETWORKS)}
_START_NAMES = {"close": "Last close", "now": "Now"}
_VIEW_NAMES = {"line": "Line", "candles": "Candles"}
_CONFIG = CONFIG | {"edits": {"shapePosition": True}}
"""The line of the question can be dragged."""

_TALL = {"height": "clamp(320px, 54vh, 480px)"}
_SPAN_NAMES = {"50": "50 days", "180": "180 days", "365": "1 year", "all": "All"}


def page(context: Context, a: ForecastResult, complaints: dict[str, str], search: str) -> Component:
    """Return the whole page for one answer, asked for with the query string ``search``."""
    return html.Div(
        [
            dcc.Location(id="address", refresh=False, search=search),
            html.Section(
                [
                    html.H1(forecast_text.headline(a), id="headline"),
                    html.P(forecast_text.lead(a), id="lead", className="lead"),
                    html.P(forecast_text.hindsight(a), id="hindsight", className="lead happened"),
                    html.P(forecast_text.trust(context.cache, a), id="trust", className="lead"),
                ],
                className="said",
                **{"aria-live": "polite"},
            ),
            _controls(context, a, complaints),
            html.Section(tiles(a), id="tiles", className="tiles", **{"aria-label": "In numbers"}),
            _chart(a, complaints),
            chance.section(context, a, complaints),
            _table(a),
        ],
        className="forecast",
    )


def figure(a: ForecastResult) -> Figure:
    """Return the chart of an answer."""
    line = (chance.drawn_price(a), chance.price_step(a.last_close))
    return fan_figure(a.past, a.forecast, a.after, a.question.view, a.quoted_at is not None, *line)


def _controls(context: Context, a: ForecastResult, complaints: dict[str, str]) -> Component:
    question, last = a.question, market.last_day(context.cache) or a.forecast.origin
    day_names = {n: fmt.days(n) for n in PRESETS}
    return html.Section(
        [
            Entry("days", "number", "Days ahead", str(question.days), ("1", str(HORIZONS)),
                  ("One day less", "One day more"), day_names, complaints.get("days")),
            Choice("model", "Model", _MODEL_NAMES, question.model, complaints.get("model")),
            html.Div(Choice("start", "Start from", _START_NAMES, question.start, complaints.get("start")),
                     className="" if context.running.offered or "start" in complaints else "hidden"),
            Entry("as-of", "date", "Forecast made on", made_on(a),
                  (FIRST_DAY.isoformat(), last.isoformat()), ("One day earlier", "One day later"),
                  error=origin_error(complaints)),
        ],
        className="controls",
        **{"aria-label": "The question"},
    )  # fmt: skip


def made_on(a: ForecastResult) -> str:
    """Return the date in the form: the origin, or the last closed day before a running one."""
    return (a.forecast.origin - DAY if a.quoted_at else a.forecast.origin).isoformat()


def origin_error(complaints: dict[str, str]) -> str | None:
    """Return what is wrong with where the forecast starts: its day or its vintage."""
    return complaints.get("as_of") or complaints.get("vintage")


def origin_field(question: Question) -> str:
    """Return the field that says where the forecast starts, for a message about it."""
    return "start" if question.start == "now" else "as_of"


def named_vintage(question: Question) -> list[Component | str]:
    """Return where a vintage was asked for by name: that it was, and the way back to the one in force."""
    if not question.vintage:
        return []
    plain = question.model_copy(update={"vintage": None}).search
    return [f"Asked of the vintage {question.vintage}. ", html.A("Use the one in force", href=f"/{plain}")]


def tiles(a: ForecastResult) -> list[Component]:
    """Return the answer in four numbers."""
    low, high = a.forecast.level(0.1)[-1], a.forecast.level(0.9)[-1]
    middle = a.forecast.median[-1]
    higher = fmt.chance(a.forecast.chance_above(a.last_close))
    return [
        _tile("Price now" if a.quoted_at else "Last close", fmt.usd(a.last_close),
              "provisional" if a.quoted_at else fmt.day(a.past.dates[-1])),
        _tile(f"Middle, {fmt.day(a.target, year=False)}", fmt.usd(middle),
              fmt.signed_percent(middle / a.last_close - 1)),
        _tile("80 % range", fmt.usd_range(low, high), "4 chances in 5"),
        _tile("Ends higher", higher, "chance to close above the last"),
    ]  # fmt: skip


def _tile(label: str, value: str, note: str) -> Component:
    return html.Div(
        [
            html.Div(label, className="label"),
            html.Div(value, className="value"),
            html.Div(note, className="note"),
        ],
        className="tile",
    )


def _chart(a: ForecastResult, complaints: dict[str, str]) -> Component:
    return html.Section(
        [
            html.Div(
                [
                    html.H2("What was, and what may follow"),
                    html.Div(
                        [
                            Choice("span", "History", _SPAN_NAMES, a.question.span, complaints.get("span")),
                            Choice("view", "Show as", _VIEW_NAMES, a.question.view, complaints.get("view")),
                        ],
                        className="tools",
                    ),
                ],
                className="panel-head",
            ),
            html.Div(legend(a), id="legend", className="legend", **{"aria-hidden": "true"}),
            dcc.Graph(id="fan", figure=figure(a), config=_CONFIG, style=_TALL),
            html.P(forecast_text.provenance(a), id="provenance", className="hint"),
            html.P(named_vintage(a.question), id="named", className="hint"),
            html.Div(
                [
                    html.A(
                        "Download CSV",
                        id="csv",
                        className="button",
                        href=csv_address(a.question),
                        download="",
                    ),
                    html.Button("Download PNG", id="png"),
                    html.Button("Copy link", id="link"),
                    dcc.Link("Why this wide?", href="/volatility", className="button"),
                    html.Span(id="copied", role="status"),
                ],
                className="actions",
            ),
        ],
        className="panel",
    )


def legend(a: ForecastResult) -> list[Component]:
    """Return what each line and colour of the chart stands for, as far as it is there."""
    absent = {"price" if a.question.view == "candles" else "candle"}
    if not a.after.dates:
        absent.add("actual")
    return [html.Span([html.I(className=f"key {key}"), text]) for key, text in LEGEND if key not in absent]


def csv_address(question: Question) -> str:
    """Return where the same forecast is as a CSV file."""
    return f"/api/v1/forecast{question.forecast_search}&format=csv"


def _table(a: ForecastResult) -> Component:
    head, rows = table(a)
    return html.Details(
        [html.Summary("Day by day"), Table("table", "The forecast day by day", head, rows)], className="panel"
    )


def table(a: ForecastResult) -> tuple[list[str], list[list[str]]]:
    """Return the forecast day by day, with what happened where it has: headings and rows."""
    happened = dict(zip(a.after.dates, a.after.closes, strict=True))
    head = ["Day (UTC)", *TABLE_LEVELS.values(), *(["Closed at"] if happened else [])]
    columns = [a.forecast.level(level) for level in TABLE_LEVELS]
    rows = []
    for target, *prices in zip(a.forecast.targets, *columns, strict=True):
        cells = [fmt.usd(price) for price in prices]
        if happened:
            cells.append(fmt.usd(happened[target]) if target in happened else "–")
        rows.append([fmt.long_day(target), *cells])
    return head, rows
