"""Forecasts made on request: origins that were never materialised, from the vintage in force there.

ONNX Runtime only. Answers are kept, at most a few are computed at once, and each client has a rate limit.
"""

from __future__ import annotations

import bisect
import datetime as dt
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

import polars as pl
from cachetools import LRUCache

from btc_assets.contracts import HORIZONS, NETWORKS, RAW_KLINES
from btc_assets.errors import ModelError, NotEnoughHistory
from btc_assets.market.calendar import DAY
from btc_assets.series import CANDLES
from btc_assets.storage.registry.protocol import ModelRef, ModelRegistry, VintageId
from btc_dash.data import market
from btc_dash.data.cache import TableCache
from btc_dash.data.market import Floats, Forecast
from btc_dash.data.running_day import Quote
from btc_dash.server.rate_limit import RateLimiter

if TYPE_CHECKING:
    from btc_assets.modeling.inference import Predictor

KEPT = 64
"""Origins whose computed forecasts are kept."""

_AT_ONCE = 2

Key = tuple[dt.date, tuple[int, int], float, tuple[str, str] | None]
"""Origin, versions of candles and features, the running day's price, model and vintage asked for by name."""


class UnknownVintage(ModelError):
    """A vintage was asked for by name that was never in force, or that has seen days after the origin."""


