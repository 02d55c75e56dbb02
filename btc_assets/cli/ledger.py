"""``btc verify``, ``btc rebuild`` and ``btc ledger``: prove what was issued, and compute it again."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from btc_assets.cli.options import closed_day, parse_day
from btc_assets.errors import ConfigurationError, LedgerError
from btc_assets.market.calendar import DAY
from btc_assets.settings import Settings, load

if TYPE_CHECKING:
    from btc_assets.ledger.records import Head
    from btc_assets.ledger.verification.report import Report
    from btc_assets.storage.tables import TableStore

ledger = typer.Typer(no_args_is_help=True, help="Look after the chain of issue records.")

From = Annotated[str | None, typer.Option("--from", help="First origin (UTC, included).")]
To = Annotated[str | None, typer.Option("--to", help="Last origin (UTC, included).")]


def verify(start: From = None, end: To = None) -> None:
    """Check that every forecast is what was issued, when and from what: exit code 1 if one is not.

    Follows the chain of issue records, hashes forecasts, candles, features and models again, computes
    baselines and scores again, and compares the heads that were published. Reads only.
    """
    report = verify_store(load(), *origin_range(start, end))
    typer.echo(report.line())
    for fault in report.faults[1:]:
        typer.echo(f"  also: {fault}")
    for note in report.notes:
        typer.echo(f"  note: {note}")
    raise typer.Exit(0 if report.ok else 1)


def rebuild(
    day: Annotated[str, typer.Argument(help="Origin of the forecast, YYYY-MM-DD.")],
    check: Annotated[bool, typer.Option("--check", help="Compare only; write nothing.")] = False,
    refit: Annotated[bool, typer.Option("--refit", help="Fit its models again, too (minutes).")] = False,
) -> None:
    """Compute DAY's forecast again from what was known then and the stored models, byte for byte.

    If its stored rows were lost or altered, puts back what was issued; with --check it only says so. Exit
    code 1 if what is computed or stored is not what was issued.
    """
    from btc_assets.factory import open_pair, open_registry
    from btc_assets.ledger.rebuild import rebuild as rebuild_day

    origin = closed_day(day, "DAY")
    settings = load()
    rebuilt = rebuild_day(
        open_pair(settings), open_registry(settings), settings.symbol, origin, check=check, refit=refit
    )
    for line in rebuilt.lines():
        typer.echo(line)
    raise typer.Exit(0 if rebuilt.ok else 1)


def verify_store(settings: Settings, first: dt.date | None = None, end: dt.date | None = None) -> Report:
    """Verify what was issued from ``first`` to before ``end``: scores and published heads, too."""
    from btc_assets.factory import open_pair, open_registry
    from btc_assets.ledger.publishing.sinks import open_sink
    from btc_assets.ledger.verification.verify import verify as verify_ledger
    from btc_assets.modeling.features import ENGINEERED_FEATURES

    tables = open_pair(settings)
    report = verify_ledger(
        tables,
        open_registry(settings),
        settings.symbol,
        features=ENGINEERED_FEATURES,
        sink=open_sink(settings, tables),
        start=first,
        end=end,
        scores=True,
    )
    if settings.read_only and report.ok and not report.records:
        raise LedgerError(
            f"there is no record of {settings.symbol} at {settings.root}; look at BTC_SOURCE, and at "
            "BTC_DATA_DIR, whose address ends before /real or /simulated"
        )
    return report


def write_proof(settings: Settings, out: Path, **more: Any) -> Path:
    """Write a proof folder, which anyone can check without this software; ``more`` says of what."""
    from btc_assets.factory import open_pair, open_registry
    from btc_assets.ledger.proof import export_proof
    from btc_assets.ledger.publishing.sinks import open_sink

    tables = open_pair(settings)
    sink = open_sink(settings, tables)
    return export_proof(tables, open_registry(settings), settings.symbol, out, sink=sink, **more)


@ledger.command("head")
def show_head() -> None:
    """Print the newest record's number and hash."""
    from btc_assets.factory import open_pair

    settings = load()
    newest = _newest_head(open_pair(settings), settings.symbol)
    typer.echo(f"{newest.seq} {newest.record_sha256} {newest.issued_at.isoformat()}")


@ledger.command("publish")
def publish() -> None:
    """Publish the newest hash to BTC_LEDGER_SINK again, after a sink had failed, and ask who has dated it."""
    from btc_assets.factory import open_pair
    from btc_assets.ledger.publishing.sinks import open_sink

    settings = load()
    tables = open_pair(settings)
    sink = open_sink(settings, tables)
    if sink is None:
        raise ConfigurationError("BTC_LEDGER_SINK is not set: there is nowhere to publish to")
    newest = _newest_head(tables, settings.symbol)
    sink.publish(newest)
    typer.echo(f"record {newest.seq} ({newest.record_sha256}) is at {sink.location}")
    for found in sink.published(newest.symbol):
        if found.record_sha256 == newest.record_sha256:
            typer.echo(f"  dated {found.in_words()}")


@ledger.command("restart")
def restart(
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept in the chain for ever.")],
) -> None:
    """Begin the chain anew after a record that claims to come from the future."""
    from btc_assets.factory import open_pair
    from btc_assets.ledger.chain import restart_chain
    from btc_assets.ledger.clock import Clock
    from btc_assets.ledger.continuity import check_continuity, known_heads, remember
    from btc_assets.market.sources.factory import open_source

    settings = load()
    tables = open_pair(settings)
    heads, _ = known_heads(settings, tables)
    check_continuity(tables, settings.symbol, heads)
    newest = restart_chain(tables, settings.symbol, Clock.read(open_source(settings)), reason)
    remember(settings, newest)
    typer.echo(f"record {newest.seq} ({newest.record_sha256}) begins the chain anew")


def _newest_head(tables: TableStore, symbol: str) -> Head:
    from btc_assets.ledger.records import head

    newest = head(tables, symbol)
    if newest is None:
        raise LedgerError(f"nothing was issued for {symbol} yet; materialise forecasts first")
    return newest


def origin_range(start: str | None, end: str | None) -> tuple[dt.date | None, dt.date | None]:
    """Parse ``--from`` and ``--to`` (both included, each optional) as a half-open range.

    Raises:
        ConfigurationError: one is no day, or the range runs backwards.
    """
    first = parse_day(start, "--from") if start else None
    last = parse_day(end, "--to") + DAY if end else None
    if first and last and last <= first:
        raise ConfigurationError(f"the range runs backwards: --from {start} is after --to {end}; swap them")
    return first, last
