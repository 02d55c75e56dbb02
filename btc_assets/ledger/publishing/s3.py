"""Heads as S3 objects under object lock: for years not even the account's owner can change or delete them."""

from __future__ import annotations

import datetime as dt
import re
import urllib.parse
from typing import TYPE_CHECKING

from btc_assets.errors import ConfigurationError, LedgerError
from btc_assets.ledger.publishing.published import Published, line_of
from btc_assets.ledger.records import Head

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_KEY = re.compile(r"(?P<seq>\d{9})-(?P<sha>[0-9a-f]{64})\.json")


class S3Sink:
    """One object a head, ``prefix/SYMBOL/SEQ-HASH.json``, locked in compliance mode.

    The bucket must have been created with object lock. An object's name says all of the head, and its time
    is S3's own, so reading back takes one request a thousand heads.

    Args:
        location: ``s3://bucket/prefix``.
        endpoint: address of an S3-compatible store; empty: AWS.
        retention: how long an object is locked.
    """

    def __init__(
        self, location: str, endpoint: str = "", retention: dt.timedelta = dt.timedelta(days=3650)
    ) -> None:
        address = urllib.parse.urlsplit(location)
        if not address.netloc:
            raise ConfigurationError(
                f"BTC_LEDGER_SINK={location}: names no bucket; expected s3://bucket/prefix"
            )
        self.location = location
        self._bucket = address.netloc
        self._prefix = f"{path}/" if (path := address.path.strip("/")) else ""
        self._endpoint, self._retention = endpoint, retention
        self._clock = "" if endpoint else "Amazon S3"
        self._opened: S3Client | None = None

    def publish(self, head: Head) -> None:
        """Put a locked object, unless it is there."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._s3.put_object(
                Bucket=self._bucket,
                Key=f"{self._prefix}{head.symbol}/{head.seq:09d}-{head.record_sha256}.json",
                Body=line_of(head),
                ContentType="application/json",
                IfNoneMatch="*",
                ObjectLockMode="COMPLIANCE",
                ObjectLockRetainUntilDate=dt.datetime.now(dt.UTC) + self._retention,
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ("PreconditionFailed", "412"):
                return
            raise self._failed("published to", error) from error
        except BotoCoreError as error:
            raise self._failed("published to", error) from error

    def published(self, symbol: str) -> list[Published]:
        """The objects of ``symbol``; ``at`` is when S3 stored them, a third party's clock if Amazon's."""
        from botocore.exceptions import BotoCoreError, ClientError

        prefix = f"{self._prefix}{symbol}/"
        found = []
        try:
            for page in self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix
            ):
                for item in page.get("Contents", ()):
                    if match := _KEY.fullmatch(item["Key"].removeprefix(prefix)):
                        seq, sha, at = int(match["seq"]), match["sha"], item["LastModified"]
                        found.append(Published(symbol, seq, sha, at, dated_by=self._clock))
        except (BotoCoreError, ClientError) as error:
            raise self._failed("read from", error) from error
        return found

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

    def _failed(self, what: str, error: Exception) -> LedgerError:
        return LedgerError(
            f"the head could not be {what} {self.location}: {error}; the bucket needs object lock, and this "
            "role s3:PutObject, s3:PutObjectRetention and s3:ListBucket"
        )
