"""Forecasters that keep the rules, and one for each way to break them."""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np

from btc_assets.forecasters.protocol import Floats, Needs, Observed


class Honest:
    """Quantiles from 90 % to 110 % of the last close, whatever the day."""

    name = "honest"
    version = "1"
    needs = Needs(days=30)

    def forecast(self, observed: Observed) -> Floats:
        print("what is printed is in nobody's way")
        return np.tile(np.linspace(0.9, 1.1, 21) * observed.last_close, (90, 1))


class WithSeries(Honest):
    name = "with_series"
    needs = Needs(days=30, series=("raw_klines_4h", "engineered_features"))

    def forecast(self, observed: Observed) -> Floats:
        newest = [rows["date"].max() for rows in (observed.candles, *observed.series.values())]
        assert newest == [observed.origin] * 3
        assert not {"source", "ingested_at"} & set(observed.series["raw_klines_4h"].columns)
        return super().forecast(observed)


class Misnamed(Honest):
    name = "Honest!"


class Greedy(Honest):
    name = "greedy"
    needs = Needs(days=1_000_000)


class Half(Honest):
    name = "half"
    needs = Needs(days=30.5)  # type: ignore[arg-type]


class NoComma(Honest):
    name = "no_comma"
    needs = Needs(series="raw_klines_4h")  # type: ignore[arg-type]


class Hangs(Honest):
    name = "hangs"

    def forecast(self, observed: Observed) -> Floats:
        threading.Event().wait()
        return super().forecast(observed)


class Raises(Honest):
    name = "raises"

    def forecast(self, observed: Observed) -> Floats:
        raise KeyError(observed.symbol)


class SaysOddly(Honest):
    name = "says_oddly"

    def forecast(self, observed: Observed) -> Floats:
        raise FileNotFoundError("\x1b[2J/data/\udcff")


class Ends(Honest):
    name = "ends"

    def forecast(self, observed: Observed) -> Floats:
        os._exit(3)


class Eats(Honest):
    name = "eats"

    def forecast(self, observed: Observed) -> Floats:
        return super().forecast(observed) + np.ones(2**30)[:1]


class Draws(Honest):
    name = "draws"

    def forecast(self, observed: Observed) -> Floats:
        return super().forecast(observed) * np.random.default_rng().uniform(0.9, 1.1)


class ReadsTheStore(Honest):
    """Finds tomorrow's close where the settings lead."""

    name = "reads_the_store"

    def forecast(self, observed: Observed) -> Floats:
        from btc_assets.contracts import RAW_KLINES
        from btc_assets.factory import open_tables
        from btc_assets.settings import load

        later = open_tables(load()).read(RAW_KLINES).filter(date=observed.days_ahead[0])["close"]
        return super().forecast(observed) * (later.to_list() or [1.0])[0] / observed.last_close


class Remembers(Honest):
    """Keeps the largest close that it was ever shown."""

    name = "remembers"
    largest = 0.0

    def forecast(self, observed: Observed) -> Floats:
        self.largest = max(self.largest, float(observed.closes.max()))
        return super().forecast(observed) + self.largest


def _broken(name: str, change: Any) -> type[Honest]:
    def forecast(self: Honest, observed: Observed) -> Floats:
        values = Honest.forecast(self, observed)
        return np.asarray(change(values))

    return type(name, (Honest,), {"name": name, "forecast": forecast})


narrow = _broken("narrow", lambda values: values[:, 1:])
infinite = _broken("infinite", lambda values: np.where(values == values.max(), np.inf, values))
negative = _broken("negative", lambda values: values - 2 * values[0, 10])
crossing = _broken("crossing", lambda values: values[:, ::-1])
