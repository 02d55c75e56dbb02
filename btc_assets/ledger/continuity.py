"""Make sure that a chain goes on from where it was: none is added where one that was seen is gone.

What was seen is the newest head in each sink, and a high-water mark: a file with the newest head that this
machine wrote. Both are compared before a record is added, and by the daily check. The chain of issue records
and that of the arena each have their own, under the name that their heads are published by.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Iterable
from pathlib import Path

from btc_assets.contracts import TableSpec
from btc_assets.errors import BtcError, LedgerError
from btc_assets.io.files import write_atomically
from btc_assets.ledger.publishing.published import Published, line_of, parse_lines
from btc_assets.ledger.publishing.sinks import open_sink
from btc_assets.ledger.records import ISSUE_RECORDS, Head, record_hashes
from btc_assets.settings import Settings
from btc_assets.storage.tables import TableReader, TableStore

log = logging.getLogger(__name__)


def mark_path(settings: Settings, name: str = "") -> Path:
    """Return the file of the high-water mark: beside the tables, or in the cache of a store elsewhere.

    ``name`` is what the chain's heads are published as; none: the symbol, the chain of issue records.
    """
    name = name or settings.symbol
    if "://" not in settings.root and settings.store == "local":
        return Path(settings.root) / "ledger" / f"{name}.head"
    store = hashlib.sha256(f"{settings.store} {settings.root} {settings.hopsworks_project}".encode())
    return settings.cache_dir / "ledger" / f"{store.hexdigest()[:16]}-{name}.head"


def remember(settings: Settings, head: Head) -> None:
    """Write ``head`` as its chain's high-water mark; a disk that refuses is logged: the forecast stands."""
    path = mark_path(settings, head.symbol)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, line_of(head))
    except OSError as error:
        log.warning("the high-water mark %s could not be written: %s", path, error)


def known_heads(settings: Settings, tables: TableStore, name: str = "") -> tuple[list[Published], list[str]]:
    """Return the newest head of the mark and of the sinks, and what could not be read, in words.

    ``name`` as of `mark_path`.

    A sink that is down does not keep a forecast from being issued: the mark is compared then.

    Raises:
        LedgerError: the mark is there, but damaged.
    """
    name = name or settings.symbol
    problems, heads = [], read_mark(settings, name)
    try:
        sink = open_sink(settings, tables)
        heads += sink.published(name) if sink else []
    except BtcError as error:
        problems.append(f"published heads could not be read, and were not compared: {error}")
    return sorted(heads, key=lambda head: head.seq), problems


def read_mark(settings: Settings, name: str) -> list[Published]:
    """Return the newest head that was issued here, if any; ``name`` as of `mark_path`.

    Raises:
        LedgerError: the mark is there, but damaged.
    """
    path = mark_path(settings, name)
    if not path.exists():
        return []
    with contextlib.suppress(LedgerError):
        if heads := parse_lines(path.read_bytes(), name, str(path)):
            return heads
    raise LedgerError(
        f"the high-water mark {path} is torn, so that nobody knows which record was the newest; run "
        "`btc verify`, compare the head with one that you published, and remove the file if all is well"
    )


def lost(
    tables: TableReader, symbol: str, heads: Iterable[Published], records: TableSpec = ISSUE_RECORDS
) -> str:
    """Say which of ``heads`` is not in its place in the chain and what to do; empty if all are.

    ``records`` is the table that holds the chain of ``symbol``.
    """
    heads = list(heads)
    if not heads:
        return ""
    hashes = record_hashes(tables, symbol, records)
    gone = [head for head in heads if hashes.get(head.seq) != head.record_sha256]
    if not gone:
        return ""
    newest = max(hashes, default=None)
    there = f"the newest record here is {newest}" if newest is not None else "no record is here"
    last = gone[-1]
    return (
        f"record {last.seq} of {last.symbol} ({last.record_sha256}), which was seen before, is not in the "
        f"chain: {there}. Records were lost or written anew. Put the table {records.name} back from a copy "
        "(`btc restore`); if there is none, publish the heads of a new chain elsewhere (BTC_LEDGER_SINK) and "
        f"remove the high-water mark, the file {last.symbol}.head in the folder ledger: what was published "
        "stays a witness of what is missing"
    )


def check_continuity(
    tables: TableReader, symbol: str, heads: Iterable[Published], records: TableSpec = ISSUE_RECORDS
) -> None:
    """Refuse (LedgerError) to go on if one of ``heads`` is not in the chain; ``records`` as of `lost`."""
    problem = lost(tables, symbol, heads, records)
    if problem:
        raise LedgerError(f"{problem}. Nothing was issued")
