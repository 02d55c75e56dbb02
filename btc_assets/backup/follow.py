"""Follow somebody else's store: fetch its archive when it changes, verify it, and show it from then on.

What is followed may only grow: an archive whose ledger does not go on from the one that was shown before is
refused, so whoever publishes it cannot rewrite what was seen.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from btc_assets.backup.archive import unpack
from btc_assets.backup.check import check_unpacked
from btc_assets.backup.download import download
from btc_assets.backup.restore import look_through
from btc_assets.backup.snapshot import writing
from btc_assets.contracts import TableSpec
from btc_assets.defs.instance import FOLLOWED
from btc_assets.errors import BackupError, ConfigurationError
from btc_assets.io.files import file_sha256, replacing
from btc_assets.ledger.records import record_hashes
from btc_assets.ledger.verification.report import Report
from btc_assets.settings import Settings
from btc_assets.storage.delta.store import DeltaTables


@dataclass(frozen=True)
class Shown:
    """The archive that is shown: what the server said of it, and where its ledger stands."""

    url: str
    tag: str
    """Its ETag, else Last-Modified, as the server sent it; empty: the server sends neither."""
    sha256: str
    seq: int
    """Number of the newest record; 0: nothing was issued."""
    head: str
    """SHA-256 of that record."""


class Follower:
    """Keeps the folder of ``settings.root`` equal to the archive at an address.

    That folder is a link to the newest of the unpacked archives, which lie below ``folder``; whoever
    reads goes on with the one before for as long as it takes.

    Args:
        settings: whose market the archive must be of.
        url: http or https address of an archive that `btc backup` wrote.
        specs: all tables.

    Raises:
        ConfigurationError: the data folder is not local, or holds a store that was not followed.
    """

    def __init__(self, settings: Settings, url: str, specs: Sequence[TableSpec]) -> None:
        if settings.store != "local" or settings.registry != "local" or "://" in settings.root:
            raise ConfigurationError(
                "following needs a folder: set BTC_DATA_DIR to one, and neither BTC_STORE nor BTC_REGISTRY"
            )
        self.root = Path(settings.root).absolute()
        if self.root.exists() and not self.root.is_symlink():
            raise ConfigurationError(
                f"{self.root} is a store of its own, and following would hide it; "
                "set BTC_DATA_DIR to another folder"
            )
        self.url, self.folder = url, self.root.with_name(f".followed-{self.root.name}")
        self._settings, self._specs = settings, specs

    def shown(self) -> Shown | None:
        """Return what is shown now; None before the first archive."""
        path = self.root / FOLLOWED
        return Shown(**json.loads(path.read_bytes())) if path.is_file() else None

    def refresh(self) -> Report | None:
        """Fetch the archive if it changed, verify it and show it; returns what was verified, None: no change.

        Raises:
            SourceUnavailable: the address does not answer, or not with an archive.
            BackupError: the archive is torn, altered, of another market, does not verify, is older than what
                is shown or does not go on from it. What is shown stays.
            StorageError: the disk is full or read-only.
        """
        before = self.shown()
        with writing(self.folder):
            (self.folder / "stores").mkdir(parents=True, exist_ok=True)
        draft = self.folder / "draft.tar.gz"
        try:
            tag = self._download(draft, before)
            if tag is None:
                return None
            sha256 = file_sha256(draft)
            if before is not None and sha256 == before.sha256:
                return None
            return self._show(draft, tag, sha256, before)
        finally:
            draft.unlink(missing_ok=True)

    def _download(self, draft: Path, before: Shown | None) -> str | None:
        """Write the archive to ``draft`` and return its tag; None if it is the one that is shown."""
        known = before.tag if before and before.url == self.url else ""
        asked = {"If-None-Match" if known.endswith('"') else "If-Modified-Since": known} if known else {}
        headers = download(self.url, draft, asked)
        return None if headers is None else headers.get("ETag") or headers.get("Last-Modified", "")

    def _show(self, draft: Path, tag: str, sha256: str, before: Shown | None) -> Report:
        look_through(self._settings, draft, self.folder)
        place = self.folder / "stores" / sha256[:16]
        shutil.rmtree(place, ignore_errors=True)
        try:
            manifest = unpack(draft, place)
            report = check_unpacked(place, manifest, self._specs)
            self._require_continued(report, DeltaTables(str(place)), before)
            seq, head = (report.head.seq, report.head.record_sha256) if report.head else (0, "")
            now = Shown(self.url, tag, sha256, seq, head)
            with writing(place), replacing(place / FOLLOWED) as path:
                path.write_text(json.dumps(asdict(now)))
            self._point_to(place)
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
        return report

    def _require_continued(self, report: Report, tables: DeltaTables, before: Shown | None) -> None:
        """Refuse a ledger that does not verify, or lacks the newest record which was shown."""
        if not report.ok:
            raise BackupError(f"{self.url}: its ledger does not verify: {report.line()}")
        if before is None or not before.seq:
            return
        found = record_hashes(tables, self._settings.symbol)
        newest, then = max(found, default=0), found.get(before.seq, "nothing")
        if newest < before.seq:
            raise BackupError(
                f"{self.url} is older than what is shown: {newest:,} records, not {before.seq:,}"
            )
        if then != before.head:
            raise BackupError(
                f"{self.url} does not go on from what was shown: record {before.seq:,} was "
                f"{before.head[:16]} and is {then[:16]}, so whoever publishes it rewrote it; to follow it, "
                f"remove {self.root} and {self.folder}"
            )

    def _point_to(self, place: Path) -> None:
        """Let the data folder be ``place``, at once, and forget all but it and the one before."""
        last = self.root.resolve() if self.root.is_symlink() else place
        link = self.folder / "link"
        link.unlink(missing_ok=True)
        with writing(self.root):
            link.symlink_to(place.relative_to(self.root.parent))
            os.replace(link, self.root)  # noqa: PTH105 - Path.replace, of the link itself
        for other in place.parent.iterdir():
            if other not in (place, last):
                shutil.rmtree(other, ignore_errors=True)
