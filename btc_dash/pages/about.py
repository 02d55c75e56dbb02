"""The About page: how it works, what it cannot do, where the data comes from, how to check it."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from btc_assets import __version__
from btc_assets.modeling.compatibility import CODE_VERSION
from btc_dash.data import market, track_record
from btc_dash.data.context import Context
from btc_dash.data.ledger import LedgerHead, ledger_head
from btc_dash.pages.panel import facts
from btc_dash.text import formatting as fmt

_SOURCES = {
    "binance": "Binance's public market data, fetched every day after midnight UTC",
    "archive": "Binance's public monthly and daily archives",
    "landing": "candles that were collected from Binance into a bucket every day",
    "simulated": "a simulated market: the prices are made up, to try the platform without a network",
}


def page(context: Context) -> Component:
    """Return the whole page."""
    return html.Div(
        [
            html.Section([html.H1("About these forecasts")], className="intro"),
            html.Div([_how(), _what_it_cannot_do(), _data(context), _verify(context)], className="pair"),
        ],
        className="about",
    )


def _how() -> Component:
    return _panel(
        "How it works",
        html.P(
            "Every day after midnight UTC the day's candle is stored, and two small networks say for each of "
            "the next 90 days where the closing price may lie: 21 quantiles from 2.5 % to 97.5 %."
        ),
        html.P(
            "The networks start from a random walk around the last close and learn only how calm or rough "
            "the next days are likely to be. They guess no direction: nothing we tried could, and a forecast "
            "that pretends to is worse."
        ),
        html.P("So the middle stays close to the last price. What is worth reading is the range."),
    )


def _what_it_cannot_do() -> Component:
    return _panel(
        "What it cannot do",
        html.Ul(
            [
                html.Li("Tell whether the price will rise or fall."),
                html.Li(
                    "Know of news, laws, wars or people; it sees prices and volumes by day and by four "
                    "hours and the calendar, nothing else."
                ),
                html.Li("Promise the range: 1 price in 5 ends outside the 80 % range, and is meant to."),
                html.Li("See further than 90 days, or within a day."),
            ]
        ),
        html.P(html.Strong("This is not financial advice. Do not trade on it.")),
    )


def _data(context: Context) -> Component:
    newest = market.history(context.cache).newest
    scored = track_record.counts(context.cache)["all"]
    return _panel(
        "Data and versions",
        facts(
            {
                "Prices": f"{context.settings.symbol}, {_SOURCES[context.settings.source]}",
                "Newest close": fmt.long_day(newest) if newest else "none yet",
                "Forecasts scored": f"{scored:,}",
                "Software": f"btc-assets {__version__}, forecast code {CODE_VERSION}, Apache-2.0",
            }
        ),
        html.P(["The same numbers for programs: ", html.A("the JSON API", href="/api/v1/openapi.json"), "."]),
    )


def _verify(context: Context) -> Component:
    head = ledger_head(context.cache)
    if head is None:
        return _panel(
            "How to check it",
            html.P(
                "No ledger has been begun on this machine, so nothing here proves when a forecast was made."
            ),
        )
    return _panel("How to check it", *_ledger(head))


def _ledger(head: LedgerHead) -> list[Component]:
    written = fmt.moment(head.issued_at)
    return [
        html.P(
            "Each day's forecasts are hashed together with what they were made from, in a chain in which "
            "every record names the one before. To change an old forecast is to change all that followed it."
        ),
        facts(
            {
                "Newest record": f"{head.seq:,}, written {written}",
                "Its hash": head.sha256,
                "Its time": head.clock,
                "Chain begun": fmt.day(head.began),
            }
        ),
        html.P(f"{head.dates.sentence()}."),
        html.P(
            [
                html.Code("btc verify"),
                " recomputes every hash. Note the hash above today: if it is in the chain next year, nothing "
                "before it was changed.",
            ]
        ),
    ]


def _panel(title: str, *body: Component) -> Component:
    return html.Section([html.H2(title), *body], className="panel prose")
