"""Models on S3: ``models/NAME/VINTAGE/``, where the manifest, written last and only once, is the commit.

The other files lie below the manifest's hash, so that two writers of one vintage cannot mix their files.
"""

from __future__ import annotations

from pathlib import Path

from btc_assets.io.s3 import Bucket
from btc_assets.storage.registry.manifest import MANIFEST, parse_manifest
from btc_assets.storage.registry.protocol import ModelRef, VintageId, other_content, vintages_among
from btc_assets.storage.registry.remote_models import RemoteModels, files_key, manifest_key


class S3Registry(RemoteModels):
    """The remote half of a registry on S3; ``cached.CachedRegistry`` is the other."""

    def __init__(self, bucket: Bucket) -> None:
        super().__init__(bucket)
        self.bucket = bucket

    def publish(self, name: str, vintage: VintageId, folder: Path) -> ModelRef:
        """Upload the files, then the manifest unless one is there."""
        content = (folder / MANIFEST).read_bytes()
        mine = self._reference(name, vintage, content)
        if (there := self.get(name, vintage)) is None:
            for file in parse_manifest(content, str(folder))["files"]:
                self.bucket.put(f"{files_key(mine)}/{file}", (folder / file).read_bytes())
            if self.bucket.put_new(manifest_key(name, vintage), content):
                return mine
            there = self.get(name, vintage)
        if there is None or there.manifest_sha256 != mine.manifest_sha256:
            raise other_content(mine, there)
        return there

    def versions(self, name: str) -> list[ModelRef]:
        """Return all vintages, oldest first; what a killed writer left without a manifest is not one."""
        vintages = vintages_among(self.bucket.folders(f"models/{name}"))
        found = (self.get(name, vintage) for vintage in vintages)
        return [ref for ref in found if ref is not None]
