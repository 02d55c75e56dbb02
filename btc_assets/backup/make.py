"""``btc backup``: everything on this machine as one archive, while runs are writing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from btc_assets.backup.archive import Manifest, listing, pack
from btc_assets.backup.check import examine, head_of
from btc_assets.backup.dagster_records import copy_records
from btc_assets.backup.snapshot import Taken, beside, copy_models, copy_table, pin
from btc_assets.contracts import TableSpec
from btc_assets.errors import BackupError, ConfigurationError
from btc_assets.factory import open_pair
from btc_assets.ledger.code_version import code_version
from btc_assets.settings import Settings
from btc_assets.storage.delta.store import DeltaTables
from btc_assets.storage.registry.folder import FolderRegistry


def backup(
    settings: Settings,
    out: Path,
    specs: Sequence[TableSpec],
    *,
    even_if_damaged: bool = False,
    with_dagster: bool = True,
) -> Manifest:
    """Write the archive ``out``; returns its list. Nothing at the source changes.

    Args:
        settings: which store, and where Dagster keeps its records.
        out: the archive; must not exist.
        specs: every table that there can be.
        even_if_damaged: write the archive though the ledger in it does not verify.
        with_dagster: copy Dagster's records, too, which name folders and processes of this machine.

    Raises:
        ConfigurationError: the store is not on this machine; says what to use there. Or it is another pair's.
        BackupError: ``out`` exists, there is nothing to copy, or the ledger does not verify.
        StorageError: a table or model is damaged, or the disk is full.
    """
    require_local(settings)
    root = Path(settings.root)
    if out.exists():
        raise BackupError(f"{out} exists already; name another with --out")
    if not (root / "tables").is_dir():
        raise BackupError(f"there are no tables in {root}; BTC_DATA_DIR and BTC_SOURCE say where to look")
    open_pair(settings)
    with beside(out) as stage:
        manifest = _gather(settings, root, stage, specs, with_dagster)
        if not (manifest.sound or even_if_damaged):
            raise BackupError(
                f"the ledger does not verify, so this is no state to go back to: {manifest.verdict}. "
                "Repair it (docs/ledger.md), or say --even-if-damaged"
            )
        pack(stage, manifest, out)
    return manifest


def _gather(
    settings: Settings, root: Path, stage: Path, specs: Sequence[TableSpec], with_dagster: bool
) -> Manifest:
    """Copy everything into ``stage`` and examine the copy."""
    taken = Taken()
    databases = copy_records(Path(settings.dagster_home), stage / "dagster") if with_dagster else 0
    made_at = dt.datetime.now(dt.UTC)
    versions = pin(DeltaTables(str(root)), FolderRegistry(root), specs, settings.symbol)
    for spec, version in versions.items():
        copy_table(root, spec, version, stage, taken)
    copy_models(root, stage, taken)
    report = examine(stage, specs, settings.symbol)
    for helper in [*stage.rglob("*.db-wal"), *stage.rglob("*.db-shm")]:
        helper.unlink()  # SQLite's, which opening a database may leave
    return Manifest(
        made_at=made_at.isoformat(timespec="seconds"),
        code=code_version(),
        symbol=settings.symbol,
        simulated=settings.simulated,
        tables=taken.tables,
        models=taken.models,
        databases=databases,
        head=head_of(report),
        sound=report.ok,
        verdict=report.line(),
        lost=taken.lost,
        files=listing(stage),
    )


def require_local(settings: Settings) -> None:
    """Refuse (ConfigurationError) a store that is not a folder."""
    if settings.root.startswith(("https://", "http://")):
        raise ConfigurationError(
            f"BTC_DATA_DIR={settings.data_dir} is somebody else's store, which this command does not copy; "
            "its owner can publish what `btc backup` makes"
        )
    if settings.root.startswith("s3://"):
        raise ConfigurationError(
            f"BTC_DATA_DIR={settings.data_dir} is a bucket, which this command does not copy: switch on the "
            "bucket's versioning (lambda_image/template.yaml does) and replication; docs/deploy.md, 'backup'"
        )
    elsewhere = [
        f"BTC_{k.upper()}={v}" for k in ("store", "registry") if (v := getattr(settings, k)) != "local"
    ]
    if elsewhere:
        raise ConfigurationError(
            f"{' and '.join(elsewhere)}: this command copies a local store; "
            "`btc migrate --from hopsworks --to local` makes one"
        )
