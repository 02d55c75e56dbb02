"""Route an address to its page, and attach the frame's callbacks."""

from __future__ import annotations

from collections.abc import Callable

from dash import ClientsideFunction, Dash, Input, Output, State, ctx, no_update
from dash.development.base_component import Component
from flask import Response, request

from btc_assets.errors import StorageError
from btc_dash.data import market
from btc_dash.data.context import Context
from btc_dash.data.first_forecast import first_forecast as computed_first
from btc_dash.data.forecasting import NoForecast, forecast_for, read_question
from btc_dash.data.query import LeaderboardQuery, ModelQuestion, RecordQuestion, arguments, parse
from btc_dash.pages import (
    about,
    first_forecast,
    forecast,
    forecast_callbacks,
    forecast_options,
    frame,
    leaderboard,
    models,
    states,
    track_record,
    volatility,
)
from btc_dash.server.middleware import client
from btc_dash.server.rate_limit import TooManyRequests


def render(context: Context, pathname: object, search: object) -> Component:
    """Return the page at an address, whatever state the system is in."""
    page = PAGES.get(pathname) if isinstance(pathname, str) else None
    if page is None:
        return states.not_found()
    try:
        return page(context, search if isinstance(search, str) else "")
    except TooManyRequests as limit:
        return states.rate_limited(limit)
    except (StorageError, OSError):
        return states.store_outage()


def _forecast(context: Context, search: str) -> Component:
    question, complaints = read_question(context, arguments(search))
    plain = question.model_copy(update={"as_of": None, "start": "close", "vintage": None})
    found = forecast_for(context, question, client())
    if isinstance(found, NoForecast) and question.search != plain.search:
        complaints |= {forecast_options.origin_field(question): found.text}
        question = plain
        found = forecast_for(context, question, client())
    if isinstance(found, NoForecast):
        early = computed_first(context, question)
        return first_forecast.page(context, early) if early else states.waiting(context, found)
    return forecast.page(context, found, complaints, search)


def _track_record(context: Context, search: str) -> Component:
    question, complaints = parse(RecordQuestion, arguments(search))
    return track_record.page(context, question, complaints, search)


def _leaderboard(context: Context, search: str) -> Component:
    asked, complaints = parse(LeaderboardQuery, arguments(search), market.last_day(context.cache))
    return leaderboard.page(context, asked, complaints, search)


def _models(context: Context, search: str) -> Component:
    question, complaints = parse(ModelQuestion, arguments(search))
    return models.page(context, question, complaints)


PAGES: dict[str, Callable[[Context, str], Component]] = {
    "/": _forecast,
    "/volatility": lambda context, _search: volatility.page(context),
    "/track-record": _track_record,
    "/leaderboard": _leaderboard,
    "/models": _models,
    "/about": lambda context, _search: about.page(context),
}

EVERY_ADDRESS = "/<path:path>"
"""Dash's name for what answers at any address that nothing else answers at."""

ASK_THEMSELVES = ("/", "/track-record", "/leaderboard")
"""Pages that follow changes of the query string without being drawn anew."""


def say_missing(response: Response) -> Response:
    """Answer 404 with the page for an address that is none, so that programs see it too."""
    if request.endpoint == EVERY_ADDRESS and request.path not in PAGES and response.status_code == 200:
        response.status_code = 404
    return response


def register(app: Dash, context: Context) -> None:
    """Attach the frame's callbacks."""

    @app.callback(Output("page", "children"), Input("url", "pathname"), Input("url", "search"))
    def show(pathname: object, search: object) -> Component:
        if pathname in ASK_THEMSELVES and list(ctx.triggered_prop_ids) == ["url.search"]:
            return no_update
        return render(context, pathname, search)

    @app.callback(
        Output("page", "children", allow_duplicate=True),
        Input("waiting", "n_intervals"),
        State("url", "pathname"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def refresh(_beats: object, pathname: object, search: object) -> Component:
        return render(context, pathname, search)

    @app.callback(
        Output("page", "children", allow_duplicate=True),
        Output("first-progress", "children"),
        Input("first-waiting", "n_intervals"),
        State("url", "pathname"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def replace_first(_beats: object, pathname: object, search: object) -> tuple[object, object]:
        if market.newest_origin(context.cache) is None:
            return no_update, first_forecast.loading(context)
        return render(context, pathname, search), no_update

    @app.callback(
        Output("badge", "children"),
        Output("notices", "children"),
        Input("pulse", "n_intervals"),
        prevent_initial_call=True,
    )
    def state(_beats: object) -> tuple[list[Component], list[Component]]:
        return frame.badge(context), frame.notices(context)

    forecast_callbacks.register(app, context)
    track_record.register(app, context)
    leaderboard.register(app, context)
    app.clientside_callback(
        ClientsideFunction("page", "here"), Output("tabs", "data-at"), Input("url", "pathname")
    )
    app.clientside_callback(
        ClientsideFunction("page", "scheme"), Output("scheme", "data-at"), Input("scheme", "n_clicks"),
        prevent_initial_call=True,
    )  # fmt: skip
