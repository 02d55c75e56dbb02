"""Small SVG charts for Dagster's UI, drawn without a plotting library, which a daily run need not load."""

from __future__ import annotations

import base64
import datetime as dt
import math
from collections.abc import Sequence
from itertools import accumulate

import dagster as dg
import polars as pl

WIDTH, HEIGHT, MARGIN = 720, 300, 56
DAYS_SHOWN = 50
BANDS = (("q025", "q975", 0.18), ("q100", "q900", 0.22), ("q250", "q750", 0.30))

Point = tuple[float, float]


def fan_chart(candles: pl.DataFrame, forecast: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw the last 50 closes and one model's fan of quantiles, on a log price axis."""
    past = candles.sort("date").tail(DAYS_SHOWN)
    origin: dt.date = past["date"][-1]
    close = float(past["close"][-1])
    ahead = forecast.sort("horizon")
    prices = [*past["close"], *ahead["q025"], *ahead["q975"]]
    low, high = math.log(min(prices)), math.log(max(prices))
    first, last = -(past.height - 1), int(ahead["horizon"].max())  # type: ignore[arg-type]

    def place(day: int, price: float) -> Point:
        x = MARGIN + (WIDTH - MARGIN - 8) * (day - first) / (last - first)
        y = 8 + (HEIGHT - 32) * (high - math.log(price)) / (high - low)
        return round(x, 1), round(y, 1)

    days = [0, *ahead["horizon"]]

    def curve(column: str) -> list[Point]:
        return [place(d, p) for d, p in zip(days, [close, *ahead[column]], strict=True)]

    shapes = [_polygon(curve(a) + curve(b)[::-1], opacity) for a, b, opacity in BANDS]
    shapes.append(_line(curve("q500"), "#b45309"))
    closes = zip(past["date"], past["close"], strict=True)
    shapes.append(_line([place((day - origin).days, price) for day, price in closes], "#1d4ed8"))
    for price in (min(prices), close, max(prices)):
        shapes.append(f'<text x="2" y="{place(first, price)[1] + 4}">{price:,.0f}</text>')
    for day in (first, 0, last):
        x = min(place(day, close)[0], WIDTH - 60)
        shapes.append(f'<text x="{x}" y="{HEIGHT - 6}">{origin + dt.timedelta(day)}</text>')
    alt = f"closes to {origin} and the ensemble's 50, 80 and 95 % intervals for {last} days, USDT"
    return svg_image(shapes, alt)


def trials_chart(values: Sequence[float], default: float) -> dg.MarkdownMetadataValue:
    """Draw each trial's loss in order, with the best so far and the default's as lines."""
    low, high = min([*values, default]), max([*values, default])
    span = (high - low) or 1.0

    def place(trial: int, value: float) -> Point:
        x = MARGIN + (WIDTH - MARGIN - 12) * trial / max(1, len(values) - 1)
        return round(x, 1), round(8 + (HEIGHT - 32) * (high - value) / span, 1)

    best = list(accumulate(values, min))
    shapes = [
        _line([place(0, default), place(len(values) - 1, default)], "#9ca3af"),
        _line([place(i, value) for i, value in enumerate(best)], "#b45309"),
    ]
    for trial, value in enumerate(values):
        x, y = place(trial, value)
        shapes.append(f'<circle cx="{x}" cy="{y}" r="3" fill="#1d4ed8"/>')
    shapes += [f'<text x="2" y="{place(0, v)[1] + 4}">{v:.4f}</text>' for v in (low, high)]
    shapes.append(f'<text x="{MARGIN}" y="{HEIGHT - 6}">trials in order; grey: the default</text>')
    return svg_image(shapes, f"loss of {len(values)} trials relative to the anchor's, best {low:.4f}")


def svg_image(shapes: Sequence[str], alt: str) -> dg.MarkdownMetadataValue:
    """Return SVG ``shapes`` as a Markdown image that carries its own data."""
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="11"><rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>{"".join(shapes)}</svg>'
    )
    return dg.MetadataValue.md(
        f"![{alt}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"
    )


def _line(points: Sequence[Point], colour: str) -> str:
    return f'<polyline fill="none" stroke="{colour}" stroke-width="1.6" points="{_join(points)}"/>'


def _polygon(points: Sequence[Point], opacity: float) -> str:
    return f'<polygon fill="#f59e0b" fill-opacity="{opacity}" points="{_join(points)}"/>'


def _join(points: Sequence[Point]) -> str:
    return " ".join(f"{x},{y}" for x, y in points)
