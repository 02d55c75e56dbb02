"""The WSGI application, for any server; ``python -m btc_dash`` serves it with gunicorn."""

from __future__ import annotations

from btc_dash.app import create_app

app = create_app()
server = app.server
