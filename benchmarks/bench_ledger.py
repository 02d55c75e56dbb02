"""The ledger, measured: ``python -m benchmarks.bench_ledger``.

A store with 3,400 issued days of 270 rows. What the record adds to a daily run (Dagster's whole job for a
day, models carried), what the daily check costs, and what verifying, exporting and checking all of it takes.
"""

from __future__ import annotations

import datetime as dt
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl

from btc_assets.chances.scores import score_chances
from btc_assets.contracts import (
    BASELINE_FORECASTS,
    CHANCE_SCORES,
    FORECAST_SCORES,
    FORECASTS,
    HORIZONS,
    MODELS,
    NETWORKS,
    QUANTILES,
    RAW_KLINES,
    RAW_KLINES_4H,
    UTC_US,
    VINTAGES_IN_FORCE,
)
from btc_assets.defs.resources import Platform
from btc_assets.ledger import issue as issuing
from btc_assets.ledger.clock import Clock
from btc_assets.ledger.inputs import read_inputs
from btc_assets.ledger.proof import export_proof
from btc_assets.ledger.verification.verify import verify
from btc_assets.market.calendar import DAY, FIRST_DAY, FOUR_HOURS, days, last_closed_day
from btc_assets.market.sources.simulated import Simulated
from btc_assets.modeling.baselines import MIN_HISTORY, baseline_forecasts
from btc_assets.modeling.features import ENGINEERED_FEATURES, engineer
from btc_assets.modeling.vintages import grid_cutoff
from btc_assets.scoring.scores import score, with_live_hours
from btc_assets.series import BARS, CANDLES
from btc_assets.storage.bitemporal import klines_frame, store_candles
from btc_assets.storage.delta.store import DeltaTables
from btc_assets.storage.registry.protocol import ModelRef, VintageId

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests" / "support"))

Row = tuple[str, str, str]
"""What, measured, aim."""

SYMBOL = "BTCUSDT"
DAILY_RUNS = 5
REFIT_EVERY = 7


def run() -> list[Row]:
    """Every measurement, as rows of a table."""
    newest = last_closed_day(dt.datetime.now(dt.UTC)) - DAILY_RUNS * DAY
    with tempfile.TemporaryDirectory() as scratch:
        platform = Platform(overrides={"data_dir": scratch, "source": "simulated"})
        origins = list(days(newest - 3399 * DAY, newest + DAY))
        rows = [("issue 3,400 origins at once, with their records", f"{fill(platform, origins):.1f} s", "")]
        rows += daily(platform, newest)
        fill_scores(platform, origins)
        rows += whole(platform, Path(scratch))
    return rows


def fill(platform: Platform, origins: list[dt.date]) -> float:
    """Candles, features, vintages on the refit grid, and a forecast of every origin, issued in one call.

    Returns the seconds of that call.
    """
    first = min(FIRST_DAY, origins[0])
    market, end, now = Simulated(), origins[-1] + DAY, platform.now()
    candles = klines_frame(market.klines(SYMBOL, first, end), now)
    bars = klines_frame(market.klines(SYMBOL, first, end, FOUR_HOURS), now, RAW_KLINES_4H)
    candles = lengthened(candles, origins[0] - MIN_HISTORY * DAY)
    store_candles(platform.tables, candles, platform.now())
    store_candles(platform.tables, bars, platform.now(), BARS)
    platform.tables.ensure_table(ENGINEERED_FEATURES)
    platform.tables.upsert(ENGINEERED_FEATURES, engineer({CANDLES.name: candles, BARS.name: bars}))
    refs = publish_vintages(platform, origins)
    in_force = [
        {"symbol": SYMBOL, "model": ref.name, "date": origin, "vintage": ref.vintage.cutoff}
        | {"revision": 0, "manifest_sha256": ref.manifest_sha256, "action": "carried", "reason": "in force"}
        for origin in origins
        for ref in refs[grid_cutoff(origin, REFIT_EVERY)]
    ]
    platform.tables.upsert(VINTAGES_IN_FORCE, pl.DataFrame(in_force, schema=VINTAGES_IN_FORCE.schema))
    inputs = read_inputs(platform.tables, ENGINEERED_FEATURES, SYMBOL, origins, "bench", {})
    clock = Clock.read(platform.source)
    rows = synthetic(origins)
    began = time.perf_counter()
    issuing.issue(platform.tables, platform.registry, rows, inputs, clock)
    return time.perf_counter() - began


