"""Which vintage was in force when: a staircase that shows refits, and where one was held back."""

from __future__ import annotations

import polars as pl

from btc_dash.charts.base import ACTUAL, FORECAST, Figure, day_axis, layout, line, plain, y_axis


def staircase(rows: pl.DataFrame) -> Figure:
    """Return ``rows`` of vintages_in_force of one network, by date."""
    days = rows["date"].to_list()
    hover = "trained to %{y|%-d %b %Y}<extra></extra>"
    steps = line(days, rows["vintage"].to_list(), "in force", "median", FORECAST, hover, shape="hv")
    fresh = pl.col("reason").ne_missing(pl.col("reason").shift(1))
    held_back = rows.filter(fresh, action="held_back")
    marks = {
        "type": "scatter",
        "mode": "markers",
        "uid": "refused",
        "x": plain(held_back["date"]),
        "y": plain(held_back["vintage"]),
        "name": "refit held back",
        "marker": {"color": ACTUAL, "size": 10, "symbol": "x"},
        "hovertemplate": "a refit was held back<extra></extra>",
    }
    up = y_axis(type="date", tickprefix="", tickformat="%-d %b %Y")
    return {
        "data": [steps, marks],
        "layout": layout(xaxis=day_axis(tickformat="%-d %b", nticks=6, tickangle=0), yaxis=up),
    }
