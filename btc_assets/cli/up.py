"""``btc up``: everything on one machine, from the first candle to the page, until Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from btc_assets.cli.options import one_of
from btc_assets.cli.published import begin_with_published
from btc_assets.cli.up_progress import RecordBackfill, show_progress, watch
from btc_assets.defs.instance import (
    EVENT_BATCHES,
    is_initialised,
    prepare_home,
    put_damaged_aside,
    require_own_store,
)
from btc_assets.errors import ConfigurationError, SourceError
from btc_assets.extras import require_extras
from btc_assets.settings import Settings, load
from btc_assets.vocabulary import SOURCES

if TYPE_CHECKING:
    from btc_assets.supervision.processes import Supervisor

MOST_SAID = 160
"""Letters of an error that the terminal shows."""

PROBE_TIMEOUT = 2.0
"""Seconds that the exchange may take to answer before the simulated market takes its place."""


def up(
    source: Annotated[
        str | None,
        typer.Option(
            help="binance, archive or simulated; by default Binance, or simulated if it is out of reach."
        ),
    ] = None,
    web_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the web page (default 8050).")
    ] = None,
    dagster_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of Dagster's UI (default 3000).")
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Catch up, print the result and stop; start no servers.")
    ] = False,
    page: Annotated[
        bool, typer.Option("--page/--no-page", help="Serve the web page, or leave that to another process.")
    ] = True,
) -> None:
    """Load the history, fit the networks, issue forecasts, and serve Dagster's UI and the web page.

    The first start takes a few minutes, mostly for fitting; the page says how far it has come. Later starts
    take seconds and only catch up. Ctrl-C stops everything that was started. With no network to Binance it
    says so and uses a simulated market, in a data folder of its own, labelled everywhere; with --source it
    never does.
    """
    require_extras("graph", "train", *(("web",) if page and not once else ()), purpose="`btc up`")
    settings = choose_settings(source, web_port=web_port, dagster_port=dagster_port)
    begin_with_published(settings)
    from btc_assets.health.services import note_ports
    from btc_assets.supervision.processes import Supervisor, require_free_port
    from btc_assets.supervision.signals import interrupted_by_signals

    with hold_folders(settings) as folder:
        end_orphans(folder)
        check_records(settings)
        if page and not once:
            if settings.web_port == settings.dagster_port:
                raise ConfigurationError(
                    f"page and Dagster's UI cannot share port {settings.web_port}; "
                    "choose another with --web-port"
                )
            require_free_port(settings.web_host, settings.web_port, "the web page", "--web-port")
        if not once:
            require_free_port(settings.dagster_host, settings.dagster_port, "Dagster's UI", "--dagster-port")
            warn_of_public_address(settings)
            note_ports(settings)
        with interrupted_by_signals(), Supervisor(folder) as supervisor:
            with contextlib.suppress(KeyboardInterrupt):
                serve(settings, supervisor, once, page)
            typer.echo("stopping ...")
    typer.echo("stopped.")


def warn_of_public_address(settings: Settings) -> None:
    """Warn if Dagster's UI, which has no login, listens beyond this machine."""
    import ipaddress

    host = settings.dagster_host
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback:
        typer.secho(
            f"BTC_DAGSTER_HOST={host}: Dagster's UI has no login, and who reaches it can start runs and read "
            "what runs were given. Put a proxy with a login in front (docs/security.md).",
            fg="yellow",
            err=True,
        )


def choose_settings(source: str | None, **ports: int | None) -> Settings:
    """Load the settings and decide on the source: only a source that nobody named gives way to simulation."""
    if source is not None:
        one_of(source, SOURCES, "source")
    settings = load(None, source=source, **ports)
    require_own_store(settings)
    import os

    if source is not None or "BTC_SOURCE" in os.environ:
        return settings
    if (why := unreachable(settings)) is None:
        return settings
    if has_candles(settings):
        typer.secho(f"{why}; going on with what is stored.", fg="yellow", err=True)
        return settings
    said = f"{why}; going on with a SIMULATED market (`--source binance` insists on the real one)."
    typer.secho(said, fg="yellow", err=True)
    return load(None, source="simulated", **ports)


