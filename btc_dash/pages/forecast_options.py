"""The forecast page's controls: how many days, and how else to ask and draw."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from btc_assets.contracts import HORIZONS, NETWORKS
from btc_assets.market.calendar import DAY, FIRST_DAY
from btc_dash.data import market
from btc_dash.data.context import Context
from btc_dash.data.forecasting import ForecastResult
from btc_dash.data.query import OVERS, PRESETS, Question
from btc_dash.pages.controls import Choice, Entry
from btc_dash.text import formatting as fmt

_MODEL_NAMES = {name: fmt.model(name) for name in ("ensemble", *NETWORKS)}
_START_NAMES = {"close": "Last close", "now": "Now"}
_VIEW_NAMES = {"line": "Line", "candles": "Candles"}
_SPAN_NAMES = {"50": "50 days", "180": "180 days", "365": "1 year", "all": "All"}
_OVER_NAMES = {name: "Nothing" if name == "none" else fmt.model(name) for name in OVERS}


def days(a: ForecastResult, complaints: dict[str, str]) -> Component:
    """Return the one control above the chart: how many days ahead."""
    names = {n: fmt.days(n) for n in PRESETS}
    entry = Entry("days", "number", "Days ahead", str(a.question.days), ("1", str(HORIZONS)),
                  ("One day less", "One day more"), names, complaints.get("days"))  # fmt: skip
    return html.Section(entry, className="controls horizon", **{"aria-label": "How far ahead"})


def others(context: Context, a: ForecastResult, complaints: dict[str, str]) -> Component:
    """Return the controls below the chart."""
    question, last = a.question, market.last_day(context.cache) or a.forecast.origin
    offered = context.running.offered or "start" in complaints
    return html.Section(
        [
            Choice("model", "Model", _MODEL_NAMES, question.model, complaints.get("model")),
            html.Div(Choice("start", "Start from", _START_NAMES, question.start, complaints.get("start")),
                     className="" if offered else "hidden"),
            Entry("as-of", "date", "Forecast made from", made_on(a),
                  (FIRST_DAY.isoformat(), last.isoformat()), ("One day earlier", "One day later"),
                  error=origin_error(complaints)),
            Choice("span", "History", _SPAN_NAMES, question.span, complaints.get("span")),
            Choice("view", "Show as", _VIEW_NAMES, question.view, complaints.get("view")),
            Choice("over", "Draw over it", _OVER_NAMES, question.over,
                   complaints.get("over") or over_error(a)),
        ],
        className="controls panel",
        **{"aria-label": "Ask and draw differently"},
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


def over_error(a: ForecastResult) -> str | None:
    """Say why what was asked for is not drawn over the chart."""
    name = a.question.over
    if a.over or name == "none":
        return None
    if name == a.question.model:
        return "That is the forecast that is shown."
    start = "a day that is not over" if a.quoted_at else fmt.day(a.forecast.origin)
    return f"There is no forecast of {fmt.the_model(name)} from {start}."
