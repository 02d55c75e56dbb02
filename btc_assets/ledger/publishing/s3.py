"""Heads as S3 objects under object lock: for years not even the account's owner can change or delete them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from contextlib import contextmanager

from btc_assets.errors import ConfigurationError, LedgerError, StorageError
from btc_assets.io.s3 import Bucket
from btc_assets.ledger.publishing.published import Published, line_of
from btc_assets.ledger.records import Head

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
        self.location = location
        self._bucket = Bucket(location, endpoint, setting="BTC_LEDGER_SINK")
        self._retention = retention
        self._clock = "" if endpoint else "Amazon S3"

    def publish(self, head: Head) -> None:
        """Put a locked object, unless it is there."""
        key = f"{head.symbol}/{head.seq:09d}-{head.record_sha256}.json"
        with self._errors("published to"):
            written = self._bucket.put_new(key, line_of(head), dt.datetime.now(dt.UTC) + self._retention)
            if not written and key not in self._bucket.keys(key):
                raise StorageError(f"another writer of {key} was first, and did not finish")

    def published(self, symbol: str) -> list[Published]:
        """Return the heads of ``symbol``, dated (UTC) by S3: a third party's clock if it is Amazon's."""
        found = []
        with self._errors("read from"):
            for key, at in self._bucket.entries(f"{symbol}/"):
                if match := _KEY.fullmatch(key.removeprefix(f"{symbol}/")):
                    seq, sha = int(match["seq"]), match["sha"]
                    found.append(Published(symbol, seq, sha, at, dated_by=self._clock))
        return found

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except (StorageError, ConfigurationError) as error:
            raise LedgerError(
                f"the head could not be {what} {self.location}: {error}; the bucket needs object lock, and "
                "this role s3:PutObject, s3:PutObjectRetention and s3:ListBucket"
            ) from error
