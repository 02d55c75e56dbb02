"""``btc up``: everything on one machine, from the first candle to the page, until Ctrl-C."""

from __future__ import annotations

import contextlib
import fcntl
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated

import typer

from btc_assets.cli.options import one_of
from btc_assets.cli.processes import ManagedProcess, Supervisor, require_free_port
from btc_assets.defs.instance import EVENT_BATCHES, is_initialised, prepare_home
from btc_assets.errors import BtcError, ConfigurationError, SourceError, StorageError
from btc_assets.extras import require_extras
from btc_assets.settings import Settings, load
from btc_assets.vocabulary import SOURCES

PROBE_TIMEOUT = 8.0
"""Seconds that the exchange may take to answer before the simulated market takes its place."""


def up(
    source: Annotated[
        str | None,
        typer.Option(
            help="binance, archive or simulated; by default Binance, or simulated if it is out of reach."
        ),
    ] = None,
    web_port: Annotated[int | None, typer.Option(help="Port of the web page (default 8050).")] = None,
    dagster_port: Annotated[int | None, typer.Option(help="Port of Dagster's UI (default 3000).")] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Catch up, print the result and stop; start no servers.")
    ] = False,
) -> None:
    """Load the history, fit the networks, issue forecasts, and serve Dagster's UI and the web page.

    The first start takes a few minutes, mostly for fitting; the page says how far it has come. Later starts
    take seconds and only catch up. Ctrl-C stops everything that was started. With no network to Binance it
    says so and uses a simulated market, in a data folder of its own, labelled everywhere; with --source it
    never does.
    """
    require_extras("graph", "train", *(() if once else ("web",)), purpose="`btc up`")
    settings = choose_settings(source, web_port=web_port, dagster_port=dagster_port)
    if not once:
        require_free_port(settings.web_host, settings.web_port, "the web page", "--web-port")
        require_free_port(settings.dagster_host, settings.dagster_port, "Dagster's UI", "--dagster-port")
        warn_of_public_address(settings)
    with lock_data_folder(settings) as home, Supervisor(home / "logs") as supervisor:
        signal.signal(signal.SIGTERM, _as_interrupt)
        with contextlib.suppress(KeyboardInterrupt):
            serve(settings, supervisor, once)
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
    import os

    if source is not None or "BTC_SOURCE" in os.environ:
        return settings
    from btc_assets.market.sources.factory import open_source

    probe = settings.model_copy(update={"source_deadline": PROBE_TIMEOUT})
    try:
        open_source(probe).now()
    except SourceError as error:
        first = str(error).split("\n")[0]
        typer.secho(
            f"Binance cannot be reached ({first}); going on with a SIMULATED market.", fg="yellow", err=True
        )
        return load(None, source="simulated", **ports)
    return settings


@contextlib.contextmanager
def lock_data_folder(settings: Settings) -> Iterator[Path]:
    """Lock the data folder for one ``btc up``; yields the folder of logs and locks.

    Raises:
        StorageError: the folder cannot be written.
        ConfigurationError: another ``btc up`` holds it.
    """
    home = Path(settings.dagster_home).parent
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock: IO[str] = (home / "up.lock").open("a")
    except OSError as error:
        raise StorageError(
            f"the data folder {home} cannot be written ({error.strerror}); set BTC_DATA_DIR to one that can"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                f"another `btc up` is using {home}; stop it, or set BTC_DATA_DIR to another folder"
            ) from None
        yield home


def serve(settings: Settings, supervisor: Supervisor, once: bool) -> None:
    """Start worker and servers, show the worker's progress, then watch the servers until interrupted."""
    environment = settings.environment() | EVENT_BATCHES | {"DAGSTER_HOME": str(prepare_home(settings))}
    if settings.simulated:
        typer.secho("SIMULATED market: these are not real prices.", fg="yellow")
    servers = []
    if not once:
        servers.append(supervisor.start("web", ["btc_dash"], environment))
        typer.echo(f"web page   http://{settings.web_host}:{settings.web_port}")
    worker = supervisor.start("catch_up", ["btc_assets.cli.catch_up"], environment)
    if not once:
        while worker.alive and not is_initialised(settings):
            time.sleep(0.1)
        servers.append(supervisor.start("dagster", dagster_command(settings), environment))
        typer.echo(
            f"Dagster    http://{settings.dagster_host}:{settings.dagster_port}  (a minute on a first start)"
        )
    show_progress(settings, worker, servers)
    if once:
        return
    typer.secho(
        f"Ready: http://{settings.web_host}:{settings.web_port} (page), "
        f"http://{settings.dagster_host}:{settings.dagster_port} (Dagster). Ctrl-C stops both.",
        bold=True,
    )
    while True:
        require_alive(servers)
        time.sleep(0.5)


def dagster_command(settings: Settings) -> list[str]:
    """Return the command that runs Dagster's webserver and daemon over our code location."""
    host, port = settings.dagster_host, str(settings.dagster_port)
    return ["dagster", "dev", "-m", "btc_assets.definitions", "-h", host, "-p", port]


def show_progress(settings: Settings, worker: ManagedProcess, servers: list[ManagedProcess]) -> None:
    """Show progress bars until the worker is done.

    Raises:
        BtcError: the worker or a server failed; shows the end of its log.
    """
    from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    from btc_assets.io.progress import read

    columns = (TextColumn("{task.description:<28}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
               TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("{task.fields[detail]}"))  # fmt: skip
    with Bars(*columns) as bars:
        tasks: dict[str, TaskID] = {}
        while worker.alive:
            require_alive(servers)
            progress = read(settings.root)
            if progress is not None:
                if progress.stage not in tasks:
                    for task in tasks.values():
                        bars.update(task, completed=1.0)
                    tasks[progress.stage] = bars.add_task(progress.stage, total=1.0, detail="")
                task_id = tasks[progress.stage]
                bars.update(task_id, completed=progress.fraction, detail=progress.detail)
            time.sleep(0.2)
        if worker.popen.returncode == 0:
            for task in tasks.values():
                bars.update(task, completed=1.0)
    if worker.popen.returncode != 0:
        raise BtcError(f"catching up failed:\n{worker.log_tail()}\nThe whole log is {worker.log}.")


def require_alive(servers: list[ManagedProcess]) -> None:
    """Raise BtcError with the end of its log if a server has stopped by itself."""
    for server in servers:
        if not server.alive:
            raise BtcError(
                f"{server.name} stopped by itself:\n{server.log_tail()}\nThe whole log is {server.log}."
            )


def _as_interrupt(*_: object) -> None:
    raise KeyboardInterrupt
