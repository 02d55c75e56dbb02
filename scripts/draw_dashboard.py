"""Draw deploy/monitoring/dashboard.json as an SVG from a running Prometheus: for the docs, without Grafana.

    python scripts/draw_dashboard.py http://127.0.0.1:9090 docs/pictures/dashboard.svg 15

asks for the last 15 minutes. Each panel's queries are the dashboard's own.
"""

from __future__ import annotations

import html
import json
import re
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

DASHBOARD = Path(__file__).parents[1] / "deploy" / "monitoring" / "dashboard.json"
COLOURS = ("#1d4ed8", "#b45309", "#15803d", "#7c3aed", "#be123c", "#0e7490", "#4d7c0f", "#a21caf", "#475569")
COLUMN, ROW, LEGEND = 48, 30, 4
"""Pixels of a grid step across and down; series that a legend names."""


def main() -> None:
    """Draw the dashboard of the Prometheus at the first argument into the file that the second names."""
    address, path, minutes = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
    panels = json.loads(DASHBOARD.read_text())["panels"]
    drawn = [panel_svg(panel, [query(address, t, minutes) for t in panel["targets"]]) for panel in panels]
    height = max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in panels) * ROW
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {24 * COLUMN} {height}" font-size="12" '
        f'font-family="sans-serif"><rect width="100%" height="100%" fill="#f1f5f9"/>{"".join(drawn)}</svg>\n'
    )


def query(address: str, target: dict[str, str], minutes: float) -> dict[str, list[tuple[float, float]]]:
    """Return the points of each series of a panel's query, by its legend."""
    now = time.time()
    asked = {"query": target["expr"], "start": now - minutes * 60, "end": now, "step": max(minutes, 5)}
    where = f"{address}/api/v1/query_range?{urllib.parse.urlencode(asked)}"
    with urllib.request.urlopen(where) as answer:  # noqa: S310 - the operator names it
        series = json.load(answer)["data"]["result"]
    return {
        re.sub(r"\{\{(\w+)\}\}", lambda m, s=each: s["metric"].get(m[1], ""), target["legendFormat"]): [
            (float(at), float(value)) for at, value in each["values"] if value != "NaN"
        ]
        for each in series
    }


def panel_svg(panel: dict[str, Any], found: list[dict[str, list[tuple[float, float]]]]) -> str:
    """Return one panel: its title, its lines, the range of its values and a legend with the newest ones."""
    at = panel["gridPos"]
    x, y, width, height = at["x"] * COLUMN + 4, at["y"] * ROW + 4, at["w"] * COLUMN - 8, at["h"] * ROW - 8
    series = {name: points for part in found for name, points in part.items() if points}
    shapes = [
        f'<rect width="{width}" height="{height}" rx="4" fill="#ffffff" stroke="#cbd5e1"/>',
        f'<text x="10" y="20" font-weight="bold">{html.escape(panel["title"])}</text>',
    ]
    if not series:
        shapes.append('<text x="10" y="60" fill="#64748b">nothing</text>')
        return f'<g transform="translate({x} {y})">{"".join(shapes)}</g>'
    points = [point for each in series.values() for point in each]
    first, last = min(p[0] for p in points), max(p[0] for p in points)
    low, high = min(0.0, *(p[1] for p in points)), max(p[1] for p in points)
    left, top, right, bottom = 62, 34, width - 10, height - 22 - 14 * min(len(series), LEGEND)
    for value, where in ((high, top), (low, bottom)):
        shapes.append(f'<line x1="{left}" x2="{right}" y1="{where}" y2="{where}" stroke="#e2e8f0"/>')
        shapes.append(f'<text x="{left - 6}" y="{where + 4}" text-anchor="end">{shown(value)}</text>')
    for number, (name, line) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(
            f"{left + (right - left) * (t - first) / ((last - first) or 1):.1f},"
            f"{bottom - (bottom - top) * (v - low) / ((high - low) or 1):.1f}"
            for t, v in line
        )
        shapes.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{path}"/>')
        if number < LEGEND:
            label = f"{name}: {shown(line[-1][1])}" if number < LEGEND - 1 or len(series) <= LEGEND else "..."
            place = f'x="{left}" y="{bottom + 18 + 14 * number}" fill="{colour}"'
            shapes.append(f"<text {place}>{html.escape(label)}</text>")
    return f'<g transform="translate({x} {y})">{"".join(shapes)}</g>'


def shown(value: float) -> str:
    """Return a value in few characters."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if unit == 'k' else size):.3g} {unit}"
    return f"{value:.3g}"


if __name__ == "__main__":
    main()
