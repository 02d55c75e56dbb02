"""The archive: a gzipped tar whose first member lists every other with its size and SHA-256.

The list's own hash is in its name, so whatever is unpacked is what was packed, or is refused. An archive may
come from anywhere: no name leads out of it or to where code is imported from, and nothing in it can make
reading it take more memory, or more room on the disk, than its list says.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import shutil
import tarfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Annotated

from pydantic import Field, TypeAdapter

from btc_assets.backup.dagster_settings import SETTINGS, check_settings
from btc_assets.backup.snapshot import writing
from btc_assets.errors import BackupError, BtcError
from btc_assets.io.files import file_sha256, replacing, sync
from btc_assets.storage.registry.manifest import canonical_json

FORMAT = 1
LARGEST_LIST = 32 * 2**20
"""Bytes of the list: some 150,000 files."""

SLACK = 64 * 1024
"""Bytes that headers between two files, and the padding at the end, may take."""

_NAMES = re.compile(
    r"(?P<folder>tables|models)/(?P<part>\w+)(/[\w.=+-]+)+|dagster/(dagster\.yaml|initialised|([\w-]+/)*[\w-]*\.db)",
    re.ASCII,
)
"""Files that an archive may hold: no module, which Dagster would import from its home, and no ``.env``."""

_LIST = re.compile(r"manifest-(?P<sha>[0-9a-f]{64})\.json")
_SHA = re.compile(r"[0-9a-f]{64}")
_CHUNK = 2**20

Text = Annotated[str, Field(max_length=10_000, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
"""Text that can be shown in a terminal."""


@dataclass(frozen=True)
class Manifest:
    """What an archive holds."""

    made_at: Text
    """When its tables were pinned, ISO 8601, UTC."""
    code: Text
    """The version that made it."""
    symbol: Text
    simulated: bool
    tables: dict[Text, int]
    """Version of each table."""
    models: list[Text]
    databases: int
    """Databases of Dagster."""
    head: Text
    """SHA-256 of the ledger's newest record; empty: nothing was issued."""
    sound: bool
    """Whether the ledger verified."""
    verdict: Text
    """What `btc verify` said of the copy."""
    lost: list[Text]
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
            manifest = _MANIFEST.validate_python(fields)
            folders = {str(folder) for name in manifest.files for folder in PurePosixPath(name).parents}
            for name, (size, sha) in manifest.files.items():
                _check_name(name, manifest.tables, folders)
                _check_entry(name, size, sha)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            said = str(error).splitlines()[0]
            raise BackupError(f"{where} holds no list that can be read: {said:.200}") from error
        return manifest


_MANIFEST = TypeAdapter(Manifest)


def _check_name(name: str, tables: Collection[str], folders: Collection[str]) -> None:
    """Refuse a name that leads out of the archive, or to what is no part of a store."""
    match, parts = _NAMES.fullmatch(name), name.split("/")
    if match is None or {".", ".."} & set(parts) or len(name) > 1000 or max(map(len, parts)) > 255:
        raise ValueError(f"{name!r:.80} is no path inside the archive")
    if match["folder"] == "tables" and match["part"] not in tables:
        raise ValueError(f"{name!r:.80} belongs to no table that it lists")
    if name in folders:
        raise ValueError(f"{name!r:.80} is both a file and a folder")


def _check_entry(name: str, size: int, sha: str) -> None:
    if size < 0 or not _SHA.fullmatch(sha):
        raise ValueError(f"{name!r:.80} has no size and hash")


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
    """Return the list of ``archive``; its files are not looked at. Raises as ``unpack``."""
    with _reading(archive) as (tar, packed):
        return _first(tar, packed, archive)


def unpack(archive: Path, folder: Path | None) -> Manifest:
    """Write the files of ``archive`` below ``folder`` (None: nowhere), each checked against the list.

    Raises:
        BackupError: the archive is missing, torn or altered, or holds what is not on its list.
        StorageError: there is no room, or ``folder`` cannot be written.
    """
    with _reading(archive) as (tar, packed):
        manifest = _first(tar, packed, archive)
        left = dict(manifest.files)
        while (member := tar.next()) is not None:
            size, sha = left.pop(member.name, (-1, ""))
            if not _is_plain(member) or member.size != size:
                raise BackupError(
                    f"{archive}: {member.name!r:.100} is not what its list says; it was altered"
                )
            packed.allow(size)
            content = tar.extractfile(member)
            assert content is not None
            if member.name == SETTINGS:
                content = io.BytesIO(check_settings(content, f"{archive}: {SETTINGS}"))
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


def _is_plain(member: tarfile.TarInfo) -> bool:
    """Tell whether it is a file with bytes of its own: no link, device or folder, and no holes."""
    return member.type == tarfile.REGTYPE and not member.issparse()


class _Metered:
    """Reads what is unpacked, but no further than allowed: a header can claim any length."""

    def __init__(self, source: gzip.GzipFile, archive: Path) -> None:
        self.source, self.archive, self.left = source, archive, SLACK

    def allow(self, size: int) -> None:
        """Let the next ``size`` bytes be read, and some for headers."""
        self.left = size + SLACK

    def read(self, size: int) -> bytes:
        content = self.source.read(size)
        self.left -= len(content)
        if self.left < 0:
            raise BackupError(f"{self.archive} unpacks to more than its list says; it was altered")
        return content


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


def _first(tar: tarfile.TarFile, packed: _Metered, archive: Path) -> Manifest:
    member = tar.next()
    match = _LIST.fullmatch(member.name) if member is not None else None
    if member is None or match is None or not _is_plain(member) or member.size > LARGEST_LIST:
        raise BackupError(f"{archive} is no archive of `btc backup`: it does not begin with its list")
    packed.allow(member.size)
    file = tar.extractfile(member)
    assert file is not None
    content = file.read()
    if hashlib.sha256(content).hexdigest() != match["sha"]:
        raise BackupError(f"{archive}: its list does not hash to its name; it was altered")
    return Manifest.decode(content, str(archive))


@contextmanager
def _reading(archive: Path) -> Iterator[tuple[tarfile.TarFile, _Metered]]:
    try:
        with gzip.open(archive) as source:
            packed = _Metered(source, archive)
            with tarfile.open(fileobj=packed, mode="r|") as tar:  # type: ignore[call-overload]
                yield tar, packed
    except FileNotFoundError:
        raise BackupError(f"{archive}: there is no such archive") from None
    except (BtcError, ModuleNotFoundError):
        raise
    except Exception as error:  # whatever was done to it, it is refused in the same way
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BackupError(f"{archive} is torn, altered or no archive ({said}); use another copy") from error


def require_room(folder: Path, needed: int) -> None:
    """Refuse (BackupError) to unpack ``needed`` bytes where there is less room."""
    free = shutil.disk_usage(next(p for p in (folder, *folder.absolute().parents) if p.is_dir())).free
    if free < needed:
        raise BackupError(
            f"{folder} has {free / 1e6:,.0f} MB free and the archive unpacks to {needed / 1e6:,.0f} MB; "
            "make room, or choose another place (BTC_DATA_DIR; for --check TMPDIR)"
        )
