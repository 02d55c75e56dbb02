"""Models on the web that can only be read; which there are, the table of vintages in force says."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from btc_assets.contracts import VINTAGES_IN_FORCE
from btc_assets.errors import StorageError
from btc_assets.io.web_folder import WebFolder
from btc_assets.storage.registry.protocol import ModelRef, VintageId
from btc_assets.storage.registry.remote_models import RemoteModels
from btc_assets.storage.tables import TableReader


class WebRegistry(RemoteModels):
    """The remote half of a registry on the web; ``cached_registry.CachedRegistry`` is the other.

    Args:
        web: serves the files as a folder or a bucket of this project holds them.
    """

    def __init__(self, web: WebFolder, tables: TableReader) -> None:
        super().__init__(web)
        self._tables = tables

    def publish(self, name: str, vintage: VintageId, folder: Path) -> ModelRef:
        """Refuse to write."""
        raise StorageError(
            f"cannot publish {folder} as {name} {vintage}: {self.files.location} can only be read"
        )

    def versions(self, name: str) -> list[ModelRef]:
        """Return all vintages that were ever in force, oldest first."""
        if not self._tables.exists(VINTAGES_IN_FORCE):
            return []
        rows = self._tables.read(VINTAGES_IN_FORCE, ["model", "vintage", "revision"])
        known = rows.filter(pl.col("model") == name).select("vintage", "revision").unique().rows()
        found = (self.get(name, vintage) for vintage in sorted(VintageId(*row) for row in known))
        return [ref for ref in found if ref is not None]

    def _content(self, ref: ModelRef, file: str) -> bytes:
        """Return a file's bytes: beside the manifest, as in a folder, or below its hash, as on S3."""
        beside = self.files.get(f"models/{ref.name}/{ref.vintage}/{file}")
        return super()._content(ref, file) if beside is None else beside
