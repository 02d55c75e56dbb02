"""``python -m btc_assets.webserver`` is ``dagster-webserver`` behind the filter; the options are the same."""

from __future__ import annotations

from collections.abc import Sequence

from dagster_webserver import app, cli
from dagster_webserver.webserver import DagsterWebserver
from starlette.middleware import Middleware

from btc_assets.settings import load, split
from btc_assets.webserver.middleware import CrossSiteFilter


class FilteredWebserver(DagsterWebserver):  # type: ignore[type-arg]
    """Dagster's webserver, every request of which goes through the filter first."""

    def build_middleware(self) -> list[Middleware]:
        """Put the filter before Dagster's own middleware."""
        hosts = split(load().dagster_hosts)
        return [Middleware(CrossSiteFilter, hosts=hosts), *super().build_middleware()]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run Dagster's command with our webserver in place of its own; see its options for ``arguments``."""
    vars(app)["DagsterWebserver"] = FilteredWebserver
    cli.cli(arguments, auto_envvar_prefix="DAGSTER_WEBSERVER")


if __name__ == "__main__":
    main()
