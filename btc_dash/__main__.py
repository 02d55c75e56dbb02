"""``python -m btc_dash``: serve the web app with gunicorn until interrupted."""

from __future__ import annotations

import sys

from btc_assets.errors import ConfigurationError
from btc_assets.extras import require_extras


def main() -> None:
    """Start gunicorn with our configuration.

    Raises:
        SystemExit: 2 for a wrong setting or a missing extra, otherwise gunicorn's own exit code.
    """
    try:
        require_extras("web", purpose="the web page")
        from btc_dash import gunicorn_conf  # noqa: F401  (checks the settings before any process starts)
    except ConfigurationError as error:
        print(f"btc_dash: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    from gunicorn.app.wsgiapp import run

    sys.argv = ["btc_dash", "-c", "python:btc_dash.gunicorn_conf"]
    run()


if __name__ == "__main__":
    main()
