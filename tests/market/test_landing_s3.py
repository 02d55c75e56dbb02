"""The landing zone on S3: conditional puts, long listings, and a store that refuses or fails."""

from __future__ import annotations

import datetime as dt
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import exchange as faults
import pytest
from candles import DAY, candle
from exchange import Exchange
from s3_server import aws_in_a_thread

from btc_assets.errors import SourceRefused, SourceUnavailable
from btc_assets.market.sources.landing import LandedVersion, LandingZone

START = dt.date(2025, 6, 1)
END = START + 30 * DAY


def said(code: str) -> bytes:
    """An error as S3 words it."""
    return f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    with aws_in_a_thread() as address:
        yield address


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def s3(s3_url: str) -> Any:
    import boto3

    return boto3.client("s3", endpoint_url=s3_url)


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"bucket-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def zone(bucket: str, s3_url: str) -> LandingZone:
    return LandingZone(f"s3://{bucket}/some/prefix/", s3_endpoint=s3_url)


def test_candles_come_back_in_order_in_their_newest_version(zone: LandingZone) -> None:
    for offset in (2, 0, 1):
        zone.put(candle(START + offset * DAY))
    zone.put(candle(START, trades=7))
    klines = zone.klines("BTCUSDT", START, START + 2 * DAY)
    assert [(kline.date, kline.trades) for kline in klines] == [(START, 7), (START + DAY, 1000)]
    assert zone.last_day("BTCUSDT") == START + 2 * DAY


def test_T7_of_many_racing_writers_one_writes(zone: LandingZone) -> None:
    together = threading.Barrier(8)

    def put(_: int) -> tuple[LandedVersion, bool]:
        together.wait()
        return zone.put(candle(START))

    zone.last_day("BTCUSDT")
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(put, range(8)))
    assert sum(wrote for _, wrote in outcomes) == 1
    assert len(list(zone.versions("BTCUSDT", START, END))) == 1


def test_a_listing_longer_than_a_page_is_read_whole(zone: LandingZone, bucket: str) -> None:
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    inside = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]  # a thousand requests saved
    first = dt.date(2017, 8, 17)
    for offset in range(1100):
        key = LandedVersion("BTCUSDT", first + offset * DAY, 1, "0" * 64).key
        inside.put_object(bucket, f"some/prefix/{key}", b"")
    assert len(zone.newest("BTCUSDT", first, dt.date.max)) == 1100
    assert zone.last_day("BTCUSDT") == first + 1099 * DAY


def test_a_missing_bucket_is_named(s3_url: str) -> None:
    with pytest.raises(
        SourceRefused, match=r"s3://no-such-bucket-here/x.*NoSuchBucket.*check the bucket's name"
    ):
        LandingZone("s3://no-such-bucket-here/x", s3_endpoint=s3_url).put(candle(START))


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"])
def test_a_forbidden_bucket_is_refused_and_says_what_to_check(exchange: Exchange, code: str) -> None:
    exchange.spoil(faults.status(403, said(code), {"Content-Type": "application/xml"}), times=5)
    with pytest.raises(SourceRefused, match=f"{code}.*this role's rights"):
        LandingZone("s3://bucket/x", s3_endpoint=exchange.url).klines("BTCUSDT", START, END)
    assert len(exchange.requests) == 1


def test_a_store_that_fails_is_asked_again_and_then_unavailable(exchange: Exchange) -> None:
    exchange.spoil(faults.status(503, said("SlowDown"), {"Content-Type": "application/xml"}), times=50)
    with pytest.raises(SourceUnavailable, match="SlowDown"):
        LandingZone("s3://bucket/x", s3_endpoint=exchange.url).klines("BTCUSDT", START, END)
    assert len(exchange.requests) == 4


def test_a_cut_connection_is_unavailable(exchange: Exchange) -> None:
    exchange.spoil(faults.reset, times=50)
    with pytest.raises(SourceUnavailable, match="s3://bucket/x"):
        LandingZone("s3://bucket/x", s3_endpoint=exchange.url).klines("BTCUSDT", START, END)


def test_an_object_that_breaks_off_is_never_taken_for_a_candle(exchange: Exchange) -> None:
    landed = LandedVersion("BTCUSDT", START, 1, "0" * 64)
    exchange.spoil(faults.truncated, times=50)
    with pytest.raises(SourceUnavailable):
        LandingZone("s3://bucket/x", s3_endpoint=exchange.url).read(landed)
