"""Look up candles, forecasts and vintages in the tables, as typed values."""

from __future__ import annotations

import bisect
import datetime as dt
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from btc_assets.contracts import (
    BASELINE_FORECASTS,
    BASELINES,
    FORECASTS,
    HORIZONS,
    LEVELS,
    MEDIAN,
    NETWORKS,
    QUANTILES,
    RAW_KLINES,
    VINTAGES_IN_FORCE,
)
from btc_assets.market.calendar import DAY
from btc_assets.market.issue_timing import is_live
from btc_assets.market.kline import Kline
from btc_assets.storage.registry.protocol import VintageId
from btc_dash.data.cache import TableCache

Floats = NDArray[np.float64]

_CANDLE = ["date", "open", "high", "low", "close"]


@dataclass(frozen=True)
class DailyCandles:
    """Daily candles in order: columns date, open, high, low, close (USDT)."""

    frame: pl.DataFrame
    dates: list[dt.date]
    closes: list[float]

    @classmethod
    def of(cls, frame: pl.DataFrame) -> DailyCandles:
        """Wrap a frame of candles sorted by date."""
        return cls(frame, frame["date"].to_list(), frame["close"].to_list())

    def close_on(self, day: dt.date) -> float | None:
        """Return the close of ``day``, None where there is no candle."""
        at = bisect.bisect_left(self.dates, day)
        return self.closes[at] if at < len(self.dates) and self.dates[at] == day else None

    def window(self, start: dt.date, end: dt.date) -> DailyCandles:
        """Return the candles of [start, end)."""
        low, high = bisect.bisect_left(self.dates, start), bisect.bisect_left(self.dates, end)
        return DailyCandles(self.frame[low:high], self.dates[low:high], self.closes[low:high])

    def with_running(self, candle: Kline) -> DailyCandles:
        """Return the same, ending on a candle that is not final."""
        before = self.window(self.dates[0], candle.date)
        row = pl.DataFrame(
            [{name: getattr(candle, name) for name in before.frame.columns}], before.frame.schema
        )
        return DailyCandles.of(before.frame.vstack(row))

    @property
    def newest(self) -> dt.date | None:
        """The last closed day, None where there are no candles."""
        return self.dates[-1] if self.dates else None


@dataclass(frozen=True, eq=False)
class Forecast:
    """Quantiles of the close on ``targets``, USDT: [horizons from 1 on, levels of LEVELS].

    ``computed`` tells a forecast made on request from one that was issued and is kept.
    """

    model: str
    origin: dt.date
    targets: list[dt.date]
    quantiles: Floats
    vintage: dt.date
    issued_at: dt.datetime
    computed: bool = False

    def first(self, days: int) -> Forecast:
        """Return the same forecast, ``days`` ahead only."""
        return replace(self, targets=self.targets[:days], quantiles=self.quantiles[:days])

    def level(self, level: float) -> list[float]:
        """Return the path of one quantile level."""
        return self._column(LEVELS.index(level))

    @property
    def median(self) -> list[float]:
        """The path of the median."""
        return self._column(MEDIAN)

    def _column(self, at: int) -> list[float]:
        path: list[float] = self.quantiles[:, at].tolist()
        return path

    @property
    def backfilled(self) -> bool:
        """Whether it was made after its first target day was over."""
        return not is_live(self.origin, self.issued_at)


def history(cache: TableCache) -> DailyCandles:
    """Return all candles."""
    return cache.keep(RAW_KLINES, "history", lambda: DailyCandles.of(cache.read(RAW_KLINES, _CANDLE)))


def pairs(cache: TableCache) -> list[str]:
    """Return the pairs that there are candles of, whether they are asked for or not."""
    return cache.keep(RAW_KLINES, "pairs", cache.pairs)


def candles(cache: TableCache) -> pl.DataFrame:
    """Return all candles with all their columns, for the models."""
    return cache.keep(RAW_KLINES, "candles", lambda: cache.read(RAW_KLINES))


