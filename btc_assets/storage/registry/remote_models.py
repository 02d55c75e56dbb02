"""Models read by keys, from a bucket or the web: ``models/NAME/VINTAGE/manifest.json`` and what it lists."""

from __future__ import annotations

import hashlib
from pathlib import Path

from btc_assets.errors import BadModel
from btc_assets.io.s3 import Bucket
from btc_assets.io.web_folder import WebFolder
from btc_assets.storage.registry.manifest import MANIFEST, parse_manifest
from btc_assets.storage.registry.protocol import ModelRef, VintageId, numbers


class RemoteModels:
    """The vintages below ``files``; what is downloaded is verified by `CachedRegistry`."""

    def __init__(self, files: Bucket | WebFolder) -> None:
        self.files = files
        self._seen: dict[tuple[str, VintageId], ModelRef] = {}

    def get(self, name: str, vintage: VintageId) -> ModelRef | None:
        """Return the reference, or None; asked for once, for vintages never change."""
        key = name, vintage
        if key not in self._seen:
            content = self.files.get(manifest_key(name, vintage))
            if content is None:
                return None
            self._seen[key] = self._reference(name, vintage, content)
        return self._seen[key]

    def download(self, ref: ModelRef, target: Path) -> None:
        """Copy the files of ``ref`` into ``target``."""
        content = self._must_get(manifest_key(ref.name, ref.vintage))
        manifest = parse_manifest(content, f"{self.files.location} {ref.name} {ref.vintage}")
        (target / MANIFEST).write_bytes(content)
        for file in manifest["files"]:
            path = target / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self._content(ref, file))

    def _content(self, ref: ModelRef, file: str) -> bytes:
        return self._must_get(f"{files_key(ref)}/{file}")

    def _must_get(self, key: str) -> bytes:
        content = self.files.get(key)
        if content is None:
            raise BadModel(
                f"{self.files.location}/{key} is missing; publish the vintage under a new revision"
            )
        return content

    def _reference(self, name: str, vintage: VintageId, content: bytes) -> ModelRef:
        manifest = parse_manifest(content, f"{self.files.location} {name} {vintage}")
        return ModelRef(name, vintage, hashlib.sha256(content).hexdigest(), numbers(manifest))


def manifest_key(name: str, vintage: VintageId) -> str:
    """Return the key of a vintage's manifest."""
    return f"models/{name}/{vintage}/{MANIFEST}"


def files_key(ref: ModelRef) -> str:
    """Return what the keys of a vintage's other files begin with on S3."""
    return f"models/{ref.name}/{ref.vintage}/{ref.manifest_sha256}"
