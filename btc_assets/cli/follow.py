"""``btc follow``: the page over somebody else's store, fetched and verified whenever it changes."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Annotated

import typer

from btc_assets.errors import BtcError, ConfigurationError
from btc_assets.extras import require_extras
from btc_assets.settings import Settings, load

if TYPE_CHECKING:
    from btc_assets.backup.follow import Follower
    from btc_assets.supervision.processes import Supervisor


def follow(
    url: Annotated[
        str | None, typer.Argument(help="Address of an archive of `btc backup` (default: BTC_FOLLOW).")
    ] = None,
    web_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the web page (default 8050).")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Fetch and verify once; serve no page.")] = False,
) -> None:
    """Show somebody else's live record: fetch its archive whenever it changes, verify it, serve the page.

    It is verified as `btc restore` does before it is shown. One that does not verify, is older, or does not
    go on from what was shown is refused, and what was shown stays.
    """
    from btc_assets.backup.follow import Follower
    from btc_assets.factory import all_tables

    settings = load(None, follow=url, web_port=web_port)
    if not settings.follow:
        raise ConfigurationError("name the archive to follow: `btc follow https://...`, or set BTC_FOLLOW")
    follower = Follower(settings, settings.follow, list(all_tables().values()))
    if once:
        look(follower)
        return
    require_extras("web", purpose="`btc follow`")
    from btc_assets.supervision.lock import hold
    from btc_assets.supervision.processes import Supervisor, require_free_port
    from btc_assets.supervision.signals import interrupted_by_signals

    with hold(follower.folder, "BTC_DATA_DIR"):
        require_free_port(settings.web_host, settings.web_port, "the web page", "--web-port")
        with interrupted_by_signals(), Supervisor(follower.folder) as supervisor:
            with contextlib.suppress(KeyboardInterrupt):
                serve(settings, follower, supervisor)
            typer.echo("stopping ...")
    typer.echo("stopped.")


def look(follower: Follower) -> None:
    """Fetch the archive if it changed, and say what was found."""
    typer.echo(f"asking {follower.url} ...")
    report = follower.refresh()
    typer.echo("nothing new; what was shown stays" if report is None else report.line())


def serve(settings: Settings, follower: Follower, supervisor: Supervisor) -> None:
    """Serve the page, and look for a newer archive every ``follow_minutes``, until interrupted."""
    try:
        look(follower)
    except BtcError as error:
        if follower.shown() is None:
            raise
        warn(error)
    page = supervisor.start("web", ["btc_dash"], settings.environment())
    typer.secho(f"Ready: {settings.web_url}. Ctrl-C stops it.", bold=True)
    while True:
        end = time.monotonic() + 60 * settings.follow_minutes
        while time.monotonic() < end:
            supervisor.require_alive([page])
            time.sleep(0.2)
        try:
            look(follower)
        except BtcError as error:
            warn(error)


def warn(error: BtcError) -> None:
    """Say why nothing newer is shown."""
    typer.secho(f"{error}; what was shown before stays", fg="yellow", err=True)
