"""Examines what is stored: tables and their logs, models, the days that are there, the disk."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from btc_assets.contracts import VINTAGES_IN_FORCE
from btc_assets.errors import StorageError
from btc_assets.factory import all_tables
from btc_assets.health.finding import Finding, State, Surroundings
from btc_assets.health.missing_days import TableDays, due_day
from btc_assets.health.table_days import missing_days, table_days
from btc_assets.io.disk import write_fault
from btc_assets.vocabulary import DAILY_ASSETS, NETWORKS

LEAST_FREE = 256 * 1024 * 1024
"""Bytes that must be free: a refit and a day's tables need less than a tenth of it."""


def examine_tables(site: Surroundings) -> list[Finding]:
    """Examine the tables: each that exists can be read, every file hashing to its name."""
    counts, broken = {}, []
    for name, spec in all_tables().items():
        try:
            if site.tables.exists(spec):
                rows = site.tables.read(spec, ["symbol"])["symbol"]
                counts[name] = int((rows == site.settings.symbol).sum())
        except StorageError as error:
            broken.append(str(error))
    if broken:
        return [Finding("tables", State.BROKEN, "; ".join(broken))]
    if not counts:
        remedy = "check that address" if site.settings.read_only else "run `btc up` or `btc backfill`"
        return [Finding("tables", State.BROKEN, f"none in {site.settings.root}; {remedy}")]
    return [
        Finding("tables", State.OK, ", ".join(f"{name} {rows:,}" for name, rows in counts.items())
                + f" (rows of {site.settings.symbol})")
    ]  # fmt: skip


def examine_logs(site: Surroundings) -> list[Finding]:
    """Examine the tables' logs: no entry was torn, or put aside since (finding ``table_logs``)."""
    torn = [alarm for spec in all_tables().values() for alarm in site.tables.torn_entries(spec)]
    if not torn:
        return [Finding("table_logs", State.OK, "no entry of a table's log is torn", 0, 0)]
    advice = "its days are fetched again; look at what is kept, find out why, and delete it"
    return [Finding("table_logs", State.BROKEN, f"{'; '.join(torn)}; {advice}", len(torn), 0)]


def examine_models(site: Surroundings) -> list[Finding]:
    """Examine the models: the registry answers, and the newest vintage of each network verifies."""
    newest = []
    for kind in NETWORKS:
        refs = site.registry.versions(kind)
        if not refs:
            table = VINTAGES_IN_FORCE
            begun = site.tables.exists(table) and not site.tables.read(table, ["symbol"]).is_empty()
            detail = f"no {kind} vintage in the registry"
            detail += ", though some were in force" if begun else "; run `btc up` or `btc backfill`"
            return [Finding("models", State.BROKEN, detail, 1, 0, {} if begun else {"empty": kind})]
        site.registry.model_folder(refs[-1])
        newest.append(f"{kind} {refs[-1].vintage} (of {len(refs)})")
    return [Finding("models", State.OK, f"newest vintages verified: {', '.join(newest)}", 0, 0)]


def examine_all_models(site: Surroundings) -> list[Finding]:
    """As ``examine_models``, with every vintage verified."""
    found = examine_models(site)
    if not found[0].good:
        return found
    refs = [ref for kind in NETWORKS for ref in site.registry.versions(kind)]
    for ref in refs:
        site.registry.model_folder(ref)
    newest = max(ref.vintage for ref in refs)
    return [Finding("models", State.OK, f"{len(refs)} vintages verified, newest {newest}")]


def examine_days(site: Surroundings) -> list[Finding]:
    """Examine the days: finding ``days`` of all tables, then one of each table, ``days of NAME``.

    All are broken, with the fact ``unreadable``, where a table cannot be read: what is due depends on others.
    """
    allowed = dt.timedelta(hours=site.settings.stale_after_hours)
    due = due_day(site.now(), allowed)
    try:
        found = table_days(site.tables, site.settings.symbol, due)
    except StorageError as error:
        said, names = str(error).splitlines()[0], ("days", *(f"days of {asset}" for asset in DAILY_ASSETS))
        return [Finding(name, State.BROKEN, said, facts={"unreadable": "yes"}) for name in names]
    return [days_finding(found, due), *map(table_finding, found.values())]


def days_finding(found: Mapping[str, TableDays], due: dt.date) -> Finding:
    """Late if a day that is kept up is missing somewhere; broken if there is no candle or no forecast."""
    empty = [name for name in ("raw_klines", "forecasts") if not found[name].present]
    if empty:
        detail = f"{' and '.join(empty)} empty; run `btc up` or `btc backfill`"
        facts: dict[str, str | float] = {"empty": ", ".join(empty)} if len(empty) == 2 else {}
        return Finding("days", State.BROKEN, detail, facts=facts)
    missing = missing_days(found)
    said = ", ".join(f"{name} to {found[name].newest}" for name in ("raw_klines", "forecasts"))
    detail = f"{said}; {due} is the newest day that is due"
    if missing:
        lacking = ", ".join(f"{len(each.missing)} of {name}" for name, each in found.items() if each.missing)
        detail += f"; missing: {_span(missing)} ({lacking})"
    return Finding("days", State.LATE if missing else State.OK, detail, len(missing), 0)


def table_finding(each: TableDays) -> Finding:
    """Late if a day that is kept up is missing in this table; broken if it has no row at all."""
    name = f"days of {each.name}"
    facts: dict[str, str | float] = {
        "newest": str(each.newest), "due": str(each.due), "kept up since": str(each.begins)
    }  # fmt: skip
    if each.newest is None and each.optional:
        return Finding(name, State.OK, "no row, and none is needed", 0, 0, facts)
    if each.newest is None:
        return Finding(name, State.BROKEN, "no row at all", facts=facts)
    missing = each.missing
    detail = f"{len(missing)} days missing: {_span(missing)}" if missing else f"complete to {each.newest}"
    return Finding(name, State.LATE if missing else State.OK, detail, len(missing), 0, facts)


def _span(days: Sequence[dt.date]) -> str:
    return f"{days[0]} to {days[-1]}" if len(days) > 1 else f"{days[0]}"


def examine_disk(site: Surroundings) -> list[Finding]:
    """Examine the disk: something can be written beside the tables, and there is room left."""
    root = site.settings.root
    if "://" in root:
        reads = f", and can only be read: {why}" if (why := site.settings.read_only) else ""
        return [Finding("disk", State.OK, f"{root} is not a disk of this machine{reads}")]
    folder = next(path for path in (Path(root), *Path(root).resolve().parents) if path.is_dir())
    if said := write_fault(folder):
        return [Finding("disk", State.BROKEN, said, 0, LEAST_FREE)]
    free = shutil.disk_usage(folder).free
    state = State.BROKEN if free < LEAST_FREE else State.OK
    detail = f"{free / 1e9:,.1f} GB free at {folder}"
    detail += "; make room, or writes will fail" if state is State.BROKEN else ""
    return [Finding("disk", state, detail, free, LEAST_FREE)]
