"""Export a proof: plain files that anyone can check with one short script, without our tables or our code."""

from __future__ import annotations

import datetime as dt
import gzip
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from btc_assets.contracts import ARENA_FORECASTS, FORECASTS
from btc_assets.errors import LedgerError
from btc_assets.ledger import verification
from btc_assets.ledger.arena_records import HASHED, published_name, read_arena_records
from btc_assets.ledger.digest import FORECAST_COLUMNS
from btc_assets.ledger.publishing.published import HeadSink, Published
from btc_assets.ledger.records import IssueRecord, read_records
from btc_assets.series import PROVENANCE, SERIES
from btc_assets.storage.bitemporal import versions
from btc_assets.storage.registry.manifest import MANIFEST, canonical_json
from btc_assets.storage.registry.protocol import ModelRegistry
from btc_assets.storage.tables import TableReader, read_pair

SCRIPTS = ("verify_proof.py", "block_proof.py", "track_record.py", "arena_proof.py")
"""What checks a proof with Python's standard library alone."""

_INSTANT = "%Y-%m-%dT%H:%M:%S%.6fZ"
_ROWS_AT_ONCE = 50_000
_README = """Proof of the forecasts of {symbol}, origins {start} to {end} (the last day not included).

    python verify_proof.py [HASH] [--headers FILE]

checks everything here with Python's standard library alone; HASH is a head that you saw published elsewhere,
FILE holds headers of Bitcoin blocks: your own node's, or block_headers.txt, whose hashes you compare.

records.jsonl       the chain: one record a line; the hash of a line is in the next line
forecasts.csv.gz    every forecast row, as issued
{series}
models/             the manifest (hashes of all files) of each model that was used
heads.jsonl         hashes that were published, and by whose clock they are dated
heads/              the proofs of that: OpenTimestamps (.ots) and time stamps of RFC 3161 (.tsr)
block_headers.txt   headers of Bitcoin blocks, as the operator knows them
arena_records.jsonl, arena_forecasts.csv.gz, arena/   the same of forecasters that compete, if any
verify_proof.py     the script, with the other three .py files; read them before you trust them

What this proves, and what it cannot, is in docs/ledger.md of the project.
"""


def export_proof(
    tables: TableReader,
    registry: ModelRegistry,
    symbol: str,
    folder: Path,
    *,
    sink: HeadSink | None = None,
    start: dt.date | None = None,
    end: dt.date | None = None,
    with_models: bool = False,
) -> Path:
    """Write the proof of ``symbol`` into the new folder ``folder``, all or nothing; return it.

    Args:
        folder: must not exist yet.
        start: first origin, or the first there is. The chain is always whole.
        end: the day after the last origin, or after the last there is.
        with_models: put the model files there too, not their manifests alone.

    Raises:
        LedgerError: ``folder`` exists, or nothing was issued in the range.
    """
    if folder.exists():
        raise LedgerError(f"{folder} exists already; name a folder that does not")
    records = [record for record, _ in read_records(tables, symbol)]
    start, end = start or dt.date.min, end or dt.date.max
    inside = [r for r in records if r.kind != "genesis" and start <= r.origin_date < end]
    if not inside:
        raise LedgerError(f"no forecast of {symbol} was issued for an origin from {start} to {end}")
    draft = folder.with_name(f".{folder.name}.{secrets.token_hex(6)}.tmp")
    try:
        draft.mkdir(parents=True)
        _write_tables(draft, tables, symbol, start, end)
        (draft / "records.jsonl").write_bytes(b"".join(record.line() for record in records))
        _write_heads(draft, sink.published(symbol) if sink else [])
        _write_arena(draft, tables, symbol, sink, start, end)
        _write_models(draft / "models", registry, inside, with_models=with_models)
        series = {s.name: {"field": s.fields[0], "order": s.order} for s in SERIES}  # for verify_proof.py
        said = {"symbol": symbol, "from": str(start), "to": str(end), "series": series}
        (draft / "bundle.json").write_bytes(canonical_json(said))
        files = "\n".join(
            f"{s.name}.csv.gz  every version of all {s.title}, and when it was stored" for s in SERIES
        )
        (draft / "README.txt").write_text(_README.format(symbol=symbol, start=start, end=end, series=files))
        for script in SCRIPTS:
            shutil.copyfile(Path(verification.__file__).with_name(script), draft / script)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _write_tables(draft: Path, tables: TableReader, symbol: str, start: dt.date, end: dt.date) -> None:
    forecasts = read_pair(tables, FORECASTS, symbol, [*FORECAST_COLUMNS, "issued_at"], start, end)
    _write_csv(draft / "forecasts.csv.gz", forecasts.sort("origin_date", "model", "horizon"))
    for series in SERIES:
        rows = versions(tables, symbol, series, end=end)
        _write_csv(draft / f"{series.name}.csv.gz", rows.select(*series.content, *PROVENANCE))


