"""Which page an address shows, and the callbacks of the frame."""

from __future__ import annotations

from dash import ClientsideFunction, Dash, Input, Output, State
from dash.development.base_component import Component

from btc_assets.errors import StorageError
from btc_dash import market, shell
from btc_dash.answer import NoAnswer, answer
from btc_dash.pages import asking, forecast, states
from btc_dash.query import arguments, parse
from btc_dash.site import Site


def render(site: Site, pathname: object, search: object) -> Component:
    """The page at an address, whatever state the system is in."""
    try:
        return _page(site, pathname, search)
    except (StorageError, OSError):
        return states.out_of_order()


def _page(site: Site, pathname: object, search: object) -> Component:
    if pathname == "/":
        newest = market.newest_origin(site.reader)
        question, complaints = parse(arguments(search), newest)
        found = answer(site, question)
        if isinstance(found, NoAnswer) or newest is None:
            assert isinstance(found, NoAnswer)
            return states.waiting(site, found)
        return forecast.page(found, complaints, newest, search if isinstance(search, str) else "")
    return states.not_found()


def register(app: Dash, site: Site) -> None:
    """Attach the frame's callbacks."""

    @app.callback(Output("page", "children"), Input("url", "pathname"), State("url", "search"))
    def show(pathname: object, search: object) -> Component:
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

    @app.callback(Output("badge", "children"), Output("notices", "children"), Input("pulse", "n_intervals"))
    def state(_beats: object) -> tuple[list[Component], list[Component]]:
        return shell.badge(site), shell.notices(site)

    asking.register(app, site)
    app.clientside_callback(
        ClientsideFunction("page", "here"), Output("tabs", "data-at"), Input("url", "pathname")
    )
    app.clientside_callback(
        ClientsideFunction("page", "scheme"), Output("scheme", "data-at"), Input("scheme", "n_clicks"),
        prevent_initial_call=True,
    )  # fmt: skip
