"""The charts of the track record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from btc_assets.chances.reliability import Tenth
from btc_assets.market.calendar import DAY
from btc_dash.charts.base import (
    ACTUAL,
    FORECAST,
    GREY,
    INK,
    Figure,
    Trace,
    band,
    day_axis,
    fan_colour,
    finer,
    layout,
    line,
    percent_axis,
    plain,
    rule,
    x_axis,
)
from btc_dash.data.market import DailyCandles
from btc_dash.data.track_record import BINS, COVERAGES

_SAME = 1e-5
"""Of the price; lines that lie no further apart are one."""

_MONEY = "$%{y:,.0f}<extra>%{fullData.name}</extra>"
_SHARE = "%{y:.1f} %<extra>%{fullData.name}</extra>"
_SAID = "said %{x:.0f} %, came true %{y:.0f} %<extra></extra>"
_CHANCE = "rgba(138,132,124,0.18)"
_RANGE = "$%{customdata:,.0f} – $%{y:,.0f}<extra>%{fullData.name}</extra>"


def hindsight_figure(rows: pl.DataFrame, actual: DailyCandles) -> Figure:
    """Return what was said for each day, that many days before, and what happened; ``rows`` are not empty."""
    days = rows["target_date"].to_list()
    said = band(days, rows["q100"].to_list(), rows["q900"].to_list(), "80 % range", "band80", 0.3, _RANGE)
    seen = actual.window(days[0], days[-1] + DAY)
    happened = line(seen.dates, seen.closes, "what happened", "actual", ACTUAL, _MONEY)
    middle = line(days, rows["q500"].to_list(), "middle", "median", FORECAST, _MONEY)
    drawn = layout(xaxis=day_axis(tickformat="%-d %b<br>%Y", nticks=5, tickangle=0))
    return finer({"data": [*said, middle, happened], "layout": drawn}, rows["q500"][-1])


def reliability_figure(tenths: Sequence[Tenth]) -> Figure:
    """Draw what was said beside what came true, a dot a tenth with its 95 % band; the line is honest."""
    said, happened = [100 * t.said for t in tenths], [100 * t.happened for t in tenths]
    dots = line(said, happened, "came true", "median", FORECAST, _SAID)
    dots |= {"mode": "markers", "marker": {"size": 9, "color": FORECAST}}
    dots["error_y"] = {
        "type": "data", "symmetric": False, "color": GREY, "thickness": 1.5,
        "array": [max(100 * t.high - y, 0.0) for t, y in zip(tenths, happened, strict=True)],
        "arrayminus": [max(y - 100 * t.low, 0.0) for t, y in zip(tenths, happened, strict=True)],
    }  # fmt: skip
    honest = line([0, 100], [0, 100], "as said", "naive", GREY, _SHARE, dash="dash")
    across = x_axis(range=[0, 100], ticksuffix=" %")
    return {"data": [honest, dots], "layout": layout(xaxis=across, yaxis=percent_axis(range=[0, 100]))}


def error_figure(table: pl.DataFrame, name: str) -> Figure:
    """Mean error of the middle by days ahead, beside assuming no change."""
    x = table["horizon"].to_list()
    naive = line(x, _percent(table["naive_ape"]), "no change", "naive", GREY, _SHARE, dash="dash")
    mine = line(x, _percent(table["ape"]), name, "median", FORECAST, _SHARE)
    return {
        "data": [mine] if middle_is_no_change(table) else [mine, naive],
        "layout": _by_horizon(percent_axis(rangemode="tozero")),
    }


def middle_is_no_change(table: pl.DataFrame) -> bool:
    """Tell whether the middle misses by as much as assuming no change everywhere: it is the last close."""
    worst = (table["ape"] - table["naive_ape"]).abs().max()
    return isinstance(worst, float) and worst < _SAME


def coverage_figure(table: pl.DataFrame) -> Figure:
    """Draw how often prices ended in each range, by days ahead; an honest range sits on its dotted line."""
    x = table["horizon"].to_list()
    traces: list[Trace] = []
    for share in COVERAGES:
        held = _percent(table[f"in{share}"])
        traces.append(line(x, held, f"{share} % range", f"cover{share}", FORECAST, _SHARE))
    wanted = [_level(share) for share in COVERAGES]
    marks = [0, 25, *COVERAGES]
    axis = percent_axis(range=[0, 103], tickvals=marks, ticktext=[f"{mark} %" for mark in marks])
    return {"data": traces, "layout": _by_horizon(axis) | {"shapes": wanted}}


def drift_figure(path: pl.DataFrame) -> Figure:
    """Draw the share of recent prices inside the 80 % range, by day, over the band that chance allows."""
    days = path["target_date"].to_list()
    hover = "%{customdata:.0f} to %{y:.0f} %<extra>%{fullData.name}</extra>"
    chance = band(days, _percent(path["low"]), _percent(path["high"]), "chance", "chance", 0.0, hover)
    chance[1]["fillcolor"] = _CHANCE
    held = line(days, _percent(path["share"]), "inside the 80 % range", "median", FORECAST, _SHARE)
    axes = {
        "xaxis": day_axis(tickformat="%-d %b<br>%Y", nticks=5, tickangle=0),
        "yaxis": percent_axis(range=[0, 103]),
    }
    return {"data": [*chance, held], "layout": layout(**axes, shapes=[_level(80)])}


def pit_figure(row: dict[str, float]) -> Figure:
    """Return where in the forecast the price fell, in tenths; honest forecasts fill each alike."""
    middles = [100 * (b + 0.5) / BINS for b in range(BINS)]
    names = [f"{b * 100 // BINS}–{(b + 1) * 100 // BINS} %" for b in range(BINS)]
    bars = {
        "type": "bar",
        "uid": "pit",
        "x": middles,
        "y": plain(_percent(row[f"pit{b}"] for b in range(BINS))),
        "customdata": names,
        "marker": {"color": fan_colour(0.75)},
        "hovertemplate": "%{y:.1f} % of prices fell between %{customdata} of the forecast<extra></extra>",
    }
    axes = {
        "xaxis": x_axis(ticksuffix=" %", showspikes=False, range=[0, 100]),
        "yaxis": percent_axis(rangemode="tozero"),
    }
    return {
        "data": [bars],
        "layout": layout(**axes, bargap=0.08, hovermode="closest", shapes=[_level(100 / BINS)]),
    }


def _percent(shares: Iterable[float]) -> list[float]:
    return [100 * share for share in shares]


def _by_horizon(axis: dict[str, object]) -> dict[str, object]:
    title = {"text": "days ahead", "standoff": 8, "font": {"size": 12}}
    axis_below = x_axis(title=title, hoverformat="d", unifiedhovertitle={"text": "%{x} days ahead"})
    return layout(xaxis=axis_below, yaxis=axis)


def _level(height: float) -> dict[str, object]:
    return rule(y=height, colour=INK) | {"opacity": 0.45}
