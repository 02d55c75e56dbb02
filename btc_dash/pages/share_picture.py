"""The home page's answer as a small picture, to share and to embed: the day, the range, the record."""

from __future__ import annotations

import hashlib
from html import escape

from flask import Flask, Response, request

from btc_assets.errors import StorageError
from btc_dash.data.context import Context
from btc_dash.data.forecasting import ForecastResult, NoForecast, forecast_for, read_question
from btc_dash.server.middleware import client
from btc_dash.server.problems import problem
from btc_dash.text import forecast_text, record_facts
from btc_dash.text import formatting as fmt

ADDRESS = "/card.svg"
WIDTH, HEIGHT = 1200, 630
"""Pixels, as pages that show links expect a picture."""

_STYLE = (
    "text{font-family:Inter,Arial,sans-serif;fill:#1f1d1a}.dim{fill:#625c54}"
    ".big{font-size:64px;font-weight:700}.mid{font-size:40px;font-weight:600}.dim{font-size:30px}"
)


def serve(server: Flask, context: Context) -> None:
    """Answer with the card of what is asked, as the home page's address asks it; other sites may show it."""

    def picture() -> Response:
        try:
            question, complaints = read_question(context, request.args)
            if complaints:
                return problem(400, "Bad Request", "The address asks for no forecast.", complaints)
            found = forecast_for(context, question, client())
        except (StorageError, OSError):
            found = NoForecast("The store does not answer", "Neither prices nor forecasts can be read.")
        text = drawn(lines(context, found))
        response = Response(text, mimetype="image/svg+xml")
        response.headers["Cache-Control"] = "public, max-age=300"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        response.set_etag(hashlib.sha256(text.encode()).hexdigest()[:32])
        response.make_conditional(request)
        return response

    server.add_url_rule(ADDRESS, "card", picture, methods=["GET"])


def lines(context: Context, found: ForecastResult | NoForecast) -> list[tuple[str, str]]:
    """Return what the card says, from the top: the style of each line and its text."""
    name = fmt.coin(context.settings.symbol)
    note = "Simulated prices. " if context.settings.simulated else ""
    foot = ("dim", f"{note}Statistical estimate, not financial advice")
    if isinstance(found, NoForecast):
        return [("mid", f"{name} forecast"), ("dim", found.title), foot]
    low, high = forecast_text.range_80(found)
    record = record_facts.facts(context.cache, found.question.model, found.question.days, context.now())
    return [
        ("mid", f"{name} {forecast_text.when(found, context.now())}"),
        ("big", fmt.usd_range(low, high)),
        ("dim", f"4 chances in 5. Last close {fmt.usd(found.last_close)} on {fmt.day(found.past.dates[-1])}"),
        *(("dim", f"{fact.label}: {fact.value}") for fact in record),
        foot,
    ]


def drawn(said: list[tuple[str, str]]) -> str:
    """Draw the lines on a card, as SVG."""
    texts, y = [], 110
    for style, text in said:
        y += {"big": 44, "mid": 10, "dim": 0}[style]
        texts.append(f'<text x="80" y="{y}" class="{style}">{escape(text)}</text>')
        y += 68
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><title>{escape(said[0][1])}</title>'
        f"<style>{_STYLE}</style>"
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#faf8f5"/>'
        f'<rect width="24" height="{HEIGHT}" fill="#f7931a"/>{"".join(texts)}</svg>'
    )
