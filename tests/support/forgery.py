"""What a dishonest operator does to a store and its proof, and what the two verifiers then say."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
from forged_bundle import Bundle
from scored_world import ScoredWorld

from btc_assets.contracts import FORECASTS, TableSpec
from btc_assets.ledger.digest import forecast_digests
from btc_assets.ledger.proof import export_proof
from btc_assets.ledger.records import ISSUE_RECORDS, IssueRecord, records_frame
from btc_assets.ledger.verification.report import Report
from btc_assets.ledger.verification.verify import verify
from btc_assets.storage.delta.data_files import DataFile, encode
from btc_assets.storage.delta.store import DeltaTables


def proof_of(world: ScoredWorld, folder: Path) -> Path:
    return export_proof(world.tables, world.registry, world.symbol, folder / "proof")


def check(world: ScoredWorld, **options: Any) -> Report:
    return verify(DeltaTables(str(world.root)), world.registry, world.symbol, scores=True, **options)


def named(report: Report, what: str) -> None:
    assert not report.ok, report.line()
    assert what in "\n".join(map(str, report.faults))


def refused(bundle: Bundle, what: str) -> None:
    done = bundle.verified()
    assert done.returncode == 1, done.stdout
    assert done.stderr.startswith("NOT as recorded: "), done.stderr
    assert what in done.stderr


def well(bundle: Bundle, *arguments: str) -> str:
    done = bundle.verified(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def record_table(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(("ensemble", "mlp", "lstm"))]


def further(lines: list[str]) -> list[str]:
    """The lines about more than a day ahead: their targets all lie before the known head."""
    return [line for line in lines if line.split()[2] != "1"]


def append(world: ScoredWorld, change: Callable[[IssueRecord], IssueRecord], rows: pl.DataFrame) -> None:
    """Append a record that vouches for ``rows`` of one origin, and store them."""
    last, origin = world.records()[-1], rows["origin_date"][0]
    before = [record for record in world.records() if record.origin_date == origin][-1]
    clocks = {name: getattr(last, name) for name in ("issued_at", "local_clock", "source_clock")}
    made = change(replace(before, supersedes=before.seq, **clocks))
    made = replace(
        made,
        seq=last.seq + 1,
        previous_sha256=last.sha256(),
        rows=rows.height,
        rows_sha256=forecast_digests(rows)[origin],
    )
    world.tables.insert(ISSUE_RECORDS, records_frame([made]))
    stamped = rows.with_columns(issued_at=pl.lit(made.issued_at, FORECASTS.schema["issued_at"]))
    world.tables.upsert(FORECASTS, stamped.select(FORECASTS.schema.names()))


def rewrite_last(world: ScoredWorld, rows: pl.DataFrame, **values: Any) -> None:
    """Make the newest record vouch for other rows of its origin."""
    last = world.records()[-1]
    made = replace(last, rows=rows.height, rows_sha256=forecast_digests(rows)[last.origin_date], **values)
    world.tables.upsert(ISSUE_RECORDS, records_frame([made]))
    world.tables.upsert(FORECASTS, rows)


def counts(text: str) -> dict[tuple[str, str], int]:
    """Forecasts one day ahead in the track record, by model and what is counted."""
    cells = [line.split() for line in record_table(text)]
    return {(c[0], c[1]): int(c[3]) for c in cells if c[2] == "1"}


def added(world: ScoredWorld, **values: Any) -> IssueRecord:
    """Append a record to the chain that is the newest but for ``values``."""
    last = world.records()[-1]
    made = replace(last, seq=last.seq + 1, previous_sha256=last.sha256(), supersedes=-1)
    made = replace(made, **values)
    world.tables.insert(ISSUE_RECORDS, records_frame([made]))
    return made


def clocks(at: dt.datetime) -> dict[str, dt.datetime]:
    return dict.fromkeys(("issued_at", "local_clock", "source_clock"), at)


def plant(world: ScoredWorld, spec: TableSpec, rows: pl.DataFrame, name_days: str = "") -> None:
    """Commit ``rows`` to a table without asking it, as who holds the disk can.

    ``name_days``: how the file's name begins, if not with the days of its rows.
    """
    for file, content in encode(spec, rows):
        commit(world, spec, name_days + file.name[len(name_days) :], content)


def commit(world: ScoredWorld, spec: TableSpec, name: str, content: bytes) -> None:
    """Add a file to a table."""
    world.tables._folder(spec).write(name, content)
    log = world.tables._log(spec)
    log.commit(log.open(), [(DataFile.parse(name), len(content))], [])
