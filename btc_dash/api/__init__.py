"""The JSON API, on the same server as the pages and from the same answers."""

from btc_dash.api.routes import pictures, register

__all__ = ["pictures", "register"]
