"""Write the HTML around the app: our own index, without what the pages do not use."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any

from dash import Dash
from flask import request

from btc_dash.server import plotly_js

_INDEX = (Path(__file__).parents[1] / "index.html").read_text(encoding="utf-8")
_GRAPH = "/_dash-component-suites/dash/dcc/async-graph.js"
"""What Dash fetches when the first chart comes up; asked for with the page, it is there by then."""

_UNUSED = re.compile(r'<script src="[^"]*/dash_table/[^"]*"></script>\s*')
_TOLD_NOBODY = ("python_version", "dash_version_url", "plotly_version")
"""Parts of Dash's configuration that the browser has no use for."""


class IndexPage(Dash):
    """Dash with our document: scheme before paint, plotly.js fetched early, nothing superfluous."""

    def interpolate_index(self, **parts: str) -> str:
        """Return the page's HTML."""
        parts["scripts"] = _UNUSED.sub("", parts["scripts"])
        parts["app_entry"] = _ENTRY
        html: str = super().interpolate_index(**parts)
        search = request.query_string.decode(errors="replace")
        asked = f"?{search}" if search and request.path == "/" else ""
        addresses = {
            "%SCHEME%": self.get_asset_url("scheme.js"),
            "%MARK%": self.get_asset_url("mark.svg"),
            "%PLOTLY%": plotly_js.ADDRESS,
            "%GRAPH%": _GRAPH,
            "%CARD%": escape(f"{request.url_root.rstrip('/')}/card.svg{asked}"),
            "%TITLE%": escape(self.title),
        }
        for mark, address in addresses.items():
            html = html.replace(mark, address)
        return html

    def finish_setup(self) -> None:
        """Register components, scripts and callbacks now: Dash does it during the first request.

        Dash marks that done before it has begun, so that requests which reach a fresh process together fail.
        The layout must be one that reads nothing: a store that hangs must not keep a process from starting.
        """
        self._setup_server()

    def _config(self) -> dict[str, Any]:
        return {name: value for name, value in super()._config().items() if name not in _TOLD_NOBODY}


_ENTRY = '<div id="react-entry-point"><div class="first-wait" role="status">Loading …</div></div>'


def create(**options: Any) -> IndexPage:
    """Return a ``IndexPage`` with our index; ``options`` go to Dash."""
    return IndexPage(index_string=_INDEX, assets_ignore=r"scheme\.js", **options)
