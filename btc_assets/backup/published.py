"""A record that is published state by state: which one is the newest, and how to go on from it.

A state is an archive of `btc backup` beside a small file that numbers it, in a folder or at an address such
as ``https://github.com/YOU/btc-assets/releases/latest/download``. Each is made from the one before and has
the next number, so of two that were made from the same one only one can take its name.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter

from btc_assets.backup.archive import Manifest, Text, read_manifest
from btc_assets.backup.download import NotThere, download
from btc_assets.backup.restore import restore
from btc_assets.backup.snapshot import writing
from btc_assets.contracts import TableSpec
from btc_assets.errors import BackupError
from btc_assets.io.files import file_sha256
from btc_assets.ledger.records import Head, record_hashes
from btc_assets.settings import Settings
from btc_assets.storage.tables import TableReader

ARCHIVE, STATE = "btc.tar.gz", "state.json"

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


@dataclass(frozen=True)
class State:
    """What is published beside an archive."""

    number: Annotated[int, Field(ge=1)]
    """1, 2, 3 ... in the order in which they were made."""
    made_at: Text
    """ISO 8601, UTC."""
    symbol: Text
    simulated: bool
    seq: Annotated[int, Field(ge=0)]
    """Place of the newest record in the ledger's chain."""
    head: Sha256
    """SHA-256 of that record."""
    archive: Sha256
    """SHA-256 of the archive."""

    @property
    def tag(self) -> str:
        """The name of the state, such as ``state-000031``."""
        return f"state-{self.number:06}"

    def encode(self) -> bytes:
        """Return it as JSON."""
        return _STATE.dump_json(self, indent=2) + b"\n"


_STATE = TypeAdapter(State)


@dataclass(frozen=True)
class Restored:
    """A state that was put in place, and the list of what was in its archive."""

    state: State
    manifest: Manifest


def newest_state(place: str) -> State | None:
    """Return the state that is published at ``place``; None if none is.

    Raises:
        SourceUnavailable: the address does not say whether there is one.
        BackupError: what it says cannot be understood.
    """
    with tempfile.TemporaryDirectory(prefix="btc-state-") as folder:
        draft = Path(folder) / STATE
        try:
            _copy(place, STATE, draft)
        except NotThere:
            return None
        try:
            return _STATE.validate_json(draft.read_bytes())
        except ValueError as error:
            said = str(error).splitlines()
            raise BackupError(f"{place}/{STATE} describes no state: {'; '.join(said[:3])[:300]}") from error


def restore_newest(settings: Settings, specs: Sequence[TableSpec]) -> Restored | None:
    """Put the state that is published at ``settings.published`` in place; None if none is published.

    Raises:
        SourceUnavailable: the address does not answer.
        BackupError: the archive is missing, torn, of another state or market, or does not verify; or its
            place, the data folder, is not empty.
        StorageError: the disk is full or read-only.
    """
    place = settings.published
    state = newest_state(place)
    if state is None:
        return None
    with tempfile.TemporaryDirectory(prefix="btc-state-") as folder:
        archive = Path(folder) / ARCHIVE
        try:
            _copy(place, ARCHIVE, archive)
        except NotThere as error:
            raise BackupError(f"{state.tag} lacks its archive: {error}") from error
        if (found := file_sha256(archive)) != state.archive:
            raise BackupError(
                f"{place}/{ARCHIVE} is not that of {state.tag}: its SHA-256 is {found[:16]}, not "
                f"{state.archive[:16]}. It was torn, or another state was published just now; try again"
            )
        manifest = read_manifest(archive)
        if not manifest.sound:
            raise BackupError(f"{place}: the ledger of {state.tag} does not verify: {manifest.verdict}")
        restore(settings, archive, specs)
    return Restored(state, manifest)


def next_state(before: State | None, manifest: Manifest, head: Head, archive: Path) -> State:
    """Return the state that ``archive``, whose list is ``manifest``, is after ``before``."""
    return State(
        number=before.number + 1 if before else 1,
        made_at=manifest.made_at,
        symbol=manifest.symbol,
        simulated=manifest.simulated,
        seq=head.seq,
        head=head.record_sha256,
        archive=file_sha256(archive),
    )


def require_unchanged(place: str, before: Restored | None) -> None:
    """Refuse to go on (BackupError) if another state than ``before`` is published by now."""
    now = newest_state(place)
    if now != (before.state if before else None):
        there = now.tag if now else "nothing"
        raise BackupError(f"{there} was published at {place} meanwhile; start again")


def require_continued(tables: TableReader, state: State) -> None:
    """Refuse (BackupError) a ledger in which the newest record of ``state`` is not in its place."""
    found = record_hashes(tables, state.symbol).get(state.seq, "none")
    if found != state.head:
        raise BackupError(
            f"this ledger does not go on from {state.tag}: its record {state.seq:,} was {state.head[:16]} "
            f"and is {found[:16]} here. Nothing is published"
        )


def _copy(place: str, name: str, target: Path) -> None:
    """Write the file ``name`` of ``place`` to ``target``; NotThere if there is none."""
    if "://" in place:
        download(f"{place.rstrip('/')}/{name}", target)
        return
    source = Path(place) / name
    if not source.exists():
        raise NotThere(f"{source} does not exist")
    with writing(target):
        shutil.copyfile(source, target)
