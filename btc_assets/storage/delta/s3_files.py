"""A table's Parquet files on S3 or the web, read through verified local copies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from btc_assets.contracts import TableSpec
from btc_assets.errors import CorruptData
from btc_assets.io.s3 import Bucket
from btc_assets.io.web_folder import WebFolder
from btc_assets.storage.delta.data_files import REMEDY, DataFile, LocalFolder
from btc_assets.storage.registry.file_cache import touch, trim


def delta_options(endpoint: str, *, anonymous: bool = False) -> dict[str, str]:
    """Return deltalake's options for ``endpoint`` (empty: AWS): bounded retries, conditional puts.

    Requests go without a signature if ``anonymous``.
    """
    options = {
        "aws_conditional_put": "etag",
        "timeout": "30s",
        "connect_timeout": "5s",
        "max_retries": "4",
        "retry_timeout": "60s",
    }
    if endpoint:
        options |= {
            "aws_endpoint_url": endpoint,
            "aws_allow_http": str(endpoint.startswith("http://")).lower(),
        }
    if anonymous:
        options["aws_skip_signature"] = "true"
    return options


def open_bucket(uri: str, options: Mapping[str, str]) -> Bucket:
    """Open the folder at ``uri`` on S3 with deltalake's ``options``, for requests of our own."""
    return Bucket(uri, options.get("aws_endpoint_url", ""), anonymous="aws_skip_signature" in options)


class RemoteFolder:
    """The files of a table elsewhere. They never change, so a copy in ``cache`` is good for ever."""

    def __init__(self, files: Bucket | WebFolder, cache: Path, spec: TableSpec) -> None:
        self.files = files
        self.cache = cache
        self.local = LocalFolder(cache, spec)

    def write(self, name: str, content: bytes) -> None:
        """Store ``content`` there."""
        self.files.put(name, content)

    def scan(self, files: Sequence[DataFile]) -> pl.LazyFrame:
        """Return the rows of ``files``; those without a sound local copy are downloaded first."""
        missing = [file for file in files if not self._is_here(file)]
        for file in missing:
            self._download(file)
        if missing:
            needed = {file.name for file in files}
            trim([path for path in self.cache.glob("*.parquet") if path.name not in needed])
        return self.local.scan(files)

    def _is_here(self, file: DataFile) -> bool:
        path = self.cache / file.name
        if not path.exists():
            return False
        try:
            self.local.scan([file])
        except CorruptData:
            path.unlink(missing_ok=True)
            return False
        touch(path)
        return True

    def _download(self, file: DataFile) -> None:
        content = self.files.get(file.name)
        if content is None:
            raise CorruptData(f"{self.files.location}/{file.name} is missing; {REMEDY}")
        self.cache.mkdir(parents=True, exist_ok=True)
        self.local.write(file.name, content)
        try:
            self.local.scan([file])
        except CorruptData as error:
            (self.cache / file.name).unlink(missing_ok=True)
            raise CorruptData(f"{self.files.location}/{file.name} is damaged; {REMEDY}") from error
