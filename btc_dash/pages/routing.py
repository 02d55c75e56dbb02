"""Which page an address shows, and the callbacks of the frame."""

from __future__ import annotations

from collections.abc import Callable

from dash import ClientsideFunction, Dash, Input, Output, State, ctx, no_update
from dash.development.base_component import Component

from btc_assets.errors import StorageError
from btc_dash.data.context import Site
from btc_dash.data.forecasting import NoAnswer, answer, understand
from btc_dash.data.query import ModelQuestion, RecordQuestion, arguments, parse
from btc_dash.pages import (
    about,
    forecast,
    forecast_callbacks,
    frame,
    models,
    states,
    track_callbacks,
    track_record,
)
from btc_dash.server.middleware import client
from btc_dash.server.rate_limit import TooManyRequests


def render(site: Site, pathname: object, search: object) -> Component:
    """The page at an address, whatever state the system is in."""
    page = PAGES.get(pathname) if isinstance(pathname, str) else None
    if page is None:
        return states.not_found()
    try:
        return page(site, search if isinstance(search, str) else "")
    except TooManyRequests as limit:
        return states.later(limit)
    except (StorageError, OSError):
        return states.out_of_order()


def _forecast(site: Site, search: str) -> Component:
    question, complaints = understand(site, arguments(search))
    plain = question.model_copy(update={"as_of": None, "start": "close", "vintage": None})
    found = answer(site, question, client())
    if isinstance(found, NoAnswer) and question.search != plain.search:
        complaints |= {forecast.origin_field(question): found.text}
        question = plain
        found = answer(site, question, client())
    if isinstance(found, NoAnswer):
        return states.waiting(site, found)
    return forecast.page(site, found, complaints, search)


def _track_record(site: Site, search: str) -> Component:
    question, complaints = parse(RecordQuestion, arguments(search))
    return track_record.page(site, question, complaints, search)


def _models(site: Site, search: str) -> Component:
    question, complaints = parse(ModelQuestion, arguments(search))
    return models.page(site, question, complaints)


def _about(site: Site, _search: str) -> Component:
    return about.page(site)


PAGES: dict[str, Callable[[Site, str], Component]] = {
    "/": _forecast,
    "/track-record": _track_record,
    "/models": _models,
    "/about": _about,
}

ASK_THEMSELVES = ("/", "/track-record")
"""Pages that follow changes of the query string without being drawn anew."""


def register(app: Dash, site: Site) -> None:
    """Attach the frame's callbacks."""

    @app.callback(Output("page", "children"), Input("url", "pathname"), Input("url", "search"))
    def show(pathname: object, search: object) -> Component:
        if pathname in ASK_THEMSELVES and list(ctx.triggered_prop_ids) == ["url.search"]:
            return no_update
        return render(site, pathname, search)

    @app.callback(
        Output("page", "children", allow_duplicate=True),
        Input("waiting", "n_intervals"),
        State("url", "pathname"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def look_again(_beats: object, pathname: object, search: object) -> Component:
        return render(site, pathname, search)

    @app.callback(
        Output("badge", "children"),
        Output("notices", "children"),
        Input("pulse", "n_intervals"),
        prevent_initial_call=True,
    )
    def state(_beats: object) -> tuple[list[Component], list[Component]]:
        return frame.badge(site), frame.notices(site)

    forecast_callbacks.register(app, site)
    track_callbacks.register(app, site)
    app.clientside_callback(
        ClientsideFunction("page", "here"), Output("tabs", "data-at"), Input("url", "pathname")
    )
    app.clientside_callback(
        ClientsideFunction("page", "scheme"), Output("scheme", "data-at"), Input("scheme", "n_clicks"),
        prevent_initial_call=True,
    )  # fmt: skip
