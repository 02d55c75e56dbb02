"""The JSON API, on the same server as the pages and from the same answers."""

from btc_dash.api.routes import register, register_pictures

__all__ = ["register", "register_pictures"]
