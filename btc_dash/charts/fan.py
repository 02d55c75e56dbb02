"""The forecast page's chart: the last days, the line at "now", and the fan of what may follow."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence

from btc_dash.charts.base import (
    ACTUAL,
    ASKED,
    FORECAST,
    GREY,
    INK,
    OVER,
    RISING,
    Figure,
    Trace,
    band,
    day_axis,
    finer,
    layout,
    line,
    plain,
    rule,
    y_axis,
)
from btc_dash.data.asked import Line, digits
from btc_dash.data.market import DailyCandles, Forecast
from btc_dash.text.formatting import day, days, model, usd

BANDS = ((0.025, 0.975, "95 %", 0.15), (0.1, 0.9, "80 %", 0.2), (0.25, 0.75, "50 %", 0.3))
"""Lower and upper level, name and opacity of each band, widest first."""

_LOG_FROM = 400
"""Days of history beyond which the price axis is logarithmic."""

_MONEY = "$%{y:,.0f}<extra>%{fullData.name}</extra>"
_RANGE = "$%{customdata:,.0f} – $%{y:,.0f}<extra>%{fullData.name}</extra>"


def fan_figure(
    past: DailyCandles,
    forecast: Forecast,
    after: DailyCandles,
    view: str,
    provisional: bool = False,
    asked: Sequence[Line] = (),
    over: Forecast | None = None,
    name: str = "Bitcoin",
) -> Figure:
    """Draw history up to the origin, the fan from it and, where the days have come, what happened.

    ``past`` ends on the origin; ``after`` holds the candles behind it, up to the last target. The lines of
    what is ``asked`` can be dragged, and are dropped on a multiple of their step. The 80 % range of ``over``
    is drawn over the fan. ``name`` is the coin's, for a downloaded picture.
    """
    traces = [*_fan(past, forecast), _candles(past) if view == "candles" else _closes(past)]
    if over:
        traces += _over(past, over)
    if after.dates:
        traces.append(_what_happened(past, after))
    drawn = _layout(past, forecast, "now" if provisional else "last close")
    drawn["meta"] = _meta(past, forecast, name)
    drawn["shapes"] += [rule(y=one.price, colour=ASKED, width=2, dash="dash") for one in asked]
    logarithmic = drawn["yaxis"].get("type") == "log"
    drawn["annotations"] += [_price_label(one.price, logarithmic) for one in asked]
    drawn["meta"] |= {"start": past.closes[-1], "lines": [_dragged(one) for one in asked]}
    drawn["editrevision"] = [one.price for one in asked]
    return finer({"data": traces, "layout": drawn}, past.closes[-1])


def _fan(past: DailyCandles, forecast: Forecast) -> list[Trace]:
    """Return the bands and the median, starting at the last close so that the fan has a tip."""
    tip = past.closes[-1]
    shown = [past.dates[-1], *forecast.targets]
    traces: list[Trace] = []
    for low, high, name, alpha in BANDS:
        edges = [tip, *forecast.level(low)], [tip, *forecast.level(high)]
        traces += band(shown, *edges, name, f"band{name[:2]}", alpha, _RANGE)
    median = line(shown, [tip, *forecast.median], "middle", "median", FORECAST, _MONEY, width=2.5)
    median["mode"] = "lines+markers" if len(shown) <= 32 else "lines"
    median["marker"] = {"size": 4.5, "color": FORECAST}
    return [*traces, median]


def _closes(past: DailyCandles) -> Trace:
    return line(past.dates, past.closes, "close", "price", INK, _MONEY)


def _candles(past: DailyCandles) -> Trace:
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


def _what_happened(past: DailyCandles, after: DailyCandles) -> Trace:
    shown, closes = [past.dates[-1], *after.dates], [past.closes[-1], *after.closes]
    return line(shown, closes, "what happened", "actual", ACTUAL, _MONEY, width=2.5)


def _layout(past: DailyCandles, forecast: Forecast, label: str) -> Figure:
    origin = past.dates[-1]
    span = (forecast.targets[-1] - past.dates[0]).days
    start, end = past.dates[0], forecast.targets[-1] + dt.timedelta(days=max(1, round(span * 0.02)))
    return layout(
        uirevision="fan",
        xaxis=day_axis(
            range=plain([start, end]),
            rangeslider={"visible": False},
            tickformat="%-d %b" if span <= 200 else "%b %Y",
            nticks=7,
            tickangle=0,
        ),
        yaxis=_price_axis(past, forecast),
        shapes=[rule(x=origin.isoformat()) | {"layer": "below"}],
        annotations=[_now_label(origin, label)],
    )


def _meta(past: DailyCandles, forecast: Forecast, name: str) -> dict[str, str]:
    """Name a downloaded picture, and say in a line what it shows."""
    origin, count = past.dates[-1], len(forecast.targets)
    return {
        "title": f"{name}, next {days(count)} from {day(origin)} ({model(forecast.model)})",
        "file": f"btc-forecast-{forecast.model}-{origin.isoformat()}-{count}d",
    }


def _over(past: DailyCandles, over: Forecast) -> list[Trace]:
    """Draw the edges of the 80 % range of another forecast, dashed."""
    tip, shown = past.closes[-1], [past.dates[-1], *over.targets]
    name = f"{model(over.model)}, 80 %"
    edges = [tip, *over.level(0.1)], [tip, *over.level(0.9)]
    low, high = (line(shown, edge, name, "over", OVER, _MONEY, dash="dash") for edge in edges)
    high["uid"] = "overhigh"
    return [low, high]


def _log_ticks(prices: list[float]) -> list[float]:
    """Prices of a few digits within what is drawn."""
    low, high = min(prices), max(prices)
    steps = (1, 2, 5) if high > 10 * low else (1, 1.5, 2, 3, 5, 7)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [n * 10.0**power for power in powers for n in steps if low <= n * 10.0**power <= high]


def _price_axis(past: DailyCandles, forecast: Forecast) -> dict[str, object]:
    """Dollars; over years in equal steps of growth, or early years would be flat."""
    if len(past.dates) <= _LOG_FROM:
        return y_axis()
    ticks = _log_ticks([*past.closes, *forecast.level(0.025), *forecast.level(0.975)])
    return y_axis(type="log", tickvals=ticks, ticktext=[usd(price) for price in ticks], tickprefix="")


def _dragged(asked: Line) -> dict[str, object]:
    """Say what the browser needs to know of a line that is dragged: what it sets, and in what steps."""
    return {"part": asked.part, "price": asked.price, "step": asked.step, "digits": digits(asked.step)}


def _price_label(price: float, logarithmic: bool) -> dict[str, object]:
    """Write the price above its line; on a logarithmic axis plotly wants a label's logarithm."""
    return {
        "text": usd(price), "xref": "paper", "yref": "y", "x": 0, "showarrow": False,
        "y": math.log10(price) if logarithmic else price,
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
    ("over", "80 % range of the other"),
)
"""Class and label of each entry of the legend, which the page draws itself."""