def fill_scores(platform: Platform, origins: list[dt.date]) -> None:
    """Baselines, scores and answers."""
    tables, klines = platform.tables, platform.tables.read(RAW_KLINES)
    issued_at = pl.lit(platform.now()).cast(UTC_US)
    tables.upsert(BASELINE_FORECASTS, baseline_forecasts(klines, origins).with_columns(issued_at=issued_at))
    networks = tables.read(FORECASTS)
    everything = pl.concat([networks, tables.read(BASELINE_FORECASTS)])
    tables.upsert(FORECAST_SCORES, score(everything, klines))
    for _, year in with_live_hours(networks, {}).group_by(pl.col("origin_date").dt.year()):
        tables.upsert(CHANCE_SCORES, score_chances(year, klines))


def lengthened(candles: pl.DataFrame, first: dt.date) -> pl.DataFrame:
    """``candles`` with copies of its first days before them, back to ``first``."""
    lacking = (candles["date"][0] - first).days
    if lacking <= 0:
        return candles
    shift = dt.timedelta(days=lacking)
    earlier = candles.head(lacking).with_columns(pl.col("date", "open_time", "close_time") - shift)
    return pl.concat([earlier, candles])


def publish_vintages(platform: Platform, origins: list[dt.date]) -> dict[dt.date, list[ModelRef]]:
    """Small vintages on the whole refit grid, by cutoff, so that the daily runs fit none."""
    from tiny_vintage import write_vintage

    last = origins[-1] + DAILY_RUNS * DAY
    found: dict[dt.date, list[ModelRef]] = {}
    for cutoff in {grid_cutoff(day, REFIT_EVERY) for day in days(origins[0], last + DAY)}:
        for kind in NETWORKS:
            with tempfile.TemporaryDirectory() as scratch:
                write_vintage(Path(scratch), kind, cutoff)
                ref = platform.registry.publish(kind, VintageId(cutoff), Path(scratch))
                found.setdefault(cutoff, []).append(ref)
    return found


def synthetic(origins: list[dt.date]) -> pl.DataFrame:
    """Forecast rows of every model and horizon from ``origins``; the numbers mean nothing."""
    grid = pl.DataFrame({"origin_date": origins}).join(pl.DataFrame({"model": MODELS}), how="cross")
    grid = grid.join(
        pl.DataFrame({"horizon": pl.Series(range(1, HORIZONS + 1), dtype=pl.Int16)}), how="cross"
    )
    base = pl.Series(np.random.default_rng(0).uniform(1e4, 1e5, grid.height))
    return grid.with_columns(
        symbol=pl.lit(SYMBOL),
        target_date=pl.col("origin_date") + pl.duration(days="horizon"),
        vintage=pl.col("origin_date").replace_strict({o: grid_cutoff(o, REFIT_EVERY) for o in origins}),
        **{q: base * (1 + i / 100) for i, q in enumerate(QUANTILES)},
    )


