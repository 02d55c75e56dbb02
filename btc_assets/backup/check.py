"""Is a copied or restored state what its list says, and does the ledger in it hold?"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from btc_assets.backup.archive import Manifest
from btc_assets.backup.dagster_records import check_records
from btc_assets.contracts import TableSpec
from btc_assets.errors import BackupError
from btc_assets.ledger.verification.report import Report
from btc_assets.ledger.verification.verify import verify
from btc_assets.modeling.features import ENGINEERED_FEATURES
from btc_assets.storage.delta.store import DeltaTables
from btc_assets.storage.registry.folder import FolderRegistry


def examine(folder: Path, specs: Iterable[TableSpec], symbol: str) -> Report:
    """Read every table, every model and every database in ``folder``, and verify the ledger.

    Heads that were published outside are not compared: they may well be newer than a copy.

    Raises:
        CorruptData, BadModel: something is damaged.
    """
    tables, registry = DeltaTables(str(folder)), FolderRegistry(folder)
    for spec in specs:
        if tables.exists(spec):
            tables.read(spec)
    check_records(folder / "dagster")
    return verify(tables, registry, symbol, features=ENGINEERED_FEATURES)


def check_unpacked(folder: Path, manifest: Manifest, specs: Iterable[TableSpec]) -> Report:
    """Examine what was unpacked and hold it against its list.

    Raises:
        BackupError: versions, models or the ledger are not those that were packed.
    """
    specs = list(specs)
    report = examine(folder, specs, manifest.symbol)
    known = {spec.name: spec for spec in specs}
    tables = DeltaTables(str(folder))
    found = {name: tables.version(known[name]) for name in manifest.tables if name in known}
    wrong = sorted(name for name in manifest.tables if found.get(name) != manifest.tables[name])
    if wrong:
        raise BackupError(
            f"the archive's {', '.join(wrong)} cannot be read as packed; was it made by {manifest.code}?"
        )
    if head_of(report) != manifest.head or (manifest.sound and not report.ok):
        raise BackupError(f"the unpacked ledger is not the one that was packed: {report.line()}")
    return report


def head_of(report: Report) -> str:
    """Return the newest record's hash; empty where nothing was issued."""
    return report.head.record_sha256 if report.head else ""
