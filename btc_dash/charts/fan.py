"""The forecast page's chart: the last days, the line at "now", and the fan of what may follow."""

from __future__ import annotations

import datetime as dt

from btc_dash.charts.base import (
    ACTUAL,
    ASKED,
    FORECAST,
    GREY,
    INK,
    RISING,
    Figure,
    Trace,
    band,
    day_axis,
    layout,
    line,
    plain,
    y_axis,
)
from btc_dash.data.market import Forecast, History
from btc_dash.text.formatting import day, model, usd

BANDS = ((0.025, 0.975, "95 %", 0.15), (0.1, 0.9, "80 %", 0.2), (0.25, 0.75, "50 %", 0.3))
"""Lower and upper level, name and opacity of each band, widest first."""

_MONEY = "$%{y:,.0f}<extra>%{fullData.name}</extra>"
_RANGE = "$%{customdata:,.0f} – $%{y:,.0f}<extra>%{fullData.name}</extra>"


def fan_figure(
    past: History,
    forecast: Forecast,
    after: History,
    view: str,
    provisional: bool = False,
    price: float | None = None,
    step: int = 1,
) -> Figure:
    """History up to the origin, the fan from it and, where the days have come, what happened.

    ``past`` ends on the origin; ``after`` holds the candles behind it, up to the last target. A line that
    can be dragged lies at ``price``; it is dropped on a multiple of ``step``.
    """
    traces = [*_fan(past, forecast), _candles(past) if view == "candles" else _closes(past)]
    if after.dates:
        traces.append(_what_happened(past, after))
    drawn = _layout(past, forecast, "now" if provisional else "last close")
    if price is not None:
        drawn["shapes"] = [*drawn["shapes"], _price_line(price)]
        drawn["annotations"] = [*drawn["annotations"], _price_label(price)]
        drawn["meta"] |= {"price": price, "step": step}
        drawn["editrevision"] = price
    return {"data": traces, "layout": drawn}


def _fan(past: History, forecast: Forecast) -> list[Trace]:
    """Return the bands and the median, starting at the last close so that the fan has a tip."""
    tip = past.closes[-1]
    days = [past.dates[-1], *forecast.targets]
    traces: list[Trace] = []
    for low, high, name, alpha in BANDS:
        edges = [tip, *forecast.level(low)], [tip, *forecast.level(high)]
        traces += band(days, *edges, name, f"band{name[:2]}", alpha, _RANGE)
    median = line(days, [tip, *forecast.median], "middle", "median", FORECAST, _MONEY, width=2.5)
    median["mode"] = "lines+markers" if len(days) <= 32 else "lines"
    median["marker"] = {"size": 4.5, "color": FORECAST}
    return [*traces, median]


def _closes(past: History) -> Trace:
    return line(past.dates, past.closes, "close", "price", INK, _MONEY)


def _candles(past: History) -> Trace:
    """Draw candles that do not rely on colour: rising days are hollow, falling days are filled."""
    frame = past.frame
    return {
        "type": "candlestick",
        "uid": "candles",
        "name": "candle",
        "x": plain(past.dates),
        **{part: plain(frame[part]) for part in ("open", "high", "low", "close")},
        "increasing": {"line": {"color": RISING, "width": 1.5}, "fillcolor": "rgba(0,0,0,0)"},
        "decreasing": {"line": {"color": GREY, "width": 1.5}, "fillcolor": GREY},
        "whiskerwidth": 0,
    }


def _what_happened(past: History, after: History) -> Trace:
    days, closes = [past.dates[-1], *after.dates], [past.closes[-1], *after.closes]
    return line(days, closes, "what happened", "actual", ACTUAL, _MONEY, width=2.5)


def _layout(past: History, forecast: Forecast, label: str) -> Figure:
    origin = past.dates[-1]
    span = (forecast.targets[-1] - past.dates[0]).days
    start, end = past.dates[0], forecast.targets[-1] + dt.timedelta(days=max(1, round(span * 0.02)))
    return layout(
        uirevision="fan",
        xaxis=day_axis(
            range=plain([start, end]), rangeslider={"visible": False}, tickformat=_ticks(span), nticks=8
        ),
        yaxis=y_axis(),
        shapes=[_now_line(origin.isoformat())],
        annotations=[_now_label(origin, label)],
        meta={"title": f"Bitcoin, {model(forecast.model)} forecast from {day(origin)}"},
    )


def _ticks(span: int) -> str:
    return "%-d %b" if span <= 200 else "%b %Y"


def _now_line(x: str) -> dict[str, object]:
    return {
        "type": "line", "xref": "x", "yref": "paper", "x0": x, "x1": x, "y0": 0, "y1": 1,
        "line": {"color": GREY, "width": 1, "dash": "dot"},
        "layer": "below",
    }  # fmt: skip


def _price_line(y: float) -> dict[str, object]:
    return {
        "type": "line", "xref": "paper", "yref": "y", "x0": 0, "x1": 1, "y0": y, "y1": y,
        "line": {"color": ASKED, "width": 2, "dash": "dash"},
    }  # fmt: skip


def _price_label(y: float) -> dict[str, object]:
    return {
        "text": usd(y), "xref": "paper", "yref": "y", "x": 0, "y": y, "showarrow": False,
        "xanchor": "left", "yanchor": "bottom", "font": {"size": 12},
    }  # fmt: skip


def _now_label(origin: dt.date, label: str) -> Figure:
    return {
        "text": f"{label}, {day(origin, year=False)}",
        "xref": "x", "yref": "paper", "x": origin.isoformat(), "y": 1,
        "showarrow": False, "xanchor": "right", "yanchor": "top", "xshift": -6, "font": {"size": 12},
    }  # fmt: skip


LEGEND = (
    ("price", "Close"),
    ("candle", "Day: hollow rises, filled falls"),
    ("median", "Middle of the forecast"),
    *((f"band{name[:2]}", f"{name} range") for _, _, name, _ in reversed(BANDS)),
    ("actual", "What happened"),
)
"""Class and label of each entry of the legend, which the page draws itself."""