def daily(platform: Platform, newest: dt.date) -> list[Row]:
    """What the record costs of a day's run: issuing without the write of the rows themselves."""
    import btc_assets.defs.assets.forecasts as asset
    from btc_assets.definitions import defs
    from btc_assets.defs.checks import ledger as checking

    job, spent = defs.resolve_job_def("daily_partition"), Spent()
    runs = []
    patches = [(asset, "issue"), (checking, "verify"), (DeltaTables, "upsert")]
    with spent.timing(patches):
        for n in range(1, DAILY_RUNS + 1):
            began = time.perf_counter()
            done = job.execute_in_process(
                partition_key=str(newest + n * DAY),
                resources={"platform": platform},
                instance=dg.DagsterInstance.ephemeral(),
            )
            assert done.success
            runs.append(time.perf_counter() - began)
    whole_run = statistics.median(runs)
    record = statistics.median(spent.of("issue", DAILY_RUNS)) - statistics.median(
        spent.of(FORECASTS.name, DAILY_RUNS)
    )
    check = statistics.median(spent.of("verify", DAILY_RUNS))
    return [
        ("a day's run", f"{whole_run * 1e3:.0f} ms", ""),
        ("of it the record", f"{record * 1e3:.0f} ms = {record / whole_run:.1%}", "<= 5 %"),
        ("of it the check of the newest 30 records", f"{check * 1e3:.0f} ms = {check / whole_run:.1%}", ""),
    ]


class Spent:
    """Seconds spent in functions, by name; writes by the table they go to."""

    def __init__(self) -> None:
        self._calls: list[tuple[str, float]] = []

    def of(self, name: str, newest: int) -> list[float]:
        """The last ``newest`` calls of ``name``."""
        return [seconds for called, seconds in self._calls if called == name][-newest:]

    @contextmanager
    def timing(self, places: list[tuple[Any, str]]) -> Iterator[None]:
        """Time the functions at ``places`` (where they are looked up, and their name) meanwhile."""
        kept = [(place, name, getattr(place, name)) for place, name in places]
        for place, name, function in kept:
            setattr(place, name, self._timed(name, function))
        try:
            yield
        finally:
            for place, name, function in kept:
                setattr(place, name, function)

    def _timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                called = arguments[1].name if name == "upsert" else name
                self._calls.append((called, time.perf_counter() - began))

        return timed


def whole(platform: Platform, scratch: Path) -> list[Row]:
    """Verify, export and check the whole history, each in a process of its own or as if it were."""
    command = [sys.executable, "-c", "from btc_assets.cli import main; main()", "verify"]
    environment = {"BTC_DATA_DIR": str(scratch), "BTC_SOURCE": "simulated", "PATH": "/usr/bin:/bin"}
    began = time.perf_counter()
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    process = time.perf_counter() - began
    began = time.process_time()
    report = verify(platform.tables, platform.registry, SYMBOL, features=ENGINEERED_FEATURES)
    without = time.process_time() - began
    began = time.process_time()
    report = verify(platform.tables, platform.registry, SYMBOL, features=ENGINEERED_FEATURES, scores=True)
    processor = time.process_time() - began
    assert report.ok, report.line()
    began = time.perf_counter()
    proof = export_proof(platform.tables, platform.registry, SYMBOL, scratch / "proof")
    exported = time.perf_counter() - began
    size = sum(path.stat().st_size for path in proof.rglob("*") if path.is_file()) / 1e6
    began = time.perf_counter()
    subprocess.run([sys.executable, "-I", proof / "verify_proof.py"], check=True, stdout=subprocess.DEVNULL)
    checked = time.perf_counter() - began
    return [
        (f"verify {report.records:,} records, {report.rows:,} rows, processor time", f"{without:.1f} s", ""),
        (f"with {report.scored or 0:,} scores, processor time", f"{processor:.1f} s", ""),
        ("`btc verify`, the whole process", f"{process:.1f} s", "<= 10 s"),
        (f"export the proof ({size:.0f} MB)", f"{exported:.1f} s", ""),
        ("check it with the stand-alone script", f"{checked:.1f} s", ""),
    ]


def main() -> None:
    """Print the table."""
    for what, measured, aim in run():
        print(f"{what:<60} {measured:>20}   {aim}")


if __name__ == "__main__":
    main()
