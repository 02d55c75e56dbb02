"""The local store, measured: what a day and a history cost, what the hashes cost, and how it grows.

Ratios are within this run, against the same rows written and read by deltalake and polars directly.
"""

from __future__ import annotations

import datetime as dt
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from deltalake import write_deltalake

from btc_assets.contracts import FORECASTS, MODELS, QUANTILES, RAW_KLINES
from btc_assets.io.files import file_sha256
from btc_assets.market.calendar import DAY, FIRST_DAY
from btc_assets.storage.delta.data_files import LocalFolder
from btc_assets.storage.delta.store import DeltaTables

Row = tuple[str, str, str]
ORIGINS = 2_780
NOON = dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC)


def run() -> list[Row]:
    """Every measurement, as rows of a table."""
    with tempfile.TemporaryDirectory() as scratch:
        return [
            *candles(Path(scratch) / "candles"),
            *history(Path(scratch) / "forecasts"),
            *growth(Path(scratch) / "growth"),
            *years(Path(scratch) / "years"),
        ]


def candles(root: Path) -> list[Row]:
    """3,000 candles at once, then a day at a time, against deltalake alone."""
    ours, bare = DeltaTables(str(root / "ours")), str(root / "bare")
    ours.upsert(RAW_KLINES, candle_rows(-900, 1))
    rows = candle_rows(0, 3_000)
    all_at_once = seconds(lambda: ours.upsert(RAW_KLINES, rows))
    write_deltalake(bare, rows)
    daily = median(lambda n: ours.upsert(RAW_KLINES, candle_rows(3_000 + n, 1)))
    direct = median(lambda n: write_deltalake(bare, candle_rows(3_000 + n, 1), mode="append"))
    again = median(lambda n: ours.upsert(RAW_KLINES, candle_rows(3_000 + n, 1)))
    return [
        ("raw_klines: 3,000 days in one commit", ms(all_at_once), "30 ms"),
        ("raw_klines: one new day", f"{ms(daily)}, {daily / direct:.1f} x deltalake's append", ""),
        ("raw_klines: the same day again, nothing to write", ms(again), ""),
    ]


def history(root: Path) -> list[Row]:
    """The whole forecast table: written, read, one day changed; and what hashing adds."""
    tables, bare = DeltaTables(str(root / "ours")), str(root / "bare")
    rows = forecast_rows(0, ORIGINS)
    write = seconds(lambda: tables.upsert(FORECASTS, rows))
    direct = seconds(lambda: write_deltalake(bare, rows))
    LocalFolder._verified.clear()
    first_read = seconds(lambda: tables.read(FORECASTS))
    read = median(lambda _: tables.read(FORECASTS), 3)
    scan = median(lambda _: pl.scan_delta(bare).collect().sort(FORECASTS.key), 3)
    middle = FIRST_DAY + 1_000 * DAY
    day = median(lambda _: tables.read(FORECASTS, start=middle, end=middle + DAY))
    restated = forecast_rows(1_000, 1).with_columns(q500=pl.lit(1.0))
    change = seconds(lambda: tables.upsert(FORECASTS, restated))
    size = f"{rows.height:,} forecasts"
    return [
        (f"{size}: written", f"{write:.2f} s, {write / direct:.1f} x deltalake", ""),
        (f"{size}: read", f"{read:.2f} s, {read / scan:.1f} x polars.scan_delta and the same sort", ""),
        (f"{size}: hashing all files, once a process", ms(first_read - read), ""),
        (f"{size}: one day read", ms(day), ""),
        (f"{size}: one old day replaced", ms(change), ""),
        ("hashing what a daily run reads (one file)", ms(hash_cost(tables)), ""),
    ]


def hash_cost(tables: DeltaTables) -> float:
    """Seconds to hash the newest forecasts' file, which is what a day's run opens."""
    newest = max(Path(tables.root, "tables", "forecasts").glob("*.parquet"))
    return median(lambda _: file_sha256(newest))


