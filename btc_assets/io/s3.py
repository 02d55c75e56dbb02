"""One S3 bucket and prefix: read, list and conditionally write objects, with this project's errors."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from btc_assets.errors import BtcError, ConfigurationError, StorageError, StorageUnavailable
from btc_assets.io.retries import retrying

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_s3 import S3Client

_PASSING = {"RequestTimeout", "SlowDown", "Throttling"}
"""Error codes that can pass, whatever their HTTP status."""

_opening = threading.Lock()  # boto3's default session is not safe to make in two threads at once


class Bucket:
    """The objects below ``s3://bucket/prefix``; keys are relative to the prefix.

    Args:
        location: ``s3://bucket`` or ``s3://bucket/prefix``.
        endpoint: an S3-compatible server's URL; empty: AWS. Credentials come from the environment.
        anonymous: send requests without a signature, as a public bucket answers them; nothing is written.
        setting: the environment variable that ``location`` comes from, for errors.
        unavailable: raised by every method if S3 failed in a way that can pass.
        refused: raised by every method if S3 refused the request.

    Raises:
        ConfigurationError: ``location`` names no bucket; from the methods: boto3 or credentials are missing.
    """

    def __init__(
        self,
        location: str,
        endpoint: str = "",
        *,
        anonymous: bool = False,
        setting: str = "",
        unavailable: type[BtcError] = StorageUnavailable,
        refused: type[BtcError] = StorageError,
    ) -> None:
        name, _, prefix = location.removeprefix("s3://").partition("/")
        if not location.startswith("s3://") or not name:
            what = f"{setting}={location}" if setting else f"{location!r}"
            raise ConfigurationError(f"{what} names no bucket, it is not an address like s3://bucket/prefix")
        self.location = location.rstrip("/")
        self._name, self._prefix = name, f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._endpoint, self._anonymous = endpoint, anonymous
        self._unavailable, self._refused = unavailable, refused

    def get(self, key: str) -> bytes | None:
        """Return the object's bytes, or None if there is none."""
        from botocore.exceptions import ClientError, IncompleteReadError, ResponseStreamingError

        # boto3 asks again when no answer comes, but not when one breaks off in the middle.
        broken = (IncompleteReadError, ResponseStreamingError)
        caller, found = retrying().RetryingCaller(3, wait_initial=0.1, wait_max=1.0), None
        with self._errors(f"read {key}"):
            try:
                found = caller(broken, self._read, key)
            except ClientError as error:
                if _code(error) not in {"NoSuchKey", "404"}:
                    raise
        return found

    def _read(self, key: str) -> bytes:
        return self._s3.get_object(Bucket=self._name, Key=self._prefix + key)["Body"].read()

    def put(self, key: str, content: bytes) -> None:
        """Store ``content``, all or nothing."""
        self._require_keys(key)
        with self._errors(f"write {key}"):
            self._s3.put_object(Bucket=self._name, Key=self._prefix + key, Body=content)

    def put_new(self, key: str, content: bytes, locked_until: dt.datetime | None = None) -> bool:
        """Store ``content`` unless ``key`` exists; of writers at the same time exactly one gets True.

        Until ``locked_until`` (UTC) nobody can change or delete it; the bucket needs object lock for that.
        """
        from botocore.exceptions import ClientError

        self._require_keys(key)
        options: dict[str, Any] = {"ContentType": "application/json"} if key.endswith(".json") else {}
        if locked_until is not None:
            options |= {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": locked_until}
        with self._errors(f"write {key}"):
            try:
                self._s3.put_object(
                    Bucket=self._name, Key=self._prefix + key, Body=content, IfNoneMatch="*", **options
                )
            except ClientError as error:
                # 409: another conditional write of the key is under way, and wins.
                if _status(error) in {409, 412}:
                    return False
                raise
        return True

    def keys(self, prefix: str, after: str = "") -> Iterator[str]:
        """Yield the keys that begin with ``prefix`` and sort after ``after``, in order."""
        return (key for key, _ in self.entries(prefix, after))

    def entries(self, prefix: str, after: str = "") -> Iterator[tuple[str, dt.datetime]]:
        """Yield the keys as `keys` does, each with when S3 stored the object (UTC)."""
        with self._errors(f"list {prefix}"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._name, Prefix=self._prefix + prefix, StartAfter=self._prefix + after
            )
            for page in pages:
                for item in page.get("Contents", ()):
                    yield item["Key"].removeprefix(self._prefix), item["LastModified"]

    def folders(self, key: str) -> list[str]:
        """Return the names directly below ``key``/ that have something below them."""
        prefix = f"{self._prefix}{key}/"
        with self._errors(f"list {key}"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._name, Prefix=prefix, Delimiter="/"
            )
            return [p["Prefix"][len(prefix) : -1] for page in pages for p in page.get("CommonPrefixes", [])]

    @cached_property
    def _s3(self) -> S3Client:
        try:
            import boto3
            from botocore import UNSIGNED
            from botocore.config import Config
        except ImportError as error:
            raise ConfigurationError("s3:// needs boto3: install btc-assets[aws]") from error
        config = Config(
            connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 4}
        )
        if self._anonymous:
            config = config.merge(Config(signature_version=UNSIGNED))
        with _opening:
            return boto3.client("s3", endpoint_url=self._endpoint or None, config=config)

    def _require_keys(self, key: str) -> None:
        if self._anonymous:
            raise self._refused(f"cannot write {key} in {self.location}: BTC_S3_ANONYMOUS=1 sends no keys")

    @contextmanager
    def _errors(self, action: str) -> Iterator[None]:
        """Raise botocore's errors during ``action`` as this project's."""
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

        where = f"cannot {action} in {self.location}"
        try:
            yield
        except NoCredentialsError as error:
            raise ConfigurationError(
                f"{where}: no AWS credentials in the environment; BTC_S3_ANONYMOUS=1 reads a public bucket "
                "without"
            ) from error
        except ClientError as error:
            if _status(error) >= 500 or _status(error) == 429 or _code(error) in _PASSING:
                raise self._unavailable(f"{where}: {error}") from error
            remedy = "and this role's rights"
            if self._anonymous:
                remedy = "and that it lets everybody read and list (s3:GetObject, s3:ListBucket)"
            raise self._refused(f"{where}: {error}; check the bucket's name {remedy}") from error
        except BotoCoreError as error:
            raise self._unavailable(f"{where}: {error}") from error


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")
