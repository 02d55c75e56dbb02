"""The chart of the leaderboard: each model's score with its interval, best on top."""

from __future__ import annotations

from collections.abc import Sequence

from btc_assets.scoring.leaderboard import Standing
from btc_dash.charts.base import FORECAST, GREY, Figure, Trace, layout, rule, x_axis
from btc_dash.text import formatting as fmt

FURTHEST = 1.2
"""Scores beyond it are not drawn: they would squeeze all others together."""

_HOVER = "%{y}: %{x:.3f}<extra></extra>"


def drawn(standings: Sequence[Standing]) -> list[Standing]:
    """Choose those that are drawn: all, unless some lie far beyond the others."""
    near = [s for s in standings if s.crps_ratio <= FURTHEST]
    return near or list(standings)


def score_figure(standings: Sequence[Standing]) -> Figure:
    """Draw scores and 95 % intervals; crosses are models that are not the best, as far as can be told."""
    shown = drawn(standings)
    maybe = [s for s in shown if s.maybe_best is not False]
    other = [s for s in shown if s.maybe_best is False]
    traces = [_dots(maybe, "median", "circle", FORECAST), _dots(other, "cross", "x", GREY)]
    order = [fmt.model(s.model) for s in reversed(shown)]
    down = {
        "automargin": True, "fixedrange": True, "type": "category", "categoryorder": "array",
        "categoryarray": order, "range": [-0.6, len(order) - 0.4],
    }  # fmt: skip
    across = x_axis(tickformat=".3~f", nticks=5, showspikes=False)
    return {
        "data": [trace for trace in traces if trace["x"]],
        "layout": layout(xaxis=across, yaxis=down, hovermode="closest", shapes=[rule(x=1)]),
    }


def _dots(standings: Sequence[Standing], uid: str, symbol: str, colour: str) -> Trace:
    ends = [s.interval or (s.crps_ratio, s.crps_ratio) for s in standings]
    ratios = [s.crps_ratio for s in standings]
    return {
        "type": "scatter", "mode": "markers", "uid": uid, "hovertemplate": _HOVER, "x": ratios,
        "y": [fmt.model(s.model) for s in standings],
        "marker": {"color": colour, "size": 9, "symbol": symbol},
        "error_x": {
            "type": "data", "symmetric": False, "color": GREY, "thickness": 1.5, "width": 4,
            "array": [max(high - x, 0.0) for x, (_, high) in zip(ratios, ends, strict=True)],
            "arrayminus": [max(x - low, 0.0) for x, (low, _) in zip(ratios, ends, strict=True)],
        },
    }  # fmt: skip