class Forecaster:
    """Computes forecasts with the models of a registry, from the candles of a cache."""

    def __init__(
        self, cache: TableCache, open_registry: Callable[[], ModelRegistry], limiter: RateLimiter
    ) -> None:
        """Call ``open_registry`` when a model is needed, not before."""
        self._cache = cache
        self._registry = open_registry
        self._limiter = limiter
        self._open = lru_cache(maxsize=32)(self._open_vintage)
        self._kept: LRUCache[Key, dict[str, Forecast]] = LRUCache(KEPT)
        self._parts: LRUCache[tuple[str, dt.date, tuple[int, int]], dict[str, Floats]] = LRUCache(KEPT)
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(_AT_ONCE)

    def forecast(self, model: str, origin: dt.date, client: str, vintage: str | None = None) -> Forecast:
        """Return what ``model`` says from the close of ``origin``, with the vintage in force on that day.

        ``vintage`` names another one to ask (of both networks, for the ensemble), older than the origin.

        Raises:
            UnknownVintage: there is no such vintage, or it has seen days after the origin.
            NotEnoughHistory: no candle of the day, or too few before it.
            ModelError: no vintage was in force on that day, or its files are not sound.
            TooManyRequests: ``client`` has no tokens left.
            StorageError: the store fails.
        """
        named = (model, vintage) if vintage else None
        key = (origin, self._versions(), 0.0, named)
        return self._keep(key, client, lambda: self._from_close(origin, named))[model]

    def forecast_now(self, model: str, quote: Quote, client: str, vintage: str | None = None) -> Forecast:
        """Return the same from the running day as it was seen; provisional, like its candle.

        Raises:
            As ``forecast``; NotEnoughHistory also where days before the running one are missing.
        """
        named = (model, vintage) if vintage else None
        key = (quote.candle.date, self._versions(), quote.candle.close, named)
        return self._keep(key, client, lambda: self._from_now(quote, named))[model]

    def width_parts(self, model: str, origin: dt.date, client: str) -> dict[str, Floats]:
        """Take the width of the forecast of ``model`` from ``origin`` apart; see ``modeling.width``.

        Raises:
            As ``forecast``.
        """
        from btc_assets.modeling.inference import at_origin
        from btc_assets.modeling.width_parts import width_parts

        candles = market.candles(self._cache)
        key = (model, origin, self._versions())
        if key not in self._parts:
            self._limiter.take(client)
            state = at_origin(candles, _completed(market.features(self._cache), candles), origin)
            with self._slots:
                networks = {kind: self._in_force(kind, origin) for kind in NETWORKS}
                self._parts[key] = width_parts(state, networks, model)
        return self._parts[key]

    def _keep(self, key: Key, client: str, make: Callable[[], dict[str, Forecast]]) -> dict[str, Forecast]:
        """Return what is kept under ``key``, or what ``make`` gives, at ``client``'s cost."""
        with self._lock:
            if (kept := self._kept.get(key)) is not None:
                return kept
        self._limiter.take(client)
        with self._slots:
            made = make()
        with self._lock:
            self._kept[key] = made
        return made

    def _versions(self) -> tuple[int, int]:
        """Return the versions of the tables that a forecast is computed from."""
        from btc_assets.modeling.features import ENGINEERED_FEATURES

        return self._cache.version(RAW_KLINES), self._cache.version(ENGINEERED_FEATURES)

    def _from_close(self, origin: dt.date, named: tuple[str, str] | None = None) -> dict[str, Forecast]:
        if market.history(self._cache).close_on(origin) is None:
            raise NotEnoughHistory(f"there is no candle of {origin}")
        candles = market.candles(self._cache)
        return self._forecasts(candles, _completed(market.features(self._cache), candles), origin, named)

    def _from_now(self, quote: Quote, named: tuple[str, str] | None) -> dict[str, Forecast]:
        from btc_assets.storage.bitemporal import klines_frame

        before = pl.col("date") < quote.candle.date
        closed = market.candles(self._cache).filter(before)
        candles = closed.vstack(klines_frame([quote.candle], quote.at).select(closed.columns))
        features = _completed(market.features(self._cache).filter(before), candles)
        return self._forecasts(candles, features, quote.candle.date, named)

    def _forecasts(
        self, candles: pl.DataFrame, features: pl.DataFrame, origin: dt.date, named: tuple[str, str] | None
    ) -> dict[str, Forecast]:
        from btc_assets.modeling.forecast import quantiles
        from btc_assets.modeling.inference import at_origin

        asked, vintage = named or ("", "")
        predictors = {
            kind: self._named(kind, vintage, origin)
            if asked in (kind, "ensemble")
            else self._in_force(kind, origin)
            for kind in NETWORKS
        }
        vintages = {kind: predictors[kind].cutoff for kind in NETWORKS}
        oldest = min(vintages.values())
        targets = [origin + (h + 1) * DAY for h in range(HORIZONS)]
        now = dt.datetime.now(dt.UTC)
        return {
            model: Forecast(model, origin, targets, prices, vintages.get(model, oldest), now, computed=True)
            for model, prices in quantiles(at_origin(candles, features, origin), predictors).items()
        }

    def _in_force(self, kind: str, origin: dt.date) -> Predictor:
        """Return the predictor in force for ``origin``: the newest row of ``vintages_in_force`` says it."""
        since, vintages = market.in_force(self._cache).get(kind, ([], []))
        at = bisect.bisect_right(since, origin)
        if at == 0:
            raise ModelError(f"no {kind} model was in force on {origin}")
        return self._open(kind, *vintages[at - 1])

    def _named(self, kind: str, name: str, origin: dt.date) -> Predictor:
        """Return the predictor of ``kind`` with vintage ``name``, if it has not seen past ``origin``."""
        _, vintages = market.in_force(self._cache).get(kind, ([], []))
        found = next((known for known in reversed(vintages) if str(known[0]) == name), None)
        if found is None:
            raise UnknownVintage(f"The {kind.upper()} never had a vintage {name} in force.")
        if found[0].cutoff > origin:
            raise UnknownVintage(f"The vintage {name} has seen prices after {origin}: it knows what came.")
        return self._open(kind, *found)

    def _open_vintage(self, kind: str, vintage: VintageId, sha256: str) -> Predictor:
        from btc_assets.modeling.inference import Predictor

        return Predictor.open(self._registry().model_folder(ModelRef(kind, vintage, sha256)), sha256)


def _completed(known: pl.DataFrame, candles: pl.DataFrame) -> pl.DataFrame:
    """Return ``known`` features with those of the candles after them, which the graph has not derived yet.

    These go by the day's range: of a day that is not over, or just is, no 4-hour candles are asked for.
    """
    from btc_assets.modeling.features import LOOKBACK, engineer

    newest = known["date"][-1] if known.height else dt.date.min
    if candles["date"][-1] <= newest:
        return known
    lacking = candles.filter(pl.col("date") > newest).height
    derived = engineer({CANDLES.name: candles.tail(LOOKBACK + lacking)}).tail(lacking)
    return known.vstack(derived.select(known.columns))
