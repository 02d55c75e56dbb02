"""Deterministic tables for the pages: candles, forecasts, scores, written through the real store."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path
from statistics import NormalDist

import numpy as np
import polars as pl
from synthetic_candles import bars_of, candle_frame
from tiny_vintage import write_vintage

from btc_assets.chances.scores import score_chances
from btc_assets.contracts import (
    BASELINE_FORECASTS,
    BASELINES,
    CHANCE_SCORES,
    FORECAST_SCORES,
    FORECASTS,
    HORIZONS,
    LEVELS,
    MEDIAN,
    MODELS,
    NETWORKS,
    QUANTILES,
    RAW_KLINES,
    VINTAGES_IN_FORCE,
)
from btc_assets.market.calendar import DAY, closes_at
from btc_assets.modeling.features import ENGINEERED_FEATURES, engineer
from btc_assets.scoring.scores import score
from btc_assets.storage.delta.store import DeltaTables
from btc_assets.storage.registry.folder import FolderRegistry
from btc_assets.storage.registry.protocol import VintageId

TODAY = dt.date(2026, 11, 22)
NOW = dt.datetime(2026, 11, 22, 2, 5, tzinfo=dt.UTC)
NEWEST = TODAY - DAY
CANDLES = 1500
"""Days of history: what a forecast needs, and some more to travel back to."""
SYMBOL = "BTCUSDT"
_WIDTH = {
    "mlp": 1.0, "lstm": 1.05, "ensemble": 1.02, "last_close": 0.0, "random_walk": 1.15, "mixture_walk": 1.04,
}  # fmt: skip


def closes(count: int, seed: int = 7) -> np.ndarray:
    """``count`` closes with volatility that clusters, ending near 91,000."""
    rng = np.random.default_rng(seed)
    scale, steps = 0.02, np.empty(count)
    for at in range(count):
        scale = 0.94 * scale + 0.06 * abs(rng.standard_normal()) * 0.03
        steps[at] = rng.standard_t(5) * scale * 0.8
    path = np.exp(np.cumsum(steps))
    return path / path[-1] * 91_234.56


def klines(last: dt.date = NEWEST, count: int = CANDLES, source: str = "binance") -> pl.DataFrame:
    """The ``count`` candles up to ``last``."""
    first = last - dt.timedelta(days=count - 1)
    close = closes(count)
    rng = np.random.default_rng(11)
    opened = np.concatenate([[close[0] * 0.99], close[:-1]])
    spread = np.abs(rng.standard_normal((2, count))) * 0.008
    volume = 20_000 * (1 + rng.random(count))
    days = [first + dt.timedelta(days=at) for at in range(count)]
    high = np.maximum(opened, close) * (1 + spread[0])
    low = np.minimum(opened, close) * (1 - spread[1])
    stored = [closes_at(day) + dt.timedelta(minutes=5) for day in days]
    prices = {"open": opened, "high": high, "low": low, "close": close}
    return candle_frame(SYMBOL, days, volume, **prices, trades=1_000_000, source=source, ingested_at=stored)


def forecasts(
    candles: pl.DataFrame,
    origins: list[dt.date],
    models: tuple[str, ...] = MODELS,
    live_from: dt.date | None = None,
) -> pl.DataFrame:
    """Lognormal fans without drift from each of ``origins``; issued in time from ``live_from`` on."""
    start = dict(zip(candles["date"].to_list(), candles["close"].to_list(), strict=True))
    z = np.array([NormalDist().inv_cdf(level) for level in LEVELS])
    horizons = np.arange(1, HORIZONS + 1)
    parts = []
    for origin in origins:
        for name in models:
            width = (
                0.021
                * _WIDTH[name]
                * np.sqrt(horizons)[:, None]
                * (1 + 0.2 * np.sin(origin.toordinal() / 25))
            )
            prices = start[origin] * np.exp(width * z[None, :])
            prices[:, MEDIAN] = start[origin]
            live = live_from is not None and origin >= live_from
            parts.append(
                pl.DataFrame(
                    {
                        "symbol": SYMBOL,
                        "model": name,
                        "origin_date": origin,
                        "horizon": horizons,
                        "target_date": [origin + dt.timedelta(days=int(h)) for h in horizons],
                        **{column: prices[:, at] for at, column in enumerate(QUANTILES)},
                        "vintage": origin - dt.timedelta(days=origin.toordinal() % 7),
                        "issued_at": closes_at(origin) + dt.timedelta(minutes=6)
                        if live
                        else closes_at(NEWEST),
                    },
                    schema_overrides=dict(FORECASTS.schema),
                ).select(FORECASTS.schema.names())
            )
    return pl.concat(parts) if parts else FORECASTS.empty()


def vintages(origins: list[dt.date], hashes: dict[tuple[str, dt.date], str]) -> pl.DataFrame:
    """A refit every week, some of which were held back."""
    rows = []
    for origin in origins:
        for name in NETWORKS:
            cutoff = week_of(origin)
            held = name == "lstm" and (cutoff.toordinal() // 7) % 5 == 0
            used = cutoff - dt.timedelta(days=7) if held else cutoff
            rows.append(
                {
                    "symbol": SYMBOL,
                    "model": name,
                    "date": origin,
                    "vintage": used,
                    "revision": 0,
                    "manifest_sha256": hashes.get((name, used), "0" * 64),
                    "action": "held_back" if held else "fitted" if cutoff == origin else "carried",
                    "reason": f"{cutoff} held back: worse; {used} stays in force"
                    if held
                    else f"{used}: not clearly worse",
                }
            )
    return pl.DataFrame(rows, schema=VINTAGES_IN_FORCE.schema)


def week_of(origin: dt.date) -> dt.date:
    """The cutoff of the vintage that is fitted in the week of ``origin``."""
    return origin - dt.timedelta(days=origin.toordinal() % 7)


def publish(root: Path | str, origins: list[dt.date]) -> dict[tuple[str, dt.date], str]:
    """A registry with the vintages of the weeks of ``origins`` and one before; their hashes."""
    registry = FolderRegistry(str(root))
    weeks = sorted({week_of(origin) for origin in origins})
    hashes = {}
    with tempfile.TemporaryDirectory() as scratch:
        for cutoff in [weeks[0] - dt.timedelta(days=7), *weeks]:
            for name in NETWORKS:
                folder = Path(scratch) / f"{name}-{cutoff}"
                hashes[name, cutoff] = write_vintage(folder, name, cutoff)
                registry.publish(name, VintageId(cutoff), folder)
    return hashes


def fill(
    root: Path | str, origins: int = 60, live: int = 20, newest: dt.date = NEWEST, source: str = "binance"
) -> DeltaTables:
    """A store with candles to ``newest`` and, from the last ``origins`` days, forecasts, scores and vintages.

    Vintages are in force for twice as many days, so that there are origins to compute forecasts from.
    """
    tables = DeltaTables(str(root))
    candles = klines(newest, source=source)
    tables.upsert(RAW_KLINES, candles)
    tables.upsert(
        ENGINEERED_FEATURES, engineer({RAW_KLINES.name: candles, "raw_klines_4h": bars_of(candles)})
    )
    if not origins:
        return tables
    days = [newest - dt.timedelta(days=back) for back in range(2 * origins - 1, -1, -1)]
    live_from = newest - dt.timedelta(days=live - 1)
    issued = forecasts(candles, days[origins:], live_from=live_from)
    baselines = forecasts(candles, days[origins:], BASELINES, live_from)
    tables.upsert(FORECASTS, issued)
    tables.upsert(BASELINE_FORECASTS, baselines)
    tables.upsert(FORECAST_SCORES, score(pl.concat([issued, baselines]), candles))
    tables.upsert(CHANCE_SCORES, score_chances(issued.filter(model="ensemble"), candles))
    tables.upsert(VINTAGES_IN_FORCE, vintages(days, publish(root, days)))
    return tables
