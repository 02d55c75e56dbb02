"""Forecasts made on request: origins that were never materialised, from the vintage in force there.

ONNX Runtime only. Answers are kept, at most a few are computed at once, and each client has a budget.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

import polars as pl

from btc_assets.contracts import HORIZONS, NETWORKS, RAW_KLINES
from btc_assets.errors import ModelError, NotEnoughHistory
from btc_assets.market.calendar import DAY
from btc_assets.storage.registry import ModelRef, ModelRegistry, VintageId
from btc_dash import market
from btc_dash.limits import Budget
from btc_dash.market import Forecast
from btc_dash.reader import Reader

if TYPE_CHECKING:
    from btc_assets.modeling.inference import Predictor

KEPT = 64
"""Origins whose computed forecasts are kept."""

_AT_ONCE = 2


class Forecaster:
    """Computes forecasts with the models of a registry, from the candles of a reader."""

    def __init__(self, reader: Reader, open_registry: Callable[[], ModelRegistry], budget: Budget) -> None:
        """``open_registry`` is called when a model is needed, not before."""
        self._reader = reader
        self._registry = open_registry
        self._budget = budget
        self._open = lru_cache(maxsize=32)(self._open_vintage)
        self._kept: OrderedDict[tuple[dt.date, int], dict[str, Forecast]] = OrderedDict()
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(_AT_ONCE)

    def forecast(self, model: str, origin: dt.date, client: str) -> Forecast:
        """What ``model`` says from the close of ``origin``, with the vintage in force on that day.

        Raises:
            NotEnoughHistory: no candle of the day, or too few before it.
            ModelError: no vintage was in force on that day, or its files are not sound.
            TooManyRequests: ``client`` has used its budget up.
            StorageError: the store fails.
        """
        key = (origin, self._reader.version(RAW_KLINES))
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][model]
        self._budget.spend(client)
        with self._slots:
            made = self._compute(origin)
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return made[model]

    def _compute(self, origin: dt.date) -> dict[str, Forecast]:
        from btc_assets.modeling.forecast import quantiles
        from btc_assets.modeling.inference import at_origin

        if market.history(self._reader).close_on(origin) is None:
            raise NotEnoughHistory(f"there is no candle of {origin}")
        predictors = {kind: self._in_force(kind, origin) for kind in NETWORKS}
        state = at_origin(market.candles(self._reader), market.features(self._reader), origin)
        vintages = {kind: predictors[kind].cutoff for kind in NETWORKS}
        oldest = min(vintages.values())
        targets = [origin + (h + 1) * DAY for h in range(HORIZONS)]
        now = dt.datetime.now(dt.UTC)
        return {
            model: Forecast(model, origin, targets, prices, vintages.get(model, oldest), now, computed=True)
            for model, prices in quantiles(state, predictors).items()
        }

    def _in_force(self, kind: str, origin: dt.date) -> Predictor:
        """The predictor in force for ``origin``: that of the newest row of ``vintages_in_force`` up to it."""
        known = market.vintages(self._reader).filter(model=kind).filter(pl.col("date") <= origin)
        if known.is_empty():
            raise ModelError(f"no {kind} model was in force on {origin}")
        row = known.row(-1, named=True)
        return self._open(kind, VintageId(row["vintage"], row["revision"]), row["manifest_sha256"])

    def _open_vintage(self, kind: str, vintage: VintageId, sha256: str) -> Predictor:
        from btc_assets.modeling.inference import Predictor

        return Predictor.open(self._registry().fetch(ModelRef(kind, vintage, sha256)), sha256)
