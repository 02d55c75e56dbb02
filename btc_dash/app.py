"""Builds the web app: Flask underneath, Dash for the pages, everything wired here and nowhere else."""

from __future__ import annotations

from dash import Dash, html

from btc_assets import settings as configuration
from btc_assets.market.pair import ticker
from btc_assets.settings import Settings
from btc_dash import api
from btc_dash.data.context import Context, open_context
from btc_dash.pages import frame, routing, share_picture
from btc_dash.server import index_page, middleware, plotly_js
from btc_dash.text import formatting as fmt

DESCRIPTION = "{coin} price forecasts with honest ranges and a public track record."


def create_app(settings: Settings | None = None, context: Context | None = None) -> Dash:
    """Return the Dash app over the stores that ``settings`` name; ``app.server`` is the WSGI application.

    Args:
        settings: defaults to the environment's.
        context: replaces what would be built from the settings (tests: another clock, other tables).

    Raises:
        ConfigurationError: the settings are wrong.

    Examples:
        >>> app = create_app(configuration.load({}, source="simulated"))
        >>> app.server.test_client().get("/health").status_code
        200
    """
    if context is None:
        context = open_context(settings or configuration.load())
    app = index_page.create(
        name="btc_dash",
        title=f"{ticker(context.settings.symbol)} Forecast",
        update_title=None,
        compress=True,
        suppress_callback_exceptions=True,
        add_log_handler=False,
        meta_tags=[
            {"name": "viewport", "content": "width=device-width, initial-scale=1"},
            {"name": "description", "content": DESCRIPTION.format(coin=fmt.coin(context.settings.symbol))},
            {"name": "color-scheme", "content": "light dark"},
        ],
    )
    app.server.config["SEND_FILE_MAX_AGE_DEFAULT"] = 31_536_000
    plotly_js.serve(app.server)
    app.layout = html.Div()
    routing.register(app, context)
    api.register(app.server, context)
    api.register_pictures(app.server, context)
    share_picture.serve(app.server, context)
    middleware.install(app, context.settings.web_proxies, metrics_port=context.settings.web_metrics_port)
    app.server.after_request(routing.say_missing)  # added last, it runs first: 404 is logged
    app.finish_setup()
    app.layout = lambda: frame.frame(context)
    return app
