"""Small objects that are written once and never changed: in a folder, or on S3."""

from __future__ import annotations

import os
import tempfile
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from btc_assets.errors import ConfigurationError, SourceRefused, SourceUnavailable

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_s3 import S3Client


class ObjectStore(Protocol):
    """Keys (``/`` between parts) to bytes; every key is written at most once."""

    location: str

    def put_new(self, key: str, body: bytes) -> bool:
        """Write ``body`` under ``key`` unless something is there; says whether it was written."""

    def get(self, key: str) -> bytes | None:
        """The bytes under ``key``; None if there are none."""

    def keys(self, prefix: str, after: str = "") -> Iterator[str]:
        """The keys that begin with ``prefix`` and sort after ``after``, in order."""


def open_objects(location: str, s3_endpoint: str = "") -> ObjectStore:
    """The store at ``location``: ``s3://bucket/prefix``, or a folder, made when first written to.

    Raises:
        ConfigurationError: ``location`` is empty, or is an address of something else.
    """
    if location.startswith("s3://"):
        return S3Objects(location, s3_endpoint)
    if not location or "://" in location:
        raise ConfigurationError(f"BTC_LANDING={location!r}: expected a folder or s3://bucket/prefix")
    return FolderObjects(location)


class FolderObjects:
    """Objects as files below a folder."""

    def __init__(self, location: str) -> None:
        self.location = location
        self._root = Path(location)

    def put_new(self, key: str, body: bytes) -> bool:
        """Write ``body`` unless the key is taken; see `ObjectStore`."""
        path = self._root / key
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._root, prefix=".new-") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
                # A link appears whole or not at all, and fails if the name is taken.
                os.link(file.name, path)
        except FileExistsError:
            return False
        except OSError as error:
            raise SourceUnavailable(f"{path}: could not be written ({error})") from error
        return True

    def get(self, key: str) -> bytes | None:
        """The bytes under ``key``, if any."""
        try:
            return (self._root / key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SourceUnavailable(f"{self._root / key}: could not be read ({error})") from error

    def keys(self, prefix: str, after: str = "") -> Iterator[str]:
        """The keys in order; see `ObjectStore`."""
        files = (path.relative_to(self._root).as_posix() for path in self._root.glob(f"{prefix}**/*.json"))
        yield from sorted(key for key in files if key > after)


class S3Objects:
    """Objects below a prefix of a bucket; conditional puts make sure that one writer wins."""

    def __init__(self, location: str, endpoint: str = "") -> None:
        address = urllib.parse.urlsplit(location)
        if not address.netloc:
            raise ConfigurationError(f"BTC_LANDING={location}: names no bucket; expected s3://bucket/prefix")
        self.location = location.rstrip("/")
        self._endpoint = endpoint
        self._bucket = address.netloc
        self._prefix = f"{path}/" if (path := address.path.strip("/")) else ""
        self._opened: S3Client | None = None

    @property
    def _s3(self) -> S3Client:
        if self._opened is None:
            import boto3
            from botocore.config import Config

            config = Config(
                connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 4}
            )
            self._opened = boto3.client("s3", endpoint_url=self._endpoint or None, config=config)
        return self._opened

    def put_new(self, key: str, body: bytes) -> bool:
        """Write ``body`` unless the key is taken; see `ObjectStore`."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._s3.put_object(
                Bucket=self._bucket,
                Key=self._prefix + key,
                Body=body,
                IfNoneMatch="*",
                ContentType="application/json",
            )
        except ClientError as error:
            if _code(error) in ("PreconditionFailed", "ConditionalRequestConflict", "412", "409"):
                return False
            raise self._refusal(key, error) from error
        except BotoCoreError as error:
            raise SourceUnavailable(f"{self.location}/{key}: {error}") from error
        return True

    def get(self, key: str) -> bytes | None:
        """The bytes under ``key``, if any."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return self._s3.get_object(Bucket=self._bucket, Key=self._prefix + key)["Body"].read()
        except ClientError as error:
            if _code(error) in ("NoSuchKey", "404"):
                return None
            raise self._refusal(key, error) from error
        except BotoCoreError as error:
            raise SourceUnavailable(f"{self.location}/{key}: {error}") from error

    def keys(self, prefix: str, after: str = "") -> Iterator[str]:
        """The keys in order; see `ObjectStore`."""
        from botocore.exceptions import BotoCoreError, ClientError

        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix + prefix, StartAfter=self._prefix + after
        )
        try:
            for page in pages:
                for item in page.get("Contents", ()):
                    yield item["Key"].removeprefix(self._prefix)
        except ClientError as error:
            raise self._refusal(prefix, error) from error
        except BotoCoreError as error:
            raise SourceUnavailable(f"{self.location}/{prefix}: {error}") from error

    def _refusal(self, key: str, error: ClientError) -> SourceRefused | SourceUnavailable:
        """What an error answer of S3 means to us."""
        code = _code(error)
        said = error.response.get("Error", {}).get("Message", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status >= 500 or code in ("SlowDown", "RequestTimeout", "Throttling"):
            return SourceUnavailable(f"{self.location}/{key}: S3 failed ({code}): {said}")
        return SourceRefused(
            f"{self.location}/{key}: S3 refused ({code}): {said}; "
            "check the bucket's name and this role's rights"
        )


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")
