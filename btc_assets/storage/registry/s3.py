"""Models on S3: ``models/NAME/VINTAGE/``, where the manifest, written last and only once, is the commit.

The other files lie below the manifest's hash, so that two writers of one vintage cannot mix their files.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from btc_assets.errors import BadModel
from btc_assets.io.s3 import Bucket
from btc_assets.storage.registry.manifest import MANIFEST, parse_manifest
from btc_assets.storage.registry.protocol import ModelRef, VintageId, other_content, reference


class S3Registry:
    """The remote half of a registry on S3; ``cached.CachedRegistry`` is the other."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self._seen: dict[tuple[str, VintageId], ModelRef] = {}

    def publish(self, name: str, vintage: VintageId, folder: Path) -> ModelRef:
        """Upload the files, then the manifest unless one is there."""
        content = (folder / MANIFEST).read_bytes()
        mine = self._reference(name, vintage, content)
        if (there := self.get(name, vintage)) is None:
            for file in parse_manifest(content, str(folder))["files"]:
                self.bucket.put(f"{_files(mine)}/{file}", (folder / file).read_bytes())
            if self.bucket.put_new(_manifest(name, vintage), content):
                return mine
            there = self.get(name, vintage)
        if there is None or there.manifest_sha256 != mine.manifest_sha256:
            raise other_content(mine, there)
        return there

    def get(self, name: str, vintage: VintageId) -> ModelRef | None:
        """Return the reference, or None; asked for once, for vintages never change."""
        key = name, vintage
        if key not in self._seen:
            content = self.bucket.get(_manifest(name, vintage))
            if content is None:
                return None
            self._seen[key] = self._reference(name, vintage, content)
        return self._seen[key]

    def versions(self, name: str) -> list[ModelRef]:
        """Return all vintages, oldest first; what a killed writer left without a manifest is not one."""
        vintages = sorted(VintageId.parse(text) for text in self.bucket.folders(f"models/{name}"))
        found = (self.get(name, vintage) for vintage in vintages)
        return [ref for ref in found if ref is not None]

    def download(self, ref: ModelRef, target: Path) -> None:
        """Copy the files of ``ref`` into ``target``."""
        content = self._must_get(_manifest(ref.name, ref.vintage))
        manifest = parse_manifest(content, f"{self.bucket.location} {ref.name} {ref.vintage}")
        (target / MANIFEST).write_bytes(content)
        for file in manifest["files"]:
            path = target / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self._must_get(f"{_files(ref)}/{file}"))

    def _must_get(self, key: str) -> bytes:
        content = self.bucket.get(key)
        if content is None:
            raise BadModel(
                f"{self.bucket.location}/{key} is missing; publish the vintage under a new revision"
            )
        return content

    def _reference(self, name: str, vintage: VintageId, content: bytes) -> ModelRef:
        manifest = parse_manifest(content, f"{self.bucket.location} {name} {vintage}")
        return reference(name, vintage, hashlib.sha256(content).hexdigest(), manifest)


def _manifest(name: str, vintage: VintageId) -> str:
    return f"models/{name}/{vintage}/{MANIFEST}"


def _files(ref: ModelRef) -> str:
    return f"models/{ref.name}/{ref.vintage}/{ref.manifest_sha256}"
