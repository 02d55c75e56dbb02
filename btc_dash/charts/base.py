"""What all charts share: axes, hover, colours that work on light and dark, and colour-blind."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from typing import Any

Figure = dict[str, Any]
Trace = dict[str, Any]

# The style sheet repaints text, grid, hover box and every trace with a `uid` below in the page's
# colours; the values here are what a downloaded picture on white shows.
INK = "#1f1d1a"
GREY = "#8a847c"
FORECAST = "#c2570c"
ACTUAL = "#1d63d8"
ASKED = "#8a5cf0"
OVER = "#7a3fd0"
RISING = "#3b7ded"
_FAN_RGB = "242,140,40"

CONFIG = {"displayModeBar": False, "responsive": True, "scrollZoom": False, "doubleClick": "reset"}
"""Settings of every graph; nothing in it offers to send data anywhere."""


def fan_colour(alpha: float) -> str:
    """Return the forecast's colour at an opacity."""
    return f"rgba({_FAN_RGB},{alpha})"


def layout(**more: Any) -> dict[str, Any]:
    """Return the layout of a chart; ``more`` overrides it."""
    base: dict[str, Any] = {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 6, "r": 6, "t": 12, "b": 6},
        "hovermode": "x unified",
        "hoverdistance": 24,
        "hoverlabel": {"bgcolor": "#ffffff", "bordercolor": "#d8d2c8", "font": {"size": 13, "color": INK}},
        "dragmode": False,
        "showlegend": False,
        "separators": ".,",
        "font": {"family": "inherit", "size": 13, "color": INK},
        "xaxis": x_axis(),
        "yaxis": y_axis(),
    }
    return base | more


def x_axis(**more: Any) -> dict[str, Any]:
    """Return a horizontal axis without grid, with a thin line at the pointer."""
    return {
        "showgrid": False,
        "zeroline": False,
        "automargin": True,
        "fixedrange": True,
        "ticklabelstandoff": 6,
        "showspikes": True,
        "spikemode": "across",
        "spikethickness": 1,
        "spikecolor": GREY,
        "spikedash": "solid",
    } | more


def day_axis(**more: Any) -> dict[str, Any]:
    """Return a horizontal axis of UTC days."""
    return x_axis(type="date", hoverformat="%a %-d %b %Y", **more)


def y_axis(**more: Any) -> dict[str, Any]:
    """Return a vertical axis on the right, in dollars unless told otherwise."""
    return {
        "side": "right",
        "tickprefix": "$",
        "tickformat": WHOLE,
        "zeroline": False,
        "automargin": True,
        "fixedrange": True,
        "nticks": 7,
        "gridcolor": "#e4e0da",
        "ticklabelstandoff": 6,
    } | more


def percent_axis(**more: Any) -> dict[str, Any]:
    """Return a vertical axis of per cent."""
    return y_axis(tickprefix="", tickformat=".3~g", ticksuffix=" %", **more)


def rule(x: Any = None, y: float | None = None, colour: str = GREY, **style: Any) -> dict[str, Any]:
    """Return a line across the whole chart, up and down at ``x`` or from side to side at ``y``."""
    upright = {"xref": "x", "yref": "paper", "x0": x, "x1": x, "y0": 0, "y1": 1}
    level = {"xref": "paper", "yref": "y", "x0": 0, "x1": 1, "y0": y, "y1": y}
    dotted = {"color": colour, "width": 1, "dash": "dot"} | style
    return {"type": "line", **(upright if y is None else level), "line": dotted}


def plain(values: Iterable[Any]) -> list[Any]:
    """Return what JSON knows: days as ISO text, numbers without digits that nobody sees."""
    return [v.isoformat() if isinstance(v, dt.date) else v if v is None else _rounded(v) for v in values]


def _rounded(value: float) -> float:
    return round(value, 2 if abs(value) >= 100 else 5 if abs(value) >= 0.01 else 10)


WHOLE = ",.0f"
"""How the charts write prices of 100 and more."""


def finer(figure: Figure, price: float) -> Figure:
    """Give prices as many digits as those near ``price`` need: none from 100 on."""
    if price >= 100:
        return figure
    digits = f",.{2 if price >= 1 else 3 - math.floor(math.log10(price))}f"
    for trace in figure["data"]:
        if "hovertemplate" in trace:
            trace["hovertemplate"] = trace["hovertemplate"].replace(WHOLE, digits)
    axis = figure["layout"]["yaxis"]
    return figure | {"layout": figure["layout"] | {"yaxis": axis | {"tickformat": digits}}}


def band(
    x: list[Any], low: list[float], high: list[float], name: str, uid: str, alpha: float, hover: str
) -> list[Trace]:
    """Return a filled range between two paths, as the two traces plotly needs."""
    edge, lower = {"type": "scatter", "mode": "lines", "x": plain(x), "line": {"width": 0}}, plain(low)
    return [
        edge | {"uid": f"{uid}low", "y": lower, "hoverinfo": "skip"},
        edge | {
            "uid": uid, "y": plain(high), "fill": "tonexty", "fillcolor": fan_colour(alpha), "name": name,
            "customdata": lower, "hovertemplate": hover,
        },
    ]  # fmt: skip


def line(x: list[Any], y: list[Any], name: str, uid: str, colour: str, hover: str, **style: Any) -> Trace:
    """Return a line; ``style`` goes to plotly's ``line``."""
    return {
        "type": "scatter",
        "mode": "lines",
        "uid": uid,
        "x": plain(x),
        "y": plain(y),
        "name": name,
        "line": {"color": colour, "width": 2} | style,
        "hovertemplate": hover,
    }
