"""A remote model registry with verified local copies, which stay in use while the remote is down."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from btc_assets.errors import BadModel, StorageUnavailable
from btc_assets.storage.registry.file_cache import touch, trim
from btc_assets.storage.registry.folder import FolderRegistry
from btc_assets.storage.registry.manifest import verify
from btc_assets.storage.registry.protocol import ModelRef, VintageId, check_metrics, check_name

log = logging.getLogger(__name__)
T = TypeVar("T")


class RemoteRegistry(Protocol):
    """What a remote registry must offer; checks and copies are made here.

    Each method raises StorageUnavailable if the remote does not answer.
    """

    def publish(self, name: str, vintage: VintageId, folder: Path) -> ModelRef:
        """Store the verified ``folder``, all or nothing, never over other content."""

    def get(self, name: str, vintage: VintageId) -> ModelRef | None:
        """Return the reference, or None."""

    def versions(self, name: str) -> list[ModelRef]:
        """Return all vintages, oldest first."""

    def download(self, ref: ModelRef, target: Path) -> None:
        """Copy the files of ``ref`` into the empty folder ``target``; they are verified afterwards."""


class CachedRegistry:
    """``remote`` as a ModelRegistry, with copies below ``cache``/models."""

    def __init__(self, remote: RemoteRegistry, cache: Path) -> None:
        self.remote = remote
        self.local = FolderRegistry(cache)

    def publish(self, name: str, vintage: VintageId, folder: Path) -> ModelRef:
        """Store ``folder`` remotely; its local copy is made when it is first fetched."""
        check_name(name)
        check_metrics(verify(folder))
        return self.remote.publish(name, vintage, folder)

    def get(self, name: str, vintage: VintageId) -> ModelRef | None:
        """Return the reference, or None; from the local copies while the remote is down."""
        check_name(name)
        return self._ask(lambda: self.remote.get(name, vintage), lambda: self.local.get(name, vintage))

    def versions(self, name: str) -> list[ModelRef]:
        """Return all vintages, oldest first; while the remote is down those with a local copy."""
        check_name(name)
        return self._ask(lambda: self.remote.versions(name), lambda: self.local.versions(name))

    def model_folder(self, ref: ModelRef) -> Path:
        """Return the verified local copy of ``ref``; only the first time are its files downloaded."""
        try:
            if self.local.path(ref).exists():
                return self._use(ref)
        except BadModel as error:
            log.warning("%s; downloading it again", error)
        shutil.rmtree(self.local.path(ref), ignore_errors=True)
        draft = Path(tempfile.mkdtemp(prefix=".download-", dir=self.local.folder_for(ref.name)))
        try:
            self.remote.download(ref, draft)
            verify(draft, ref.manifest_sha256)
            self.local.publish(ref.name, ref.vintage, draft)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        trim([p for p in self.local.root.glob("*/*") if p != self.local.path(ref)])
        return self._use(ref)

    def _use(self, ref: ModelRef) -> Path:
        folder = self.local.model_folder(ref)
        touch(folder)
        return folder

    def _ask(self, remote: Callable[[], T], local: Callable[[], T]) -> T:
        try:
            return remote()
        except StorageUnavailable as error:
            log.warning("the model registry is down, using verified local copies: %s", error)
            return local()
