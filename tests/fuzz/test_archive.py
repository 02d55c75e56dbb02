"""The archive reader: a dump with a checksum that fits, for a checksum only says that nothing was lost."""

from __future__ import annotations

import datetime as dt
import hashlib

from candle_assertions import assert_valid
from mutation import fuzzed

from btc_assets.errors import BadCandle, SourceRefused
from btc_assets.market.sources.dumps import read_dump

NAME = "BTCUSDT-1d-2018-01.zip"


def read(packed: bytes, checksum: bytes) -> None:
    try:
        klines = read_dump(
            f"spot/monthly/klines/BTCUSDT/1d/{NAME}",
            packed,
            checksum,
            symbol="BTCUSDT",
            start=dt.date(2018, 1, 1),
            end=dt.date(2018, 2, 1),
        )
    except (SourceRefused, BadCandle) as error:
        assert NAME in str(error)  # noqa: PT017
        return
    for kline in klines:
        assert_valid(kline)
    assert len(klines) <= 31


@fuzzed("archive")
def test_any_zip_gives_true_candles_or_is_refused(data: bytes) -> None:
    """With a checksum that fits it."""
    read(data, f"{hashlib.sha256(data).hexdigest()}  {NAME}\n".encode())


@fuzzed("checksum")
def test_any_checksum_fits_or_is_refused(data: bytes) -> None:
    """Whatever stands in the file beside the dump."""
    read(b"PK", data)