def growth(root: Path) -> list[Row]:
    """A day's write and read in a table of 1, 10 and 100 symbols: linear or better."""
    found: list[tuple[float, float]] = []
    for symbols in (1, 10, 100):
        tables = DeltaTables(str(root / str(symbols)))
        tables.upsert(RAW_KLINES, candle_rows(0, 3_000, symbols))
        write = median(lambda n, t=tables, s=symbols: t.upsert(RAW_KLINES, candle_rows(3_000 + n, 1, s)))
        end = FIRST_DAY + 3_000 * DAY
        read = median(lambda _, t=tables, e=end: t.read(RAW_KLINES, start=e - DAY, end=e))
        found.append((write, read))
    (w1, r1), (w10, r10), (w100, r100) = found
    return [
        (
            "a day's write at 10 x and 100 x the rows",
            f"{w10 / w1:.1f} x, {w100 / w1:.1f} x",
            "<= 10 x, 100 x",
        ),
        ("a day's read at 10 x and 100 x the rows", f"{r10 / r1:.1f} x, {r100 / r1:.1f} x", "<= 10 x, 100 x"),
    ]


def years(root: Path, days: int = 730) -> list[Row]:
    """Two years of daily writes: whether the last are as quick as the first, and what they leave."""
    tables = DeltaTables(str(root))
    times = [seconds(lambda n=n: tables.upsert(RAW_KLINES, candle_rows(n, 1))) for n in range(days)]
    early, late = statistics.median(times[20:120]), statistics.median(times[-100:])
    files = len(tables._log(RAW_KLINES).open().files)
    size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    return [
        (f"{days} daily writes: last 100 against first", f"{late / early:.2f} x", "<= 1.5 x"),
        (f"{days} daily writes: files in the table", str(files), "<= 60"),
        (f"{days} daily writes: on disk, all versions", f"{size / 2**20:.0f} MB", ""),
    ]


def candle_rows(first: int, count: int, symbols: int = 1) -> pl.DataFrame:
    """Made-up candles of ``count`` days and several symbols."""
    noise = np.random.default_rng(abs(first)).lognormal(10, 0.1, (count * symbols, 8))
    days = [FIRST_DAY + (first + n) * DAY for n in range(count)]
    frame = pl.DataFrame({"date": days}).join(
        pl.DataFrame({"symbol": [f"S{n:03}" for n in range(symbols)]}), how="cross"
    )
    numbers = ["open", "high", "low", "close", "volume", "quote_volume", "taker_buy_base", "taker_buy_quote"]
    values = {name: noise[:, n] for n, name in enumerate(numbers)}
    fixed = {"source": "simulated", "trades": 1, "open_time": NOON, "close_time": NOON, "ingested_at": NOON}
    frame = frame.with_columns(**{k: pl.Series(v) for k, v in values.items()})
    frame = frame.with_columns(**{k: pl.lit(v) for k, v in fixed.items()})
    return frame.select(pl.col(name).cast(dtype) for name, dtype in RAW_KLINES.schema.items())


def forecast_rows(first: int, count: int) -> pl.DataFrame:
    """Made-up forecasts of three models and 90 horizons from ``count`` origins."""
    frame = pl.DataFrame({"origin_date": [FIRST_DAY + (first + n) * DAY for n in range(count)]})
    frame = frame.join(pl.DataFrame({"model": list(MODELS)}), how="cross")
    frame = frame.join(pl.DataFrame({"horizon": range(1, 91)}), how="cross")
    noise = np.random.default_rng(first).lognormal(10, 0.1, (frame.height, len(QUANTILES)))
    noise.sort(axis=1)
    frame = frame.with_columns(
        symbol=pl.lit("BTCUSDT"),
        target_date=pl.col("origin_date") + pl.duration(days=pl.col("horizon")),
        vintage=pl.lit(FIRST_DAY),
        issued_at=pl.lit(NOON),
        **{name: pl.Series(noise[:, n]) for n, name in enumerate(QUANTILES)},
    )
    return frame.select(pl.col(name).cast(dtype) for name, dtype in FORECASTS.schema.items())


def seconds(work: Callable[[], object]) -> float:
    """How long ``work`` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def median(work: Callable[[int], object], times: int = 9) -> float:
    """The middle of ``times`` runs of ``work``, which is told which run it is."""
    return statistics.median(seconds(lambda n=n: work(n)) for n in range(times))


def ms(value: float) -> str:
    """Seconds as milliseconds, for people."""
    return f"{value * 1e3:.1f} ms"
