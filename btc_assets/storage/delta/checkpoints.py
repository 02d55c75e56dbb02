"""Checkpoints of a Delta log on disk: hashed like data files, and dropped when they do not hash right.

A checkpoint only repeats what the log's JSON entries say, all of which are kept, so a damaged one is
removed before anything decodes it, and the entries are read instead.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

from deltalake import DeltaTable

from btc_assets.errors import CorruptData
from btc_assets.io.files import file_sha256, fingerprint, write_atomically

log = logging.getLogger(__name__)

EVERY = 20
"""Versions between checkpoints: what a reader replays at most."""


class Checkpoints:
    """The checkpoints of the table in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "_delta_log"
        self.hashes = folder / "_checkpoint_hashes"

    def write(self, table: DeltaTable) -> None:
        """Add a checkpoint of ``table``, which is at its newest version, and keep its hash.

        A process that dies in between leaves a checkpoint without a hash, which the next one drops.
        """
        table.create_checkpoint()
        self.hashes.mkdir(exist_ok=True)
        for path in self.log.glob("*.checkpoint*.parquet"):
            age = table.version() - int(path.name.partition(".")[0])
            if age == 0:
                write_atomically(self.hashes / path.name, file_sha256(path).encode())
            elif age > 2 * EVERY:
                path.unlink(missing_ok=True)
                (self.hashes / path.name).unlink(missing_ok=True)

    def drop_damaged(self) -> None:
        """Remove every checkpoint that does not hash to what was kept.

        Raises:
            CorruptData: there is one and the folder is read-only.
        """
        hint = self.log / "_last_checkpoint"
        try:
            version = int(json.loads(hint.read_bytes())["version"])
            sound = [self._is_sound(p) for p in self.log.glob(f"{version:020}.checkpoint*.parquet")]
            if sound and all(sound):
                return
        except FileNotFoundError:
            pass
        except (ValueError, KeyError, TypeError):
            self._drop(hint)
        for path in self.log.glob("*.checkpoint*.parquet"):
            if not self._is_sound(path):
                self._drop(path)
                self._drop(hint)

    def _is_sound(self, path: Path) -> bool:
        try:
            seen = fingerprint(path)
        except FileNotFoundError:  # another writer's newer one took its place
            return True
        if _SOUND.get(path) == seen:
            return True
        try:
            kept = (self.hashes / path.name).read_bytes().decode(errors="replace")
        except FileNotFoundError:
            return False
        if file_sha256(path) != kept:
            return False
        _SOUND[path] = seen
        return True

    @staticmethod
    def _drop(path: Path) -> None:
        log.error("dropping the damaged %s; the log's entries are read instead", path)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise CorruptData(
                f"{path} is damaged and cannot be removed ({error.strerror}); delete it"
            ) from error


_SOUND: dict[Path, tuple[int, int, int]] = {}
