"""One S3 bucket and prefix: reading, listing and conditional writing, with this project's errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import stamina

from btc_assets.errors import ConfigurationError, StorageError, StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Bucket:
    """The objects below ``s3://bucket/prefix``; keys are relative to the prefix.

    Args:
        url: ``s3://bucket`` or ``s3://bucket/prefix``.
        endpoint: an S3-compatible server's URL; empty: AWS. Credentials come from the environment.

    Raises:
        ConfigurationError: boto3 is not installed, or ``url`` names no bucket.
    """

    def __init__(self, url: str, endpoint: str = "") -> None:
        name, _, prefix = url.removeprefix("s3://").partition("/")
        if not url.startswith("s3://") or not name:
            raise ConfigurationError(f"{url!r} is not an address like s3://bucket/prefix")
        self.url, self.name, self.prefix = url, name, f"{prefix.strip('/')}/" if prefix else ""
        self._client = _client(endpoint)

    def get(self, key: str) -> bytes | None:
        """The object's bytes, or None if there is none."""
        from botocore.exceptions import IncompleteReadError, ResponseStreamingError

        # boto3 asks again when no answer comes, but not when one breaks off in the middle.
        broken = (IncompleteReadError, ResponseStreamingError)
        with self._errors(f"read {key}"):
            for attempt in stamina.retry_context(on=broken, attempts=3, wait_initial=0.1, wait_max=1.0):
                with attempt:
                    try:
                        return self._client.get_object(Bucket=self.name, Key=self.prefix + key)["Body"].read()
                    except self._client.exceptions.NoSuchKey:
                        return None
        raise AssertionError("unreachable: _errors never swallows")

    def put(self, key: str, content: bytes) -> None:
        """Store ``content``, all or nothing."""
        with self._errors(f"write {key}"):
            self._client.put_object(Bucket=self.name, Key=self.prefix + key, Body=content)

    def put_new(self, key: str, content: bytes) -> bool:
        """Store ``content`` unless ``key`` exists; of writers at the same time exactly one gets True."""
        from botocore.exceptions import ClientError

        with self._errors(f"write {key}"):
            try:
                self._client.put_object(
                    Bucket=self.name, Key=self.prefix + key, Body=content, IfNoneMatch="*"
                )
            except ClientError as error:
                # 409: another conditional write of the key is under way, and wins.
                if _status(error) in {409, 412}:
                    return False
                raise
        return True

    def folders(self, key: str) -> list[str]:
        """The names directly below ``key``/ that have something below them."""
        prefix = f"{self.prefix}{key}/"
        names: list[str] = []
        with self._errors(f"list {key}"):
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.name, Prefix=prefix, Delimiter="/"):
                names += [p["Prefix"][len(prefix) : -1] for p in page.get("CommonPrefixes", [])]
        return names

    @contextmanager
    def _errors(self, action: str) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

        where = f"cannot {action} in {self.url}"
        try:
            yield
        except NoCredentialsError as error:
            raise ConfigurationError(f"{where}: no AWS credentials in the environment") from error
        except ClientError as error:
            if _status(error) >= 500 or _status(error) == 429:
                raise StorageUnavailable(f"{where}: {error}") from error
            raise StorageError(f"{where}: {error}; check the bucket's name and this role's rights") from error
        except BotoCoreError as error:
            raise StorageUnavailable(f"{where}: {error}") from error


def delta_options(endpoint: str) -> dict[str, str]:
    """deltalake's options for the server at ``endpoint`` (empty: AWS): bounded retries, conditional puts."""
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
    return options


def _client(endpoint: str) -> S3Client:
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise ConfigurationError("s3:// needs boto3: install btc-assets[aws]") from error
    config = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 4})
    return boto3.client("s3", endpoint_url=endpoint or None, config=config)


def _status(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