def _write_arena(
    draft: Path, tables: TableReader, symbol: str, sink: HeadSink | None, start: dt.date, end: dt.date
) -> None:
    """Write the arena's whole chain, its forecasts of the range, and its heads; nothing without a chain."""
    records = [record for record, _ in read_arena_records(tables, symbol)]
    if not records:
        return
    (draft / "arena_records.jsonl").write_bytes(b"".join(record.line() for record in records))
    rows = read_pair(tables, ARENA_FORECASTS, symbol, [*HASHED, "issued_at"], start, end)
    _write_csv(draft / "arena_forecasts.csv.gz", rows.sort("origin_date", "model", "version", "horizon"))
    (draft / "arena").mkdir()
    _write_heads(draft / "arena", sink.published(published_name(symbol)) if sink else [])


def _write_csv(path: Path, frame: pl.DataFrame) -> None:
    """Write floats in the shortest form that reads back as the same double; the file bears no time."""
    with path.open("wb") as raw, gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0) as file:
        file.write(frame.clear().write_csv().encode())
        for rows in frame.iter_slices(_ROWS_AT_ONCE):
            text = rows.write_csv(datetime_format=_INSTANT, include_header=False)
            file.write(text.encode())


def _write_heads(draft: Path, published: Sequence[Published]) -> None:
    """Write a line a head, the proofs of their times as files, and the headers of known blocks."""
    lines = [
        {"symbol": p.symbol, "seq": p.seq, "record_sha256": p.record_sha256}
        | {"published_at": p.at.isoformat(), "dated_by": p.dated_by, "proof": p.kind}
        for p in published
    ]
    (draft / "heads.jsonl").write_bytes(b"".join(canonical_json(line) for line in lines))
    (draft / "heads").mkdir()
    for p in published:
        if p.kind:
            suffix = {"ots": "ots", "tsa": "tsr"}[p.kind]
            (draft / "heads" / f"{p.seq:09d}-{p.record_sha256}.{suffix}").write_bytes(p.proof)
    headers = {
        int(p.dated_by.removeprefix("block ").replace(",", "")): p.header for p in published if p.header
    }
    text = "".join(f"{height} {header.hex()}\n" for height, header in sorted(headers.items()))
    (draft / "block_headers.txt").write_text(text)


def _write_models(
    target: Path, registry: ModelRegistry, records: Sequence[IssueRecord], *, with_models: bool
) -> None:
    """Copy the verified manifests of all vintages that ``records`` name, on request all their files."""
    used = {(model, vintage) for record in records for model, vintage, _ in record.models()}
    target.mkdir()
    for model, vintage in sorted(used):
        ref = registry.get(model, vintage)
        if ref is None:
            raise LedgerError(
                f"{model} {vintage} is not in the registry any more; `btc verify` says who used it"
            )
        source, copy = registry.model_folder(ref), target / model / str(vintage)
        if with_models:
            shutil.copytree(source, copy)
        else:
            copy.mkdir(parents=True)
            shutil.copyfile(source / MANIFEST, copy / MANIFEST)
