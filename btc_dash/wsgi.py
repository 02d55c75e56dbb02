"""The WSGI application, for any server; ``python -m btc_dash`` serves it with gunicorn."""

from __future__ import annotations

from btc_assets.supervision.loading import loading_for_good

with loading_for_good():
    from btc_dash.app import create_app

    app = create_app()
server = app.server
