"""The web app for tests: a site whose clock stands still, callback payloads, a server on loopback."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import dash_data
from dash import Dash
from werkzeug.serving import WSGIRequestHandler, make_server

from btc_assets.settings import Settings
from btc_dash.data.context import Context, open_context


def context_at(settings: Settings, **more: Any) -> Context:
    """A site whose clock stands still."""
    return replace(open_context(settings), **{"now": lambda: dash_data.NOW} | more)


def payload(app: Dash, output: str, changed: str, values: dict[str, Any]) -> dict[str, Any]:
    """What the browser would send when ``changed`` changes; ``values`` by "id.property"."""
    key = next(key for key in app.callback_map if output in key.strip(".").split("..."))
    known = app.callback_map[key]

    def fill(parts: list[dict[str, str]]) -> list[dict[str, Any]]:
        names = [f"{part['id']}.{part['property']}" for part in parts]
        return [
            {"id": p["id"], "property": p["property"], "value": values.get(name)}
            for p, name in zip(parts, names, strict=True)
        ]

    outputs = [
        dict(zip(("id", "property"), part.rsplit(".", 1), strict=True))
        for part in key.strip(".").split("...")
    ]
    return {
        "output": key,
        "outputs": outputs if key.startswith("..") else outputs[0],
        "inputs": fill(known["inputs"]),
        "state": fill(known["state"]),
        "changedPropIds": [changed],
    }


class _Quiet(WSGIRequestHandler):
    """Says nothing of each request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing."""


class Served:
    """An app on a free port of this machine, or on ``port``, until ``stop``."""

    def __init__(self, app: Dash, port: int = 0) -> None:
        self._server = make_server("127.0.0.1", port, app.server, threaded=True, request_handler=_Quiet)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
