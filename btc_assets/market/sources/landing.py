"""Where the Lambda lands candles and the graph picks them up: a folder or an S3 prefix.

One small JSON object a version of a day: ``BTCUSDT/2025-06-30/0001-<sha256>.json``, with the day's candle
and its 4-hour bars. The hash is of the object's bytes, so that a damaged object is refused; a number counts
the versions, so that the newest is known, also when the exchange goes back to earlier figures. Nothing is
ever overwritten. Objects that were landed without bars stay readable: their days have none.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from btc_assets.errors import BadCandle, WriteConflict
from btc_assets.io.objects import open_objects
from btc_assets.market.anomalies import distinct
from btc_assets.market.calendar import DAILY, DAY, FIRST_DAY, FOUR_HOURS, Interval, closes_at, opens_at
from btc_assets.market.kline import Kline
from btc_assets.market.wire_format import parse_row, to_row

_KEY = re.compile(r"([A-Z0-9]{5,20})/(\d{4}-\d{2}-\d{2})/(\d{4})-([0-9a-f]{64})\.json", re.ASCII)
_RECENT = dt.timedelta(days=60)
_ATTEMPTS = 10


@dataclass(frozen=True, slots=True, order=True)
class LandedVersion:
    """One version of one day's candle in the landing zone."""

    symbol: str
    date: dt.date
    version: int
    sha256: str

    @property
    def key(self) -> str:
        """The object's key below the zone's prefix."""
        return f"{self.symbol}/{self.date}/{self.version:04d}-{self.sha256}.json"


class LandingZone:
    """The landing zone, as a place to write to and as the source ``landing``.

    See `btc_assets.market.sources.protocol.KlineSource`.
    """

    name = "landing"
    has_clock = False
    simulated = False

    def __init__(self, location: str, symbol: str = "BTCUSDT", *, s3_endpoint: str = "") -> None:
        """Open the zone at ``location`` (folder or ``s3://bucket/prefix``).

        Args:
            symbol: the pair whose newest landed day sets the source's clock.
            s3_endpoint: address of an S3-compatible store; empty: AWS.

        Raises:
            ConfigurationError: ``location`` is empty or not an address of a bucket.
        """
        self._symbol = symbol
        self._objects = open_objects(location, s3_endpoint)

    def put(self, kline: Kline, bars: Sequence[Kline] = ()) -> tuple[LandedVersion, bool]:
        """Land ``kline`` with its 4-hour ``bars``; returns its newest version, and whether that is new.

        The same content again changes nothing; different content becomes the next version.

        Raises:
            WriteConflict: other writers kept landing different content for the same day.
        """
        body = _encode(kline, bars)
        sha256 = self.digest(kline, bars)
        for _ in range(_ATTEMPTS):
            newest = max(self.versions(kline.symbol, kline.date, kline.date + DAY), default=None)
            if newest is not None and newest.sha256 == sha256:
                return newest, False
            landed = LandedVersion(kline.symbol, kline.date, newest.version + 1 if newest else 1, sha256)
            if self._objects.put_new(landed.key, body):
                return landed, True
        raise WriteConflict(
            f"{self._objects.location}: {kline.symbol} {kline.date} changes with every attempt"
        )

    @staticmethod
    def digest(kline: Kline, bars: Sequence[Kline] = ()) -> str:
        """Return the hash that names the content: the same for equal figures from any source."""
        return hashlib.sha256(_encode(kline, bars)).hexdigest()

    def versions(self, symbol: str, start: dt.date, end: dt.date) -> Iterator[LandedVersion]:
        """Return all versions of the days in [start, end), in order of day and version."""
        for key in self._objects.keys(f"{symbol}/", after=f"{symbol}/{start}/"):
            landed = _parse_key(key)
            if landed is None:
                continue
            if landed.date >= end:
                return
            yield landed

    def newest(self, symbol: str, start: dt.date, end: dt.date) -> list[LandedVersion]:
        """Return the version in force of each landed day in [start, end), in order."""
        return list({landed.date: landed for landed in self.versions(symbol, start, end)}.values())

    def klines(self, symbol: str, start: dt.date, end: dt.date, interval: Interval = DAILY) -> list[Kline]:
        """Return the landed candles of [start, end), newest versions; of days or of 4 hours."""
        return [kline for landed in self.newest(symbol, start, end) for kline in self.read(landed, interval)]

    def read(self, landed: LandedVersion, interval: Interval = DAILY) -> list[Kline]:
        """Return the candle in one landed object, or with another ``interval`` its bars.

        Raises:
            BadCandle: the object is damaged, or is not of the day in its key.
        """
        where = f"{self._objects.location}/{landed.key}"
        body = self._objects.get(landed.key)
        if body is None or hashlib.sha256(body).hexdigest() != landed.sha256:
            raise BadCandle(f"{where}: does not hash to its name; restore the object or land the day again")
        try:
            content = json.loads(body)
            symbol, rows = content["symbol"], [content["row"]]
            if interval != DAILY:
                rows = list(content.get("bars", ())) if interval == FOUR_HOURS else []
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadCandle(f"{where}: not a landed candle ({error!r})") from error
        klines = distinct(
            parse_row(row, symbol=landed.symbol, source=self.name, where=where, interval=interval)
            for row in rows
        )
        for kline in klines:
            if kline.date != landed.date:
                raise BadCandle(f"{where}: holds {symbol!r} {kline.date}")
        if symbol != landed.symbol:
            raise BadCandle(f"{where}: holds {symbol!r}")
        return klines

    def first_day(self, symbol: str) -> dt.date | None:
        """Return the oldest landed day."""
        landed = next(self.versions(symbol, FIRST_DAY, dt.date.max), None)
        return None if landed is None else landed.date

    def last_day(self, symbol: str) -> dt.date | None:
        """Return the newest landed day; recent days are looked at first, for a long list is read in pages."""
        recent = dt.datetime.now(dt.UTC).date() - _RECENT
        for start in (recent, FIRST_DAY):
            newest = max(self.versions(symbol, start, dt.date.max), default=None)
            if newest is not None:
                return newest.date
        return None

    def now(self) -> dt.datetime:
        """Return the end of the newest landed day: what is landed is closed, nothing after it is known."""
        last = self.last_day(self._symbol)
        return opens_at(FIRST_DAY) if last is None else closes_at(last)


def _parse_key(key: str) -> LandedVersion | None:
    """Return what the object called ``key`` is; None: nothing that was landed."""
    match = _KEY.fullmatch(key)
    try:
        return match and LandedVersion(match[1], dt.date.fromisoformat(match[2]), int(match[3]), match[4])
    except ValueError:
        return None  # a day that there is not


def _encode(kline: Kline, bars: Sequence[Kline] = ()) -> bytes:
    """Return the bytes that are landed: equal candles give equal bytes, whatever source they came from."""
    content: dict[str, object] = {"symbol": kline.symbol, "row": to_row(kline)}
    if bars:
        content["bars"] = [to_row(bar) for bar in bars]
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
