"""Atomic writes of files: a reader sees the old bytes or the new ones, also after a crash; and hashes."""

from __future__ import annotations

import errno
import hashlib
import math
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from btc_assets.errors import StorageError

NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
"""What a file system answers that has no hard links."""


def file_sha256(path: Path) -> str:
    """Return the hex SHA-256 of the bytes of ``path``."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(path: Path) -> tuple[int, int, int]:
    """Return size, time of change and inode of ``path``: they differ once the file was touched."""
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns, stat.st_ino


def last_change(path: Path) -> float:
    """Return when ``path`` was changed, in seconds since 1970; infinity if it is gone, as a draft may be."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return math.inf


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a hidden draft beside ``path`` to be written to, and move it to ``path`` at the end.

    After an error ``path`` is as it was and the draft is gone; a process that is killed leaves the draft,
    ``.NAME.*.tmp``. Unless ``durable``, a power cut may lose the new bytes.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        yield draft
        if durable:
            sync(draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Replace ``path`` by ``content``, all or nothing; see `replacing`."""
    with replacing(path, durable=durable) as draft:
        draft.write_bytes(content)


def write_new(path: Path, content: bytes) -> bool:
    """Write ``content`` to ``path``, all or nothing, unless it exists; return whether it was written."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        draft.write_bytes(content)
        sync(draft)
        os.link(draft, path)  # a link appears whole or not at all, and fails if the name is taken
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    return True


def require_hard_links(folder: Path, setting: str) -> None:
    """Refuse a folder on a file system without hard links, by which a commit takes a name or fails.

    Raises:
        StorageError: names the folder and the ``setting`` that chooses another.
    """
    draft = folder / f".links.{secrets.token_hex(6)}.tmp"
    link = draft.with_suffix(".link")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft.touch()
        os.link(draft, link)
    except OSError as error:
        if error.errno not in NO_LINKS:
            return  # whatever it is, the write itself will meet it and say what it could not write
        raise StorageError(
            f"the file system of {folder} has no hard links ({error.strerror}), as on exFAT and some network "
            f"mounts; set {setting} to a folder on another"
        ) from error
    finally:
        for path in (draft, link):
            with suppress(OSError):
                path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Flush a file's bytes, or a folder's entries, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