def unreachable(settings: Settings) -> str | None:
    """Return in a few words why Binance cannot be reached; None if it answers within ``PROBE_TIMEOUT``."""
    import logging
    from importlib import import_module

    from btc_assets.io.retries import log
    from btc_assets.market.retry import RetryPolicy
    from btc_assets.market.sources.factory import open_source

    for module in ("binance.spot", "btc_assets.market.http_session"):
        import_module(module)  # the time that this takes is not the exchange's
    log.setLevel(logging.CRITICAL)  # what each attempt met is not worth a line: the sentence says the last
    try:
        open_source(settings, RetryPolicy(PROBE_TIMEOUT, connect=PROBE_TIMEOUT, read=PROBE_TIMEOUT)).now()
    except SourceError as error:
        why = str(error).split("\n")[0].partition("; before that")[0]
        return f"Binance cannot be reached ({why[:MOST_SAID]})"
    finally:
        log.setLevel(logging.NOTSET)
    return None


@contextlib.contextmanager
def hold_folders(settings: Settings) -> Iterator[Path]:
    """Lock the data folder and Dagster's home for one ``btc up``; yields the folder of its logs.

    Raises:
        StorageError: a folder cannot be written, or its file system has no locks.
        ConfigurationError: another ``btc up`` holds one of them.
    """
    from btc_assets.supervision.lock import hold

    home = Path(settings.dagster_home)
    folder = home.parent if "://" in settings.root else Path(settings.root)
    with contextlib.ExitStack() as held:
        for path, variable in {folder: "BTC_DATA_DIR", home: "DAGSTER_HOME"}.items():
            held.enter_context(hold(path, variable))
        yield folder


def end_orphans(folder: Path) -> None:
    """End the processes of a ``btc up`` on ``folder`` that was killed."""
    from btc_assets.supervision.descendants import end, orphans

    if count := end(lambda: orphans(folder)):
        typer.echo(f"ended {count} processes that an earlier `btc up` left behind when it was killed")


def check_records(settings: Settings) -> None:
    """Put Dagster's databases that cannot be read aside, and say so.

    Raises:
        StorageError: they cannot be written: locked, or the disk is full or read-only.
    """
    from btc_assets.health.dagster_records import require_usable

    home = prepare_home(settings)
    for said in put_damaged_aside(home):
        typer.secho(said, fg="yellow", err=True)
    require_usable(home)


def serve(settings: Settings, supervisor: Supervisor, once: bool, page: bool) -> None:
    """Start worker and servers, show the worker's progress, then watch the servers until interrupted."""
    environment = settings.environment() | EVENT_BATCHES | {"DAGSTER_HOME": str(prepare_home(settings))}
    if settings.simulated:
        typer.secho("SIMULATED market: these are not real prices.", fg="yellow")
    servers = []
    if page and not once:
        servers.append(supervisor.start("web", ["btc_dash"], environment))
        typer.echo(f"web page   {settings.web_url}")
    worker = supervisor.start("catch_up", ["btc_assets.cli.catch_up"], environment)
    if not once:
        while worker.alive and not is_initialised(settings):
            time.sleep(0.1)
        home = environment["DAGSTER_HOME"]
        servers.append(
            supervisor.start("dagster", dagster_command(settings), environment, home, signal.SIGINT)
        )
        typer.echo(f"Dagster    {settings.dagster_url}  (a minute on a first start)")
    try:
        show_progress(settings, worker, lambda: supervisor.require_alive(servers))
    except SourceError as error:
        if once or not has_candles(settings):
            raise
        said = f"{error}\nGoing on with what is stored; Dagster's sensor `catch_up` keeps trying."
        typer.secho(said, fg="yellow", err=True)
    if once:
        return
    record = RecordBackfill(
        settings,
        lambda: supervisor.start(
            "record_backfill", ["btc_assets.cli.record_backfill"], environment, ends_by=signal.SIGUSR1
        ),
    )

    def check() -> None:
        supervisor.require_alive(servers)
        record.say()

    watch(
        settings,
        page,
        check,
        on_answer=lambda: supervisor.start("monitor", ["btc_assets.cli.monitor"], environment),
        on_ready=record.begin,
    )


def has_candles(settings: Settings) -> bool:
    """Return whether there is something that the page can show."""
    from btc_assets.contracts import RAW_KLINES
    from btc_assets.factory import open_tables

    return open_tables(settings).exists(RAW_KLINES)


def dagster_command(settings: Settings) -> list[str]:
    """Return the command that runs Dagster's webserver and daemon over our code location.

    Dagster puts its working folder first on the path of imports, so it works in its home, and every setting
    is handed to it.
    """
    host, port = settings.dagster_host, str(settings.dagster_port)
    return ["btc_assets.webserver.dev", "--host", host, "--port", port]