def features(cache: TableCache) -> pl.DataFrame:
    """Return features of all days, as the graph derived them."""
    from btc_assets.modeling.features import ENGINEERED_FEATURES

    return cache.keep(ENGINEERED_FEATURES, "features", lambda: cache.read(ENGINEERED_FEATURES))


def origins(cache: TableCache) -> dict[str, list[dt.date]]:
    """Return, by model, the days forecasts were issued from, in order."""

    def load() -> dict[str, list[dt.date]]:
        rows = cache.read(FORECASTS, ["model", "origin_date"]).unique().sort("origin_date")
        return {str(name): part["origin_date"].to_list() for (name,), part in rows.group_by("model")}

    return cache.keep(FORECASTS, "origins", load)


def newest_origin(cache: TableCache) -> dt.date | None:
    """Return the newest day any model has issued a forecast from."""
    return max((days[-1] for days in origins(cache).values() if days), default=None)


def last_day(cache: TableCache) -> dt.date | None:
    """Return the newest day a forecast can start from: that of the newest candle or issued forecast."""
    return max((day for day in (history(cache).newest, newest_origin(cache)) if day), default=None)


def issued(cache: TableCache, model: str, origin: dt.date) -> Forecast | None:
    """Return what ``model``, or a baseline, issued from ``origin``; None where there is none."""
    table = BASELINE_FORECASTS if model in BASELINES else FORECASTS

    def load() -> dict[str, Forecast]:
        frame = cache.read(table, None, origin, origin + DAY).sort("horizon")
        return {
            str(name): forecast_of(part) for (name,), part in frame.group_by("model", maintain_order=True)
        }

    return cache.keep(table, ("issued", origin), load).get(model)


def forecast_of(frame: pl.DataFrame, computed: bool = False) -> Forecast:
    """Return one model's rows of one origin, sorted by horizon, as a forecast."""
    first = frame.row(0, named=True)
    rows = frame.filter(pl.col("horizon") <= HORIZONS)
    return Forecast(
        model=first["model"],
        origin=first["origin_date"],
        targets=rows["target_date"].to_list(),
        quantiles=rows.select(QUANTILES).to_numpy(),
        vintage=first["vintage"],
        issued_at=first["issued_at"],
        computed=computed,
    )


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a network's vintage on a day."""

    day: dt.date
    model: str
    text: str


def vintages(cache: TableCache) -> pl.DataFrame:
    """Return which vintage was in force for each origin and why: the table's rows, by model and date."""
    return cache.keep(
        VINTAGES_IN_FORCE, "vintages", lambda: cache.read(VINTAGES_IN_FORCE).sort("model", "date")
    )


def in_force(cache: TableCache) -> dict[str, tuple[list[dt.date], list[tuple[VintageId, str]]]]:
    """Return, by network, the days in order and, for each, the vintage in force and its manifest's hash."""

    def load() -> dict[str, tuple[list[dt.date], list[tuple[VintageId, str]]]]:
        found: dict[str, tuple[list[dt.date], list[tuple[VintageId, str]]]] = {n: ([], []) for n in NETWORKS}
        columns = vintages(cache).select("model", "date", "vintage", "revision", "manifest_sha256")
        for model, day, vintage, revision, sha256 in columns.iter_rows():
            days, known = found.setdefault(model, ([], []))
            days.append(day)
            known.append((VintageId(vintage, revision), sha256))
        return found

    return cache.keep(VINTAGES_IN_FORCE, "in force", load)


def events(cache: TableCache, model: str) -> list[Event]:
    """Return refits held back and revisions of ``model`` (ensemble: of both), each once, newest first."""
    rows = vintages(cache)
    if model in NETWORKS:
        rows = rows.filter(pl.col("model") == model)
    notable = rows.filter((pl.col("action") == "held_back") | (pl.col("revision") > 0))
    firsts = notable.group_by("model", "vintage", "action", "reason").agg(pl.col("date").min())
    texts = {"held_back": "vintage", "fitted": "fitted anew as", "carried": "fitted anew as"}
    return [
        Event(row["date"], row["model"], f"{texts[row['action']]} {row['reason']}.")
        for row in firsts.sort("date", "model", descending=True).iter_rows(named=True)
    ]
