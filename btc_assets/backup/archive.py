"""The archive: a gzipped tar whose first member lists every other with its size and SHA-256.

The list's own hash is in its name, so whatever is unpacked is what was packed, or is refused.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from btc_assets.backup.snapshot import writing
from btc_assets.errors import BackupError
from btc_assets.io.files import file_sha256, replacing, sync
from btc_assets.storage.registry.manifest import canonical_json

FORMAT = 1
FOLDERS = ("tables", "models", "dagster")
LARGEST_LIST = 256 * 2**20
_LIST = re.compile(r"manifest-(?P<sha>[0-9a-f]{64})\.json")
_SHA = re.compile(r"[0-9a-f]{64}")
_CHUNK = 2**20


@dataclass(frozen=True)
class Manifest:
    """What an archive holds."""

    made_at: str
    """When its tables were pinned, ISO 8601, UTC."""
    code: str
    """The version that made it."""
    symbol: str
    simulated: bool
    tables: dict[str, int]
    """Version of each table."""
    models: list[str]
    databases: int
    """Databases of Dagster."""
    head: str
    """SHA-256 of the ledger's newest record; empty: nothing was issued."""
    sound: bool
    """Whether the ledger verified."""
    verdict: str
    """What `btc verify` said of the copy."""
    lost: list[str]
    files: dict[str, tuple[int, str]]
    """Size and SHA-256 of each file."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(size for size, _ in self.files.values())

    def encode(self) -> bytes:
        """Return it as canonical JSON."""
        return canonical_json({"format": FORMAT, **asdict(self)})

    @classmethod
    def decode(cls, content: bytes, where: str) -> Manifest:
        """Return the inverse of ``encode``.

        Raises:
            BackupError: not a list that this version reads, or one that names a file outside the archive.
        """
        try:
            fields = json.loads(content)
            form = fields.pop("format")
            if form != FORMAT:
                raise BackupError(f"{where} has format {form!r:.20}; this version reads {FORMAT}")
            files = {name: _entry(name, entry) for name, entry in fields.pop("files").items()}
            return cls(files=files, **fields)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise BackupError(f"{where} holds no list that can be read: {error}") from error


def _entry(name: str, entry: Any) -> tuple[int, str]:
    size, sha = entry
    path = PurePosixPath(name)
    safe = (
        path.as_posix() == name and ".." not in path.parts and path.parts[0] in FOLDERS and "\\" not in name
    )
    if not safe or "\0" in name or len(path.parts) < 2:
        raise ValueError(f"{name!r:.80} is no path inside the archive")
    if type(size) is not int or size < 0 or not _SHA.fullmatch(sha):
        raise ValueError(f"{name!r:.80} has no size and hash")
    return size, sha


def listing(folder: Path) -> dict[str, tuple[int, str]]:
    """Size and hash of every file in ``folder``."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {f.relative_to(folder).as_posix(): (f.stat().st_size, file_sha256(f)) for f in files}


def pack(folder: Path, manifest: Manifest, out: Path) -> None:
    """Write the files of ``folder`` and their list to ``out``, which appears when it is whole and read back.

    Raises:
        StorageError: the disk is full or read-only.
        BackupError: ``out`` exists, or does not read back.
    """
    content = manifest.encode()
    with writing(out), replacing(out) as draft:
        with (
            draft.open("wb") as file,
            gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1, filename="", mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
        ):
            name = f"manifest-{hashlib.sha256(content).hexdigest()}.json"
            _add(tar, name, len(content), io.BytesIO(content))
            for name, (size, _) in manifest.files.items():
                with (folder / name).open("rb") as source:
                    _add(tar, name, size, source)
        unpack(draft, None)
        if out.exists():
            raise BackupError(f"{out} exists already; name another with --out")
    sync(out.parent)


def _add(tar: tarfile.TarFile, name: str, size: int, content: IO[bytes]) -> None:
    info = tarfile.TarInfo(name)
    info.size = size
    tar.addfile(info, content)


def read_manifest(archive: Path) -> Manifest:
    """Return the list of ``archive``; its files are not looked at.

    Raises:
        BackupError: as ``unpack``.
    """
    with _reading(archive) as (tar, _):
        return _first(tar, archive)


def unpack(archive: Path, folder: Path | None) -> Manifest:
    """Write the files of ``archive`` below ``folder`` (None: nowhere), each checked against the list.

    Raises:
        BackupError: the archive is missing, torn or altered, or holds what is not on its list.
        StorageError: there is no room, or ``folder`` cannot be written.
    """
    with _reading(archive) as (tar, packed):
        manifest = _first(tar, archive)
        if folder is not None:
            _require_room(folder, manifest.size)
        left = dict(manifest.files)
        while (member := tar.next()) is not None:
            size, sha = left.pop(member.name, (-1, ""))
            if not member.isreg() or member.size != size:
                raise BackupError(
                    f"{archive}: {member.name!r:.100} is not what its list says; it was altered"
                )
            content = tar.extractfile(member)
            assert content is not None
            if _copy(content, folder / member.name if folder else None) != sha:
                raise BackupError(
                    f"{archive}: {member.name} does not hash to what its list says; it was altered"
                )
        if left:
            raise BackupError(
                f"{archive}: {len(left)} files are missing, such as {min(left)}; it was cut short"
            )
        while packed.read(_CHUNK):  # to the end, where gzip keeps a checksum of the whole
            pass
    return manifest


def _copy(content: IO[bytes], target: Path | None) -> str:
    sha = hashlib.sha256()
    if target is None:
        while chunk := content.read(_CHUNK):
            sha.update(chunk)
        return sha.hexdigest()
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        file = target.open("xb")
    with file:
        while chunk := content.read(_CHUNK):
            sha.update(chunk)
            with writing(target):
                file.write(chunk)
        with writing(target):
            file.flush()
    sync(target)
    return sha.hexdigest()


def _first(tar: tarfile.TarFile, archive: Path) -> Manifest:
    member = tar.next()
    match = _LIST.fullmatch(member.name) if member is not None else None
    if member is None or match is None or not member.isreg() or member.size > LARGEST_LIST:
        raise BackupError(f"{archive} is no archive of `btc backup`: it does not begin with its list")
    file = tar.extractfile(member)
    assert file is not None
    content = file.read()
    if hashlib.sha256(content).hexdigest() != match["sha"]:
        raise BackupError(f"{archive}: its list does not hash to its name; it was altered")
    return Manifest.decode(content, str(archive))


@contextmanager
def _reading(archive: Path) -> Iterator[tuple[tarfile.TarFile, gzip.GzipFile]]:
    try:
        with gzip.open(archive) as packed, tarfile.open(fileobj=packed, mode="r|") as tar:
            yield tar, packed
    except FileNotFoundError:
        raise BackupError(f"{archive}: there is no such archive") from None
    except (tarfile.TarError, EOFError, zlib.error, ValueError, OSError) as error:
        raise BackupError(f"{archive} is torn, altered or no archive ({error}); use another copy") from error


def _require_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise BackupError(
            f"{folder} has {free / 1e6:,.0f} MB free and the archive unpacks to {needed / 1e6:,.0f} MB; "
            "make room, or choose another place (BTC_DATA_DIR; for --check TMPDIR)"
        )
