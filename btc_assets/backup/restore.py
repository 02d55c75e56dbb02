"""``btc restore``: put an archive in place, all or nothing, or only see whether that would go."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from btc_assets.backup.archive import Manifest, read_manifest, require_room, unpack
from btc_assets.backup.check import check_unpacked
from btc_assets.backup.make import require_local
from btc_assets.backup.snapshot import beside, writing
from btc_assets.contracts import TableSpec
from btc_assets.errors import BackupError
from btc_assets.io.files import sync
from btc_assets.ledger.verification.report import Report
from btc_assets.settings import Settings


def check(settings: Settings, archive: Path, specs: Sequence[TableSpec]) -> tuple[Manifest, Report]:
    """Unpack ``archive`` into a temporary folder and examine everything; nothing stays.

    Raises:
        BackupError: it is damaged or of another market.
    """
    look_through(settings, archive, Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix="btc-restore-") as folder:
        manifest = unpack(archive, Path(folder))
        return manifest, check_unpacked(Path(folder), manifest, specs)


def restore(settings: Settings, archive: Path, specs: Sequence[TableSpec]) -> tuple[Manifest, Report]:
    """Unpack ``archive`` beside its place, examine everything, and move it there.

    Raises:
        BackupError: the archive is damaged or of another market, or its place is not empty.
        StorageError: the disk is full or read-only.
    """
    require_local(settings)
    root, home = Path(settings.root).absolute(), Path(settings.dagster_home).absolute()
    apart = not home.is_relative_to(root)
    for place, variable in ((root, "BTC_DATA_DIR"), *([(home, "DAGSTER_HOME")] if apart else [])):
        _require_empty(place, variable)
    look_through(settings, archive, root)
    with beside(root) as stage:
        manifest = unpack(archive, stage)
        report = check_unpacked(stage, manifest, specs)
        with writing(root):
            if apart and (stage / "dagster").is_dir():
                _move(stage / "dagster", home)
            elif not apart and home != root / "dagster" and (stage / "dagster").is_dir():
                _move(stage / "dagster", stage / home.relative_to(root))
            _move(stage, root)
            sync(root.parent)
    return manifest, report


def look_through(settings: Settings, archive: Path, place: Path) -> None:
    """Read ``archive`` to its end before anything is written to ``place``.

    Raises:
        BackupError: it is damaged, hostile or of another market, or there is no room for it.
    """
    manifest = read_manifest(archive)
    require_same_market(settings, archive, manifest)
    require_room(place, manifest.size)
    unpack(archive, None)


def require_same_market(settings: Settings, archive: Path, found: Manifest) -> None:
    """Refuse an archive of another market.

    Raises:
        BackupError: real and simulated prices, or two trading pairs, would be mixed up.
    """
    if found.simulated != settings.simulated:
        kinds = {True: "the SIMULATED market", False: "the real market"}
        hint = "set BTC_SOURCE=simulated" if found.simulated else "do not set BTC_SOURCE=simulated"
        raise BackupError(
            f"{archive} is of {kinds[found.simulated]}, the settings are for "
            f"{kinds[settings.simulated]}; {hint}"
        )
    if found.symbol != settings.symbol:
        raise BackupError(
            f"{archive} is of {found.symbol}, the settings are for {settings.symbol}; "
            f"set BTC_SYMBOL={found.symbol}"
        )


def _require_empty(place: Path, variable: str) -> None:
    try:
        full = place.exists() and (not place.is_dir() or any(place.iterdir()))
    except OSError as error:
        raise BackupError(f"{place} cannot be looked into: {error.strerror}") from error
    if full:
        raise BackupError(
            f"{place} is not empty, and nothing is overwritten: move it away, or set "
            f"{variable} to another folder"
        )


def _move(source: Path, target: Path) -> None:
    """Move a folder to where there is none, or an empty one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir():
        target.rmdir()
    try:
        os.rename(source, target)  # noqa: PTH104 - Path.rename, but it says less in errors
    except OSError:
        shutil.move(source, target)
