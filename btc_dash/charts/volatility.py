"""The charts of the volatility page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist

import polars as pl

from btc_dash.charts.base import ACTUAL, FORECAST, GREY, Figure, day_axis, layout, line, percent_axis, x_axis

_RATE = "%{y:.1f} % a year<extra>%{fullData.name}</extra>"


def rate(log_width: float, days: int) -> float:
    """Turn the log of a forecast's 80 % width ``days`` ahead into a standard deviation a year."""
    return math.exp(log_width) / (2 * NormalDist().inv_cdf(0.9)) * math.sqrt(365 / days)


def history_figure(expected: pl.DataFrame, realised: pl.DataFrame) -> Figure:
    """Draw what was expected each day for the next day and month, and what each day realised."""
    traces = []
    if realised.height and expected.height:
        realised = realised.filter(pl.col("date") >= expected["origin_date"].min())
        seen = _line(realised["date"], realised["volatility"], "realised", "actual", ACTUAL)
        traces.append(seen | {"mode": "markers", "marker": {"size": 4, "color": ACTUAL}})
    for days, uid, colour, dash in ((1, "median", FORECAST, "solid"), (30, "naive", GREY, "dash")):
        rows = expected.filter(horizon=days)
        name = "next day" if days == 1 else f"next {days} days"
        traces.append(_line(rows["origin_date"], rows["volatility"], name, uid, colour, dash=dash))
    along = day_axis(tickformat="%-d %b<br>%Y", nticks=5, tickangle=0)
    return {"data": traces, "layout": layout(xaxis=along, yaxis=percent_axis(rangemode="tozero"))}


def parts_figure(changes: Mapping[str, float]) -> Figure:
    """Draw by how much each part widens (to the right) or narrows the forecast."""
    names = list(changes)[::-1]
    bar = {
        "type": "bar", "orientation": "h", "uid": "parts", "name": "changes the width by",
        "x": [100 * changes[name] for name in names], "y": names,
        "marker": {"color": [FORECAST if changes[name] > 0 else ACTUAL for name in names]},
        "hovertemplate": "%{y}: %{x:+.1f} %<extra></extra>",
    }  # fmt: skip
    across = x_axis(ticksuffix=" %", nticks=3, tickangle=0, zeroline=True, zerolinecolor=GREY)
    return {"data": [bar], "layout": layout(xaxis=across, yaxis={"automargin": True, "fixedrange": True})}


def _line(x: pl.Series, y: pl.Series, name: str, uid: str, colour: str, **style: str) -> dict[str, object]:
    return line(x.to_list(), [100 * value for value in y], name, uid, colour, _RATE, **style)
