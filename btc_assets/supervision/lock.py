"""One `btc up` a folder: a lock that goes with the process that holds it, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from btc_assets.errors import ConfigurationError, StorageError

LOCK = "up.lock"
"""Name of the file, in the folder that is held."""


@contextlib.contextmanager
def hold(folder: Path, variable: str) -> Iterator[None]:
    """Hold ``folder``, which is made if need be; ``variable`` is the setting that names another.

    Raises:
        StorageError: it cannot be written, or its file system has no locks.
        ConfigurationError: another process holds it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("a")
    except OSError as error:
        raise StorageError(
            f"the folder {folder} cannot be written ({error.strerror}); set {variable} to one that can"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                f"another `btc up` is using {folder}; stop it, or set {variable} to another folder"
            ) from None
        except OSError as error:
            raise no_locks(folder, variable, error) from error
        yield


def no_locks(folder: Path, variable: str, error: OSError) -> StorageError:
    """Return the error that the file system of ``folder`` refuses to lock a file."""
    return StorageError(
        f"the file system of {folder} has no file locks ({error.strerror}), without which two processes "
        f"could spoil it; set {variable} to a folder on another"
    )
