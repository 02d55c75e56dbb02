"""Ask the arena's forecasters from past origins of real candles, and print their CRPS over the random walk's.

    python -m benchmarks.arena_skill --klines raw_klines.parquet --from 2023-01-01 --to 2025-05-31 \\
        --every 9 --out arena.parquet

``--klines`` is what ``btc export raw_klines`` writes; ``--out`` gets the forecasts. Origins 7
or 14 days apart would all be of one weekday.
"""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path

import polars as pl

from btc_assets.contracts import UTC_US
from btc_assets.forecasters.arena import Arena, forecasts_frame
from btc_assets.forecasters.discovery import chosen
from btc_assets.forecasters.market_data import MarketData
from btc_assets.market.calendar import DAY, days
from btc_assets.modeling.baselines import baseline_forecasts
from btc_assets.scoring.scores import first_issued, score

HORIZONS = 30
"""Days ahead that the mean is over."""


def main() -> None:
    """Parse the command line, ask, write, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--klines", type=Path, required=True)
    parser.add_argument("--from", dest="start", type=dt.date.fromisoformat, required=True)
    parser.add_argument("--to", dest="end", type=dt.date.fromisoformat, required=True)
    parser.add_argument("--every", type=int, default=9)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    klines = pl.read_parquet(arguments.klines)
    origins = list(days(arguments.start, arguments.end + DAY))[:: arguments.every]
    attempts = Arena(MarketData(klines), {}).compete(chosen("all"), origins)
    for attempt in attempts:
        if not attempt.ok:
            print(f"{attempt.model} {attempt.origin}: {attempt.result.outcome}, {attempt.result.reason}")
    symbol, now = str(klines["symbol"][0]), pl.lit(dt.datetime.now(dt.UTC)).cast(UTC_US)
    asked = first_issued(forecasts_frame(symbol, attempts).with_columns(issued_at=now))
    baselines = baseline_forecasts(klines, origins).with_columns(issued_at=now)
    made = pl.concat([asked, baselines.select(asked.columns)]).filter(pl.col("horizon") <= HORIZONS)
    made.write_parquet(arguments.out)
    print(f"{len(origins)} origins")
    with pl.Config(tbl_rows=-1):
        print(ratios(score(made, klines)))


def ratios(scores: pl.DataFrame) -> pl.DataFrame:
    """Return by model the CRPS over the random walk's at 1 and 7 days and in the mean, and coverage."""
    each = scores.group_by("model", "horizon").agg(
        ratio=pl.col("pinball").sum() / pl.col("pinball_random_walk").sum(), inside=pl.col("inside_80").mean()
    )
    one, week = (pl.col("ratio").filter(pl.col("horizon") == h).first() for h in (1, 7))
    return (
        each.group_by("model")
        .agg(one.alias("+1"), week.alias("+7"), pl.col("ratio").mean().alias("mean"), pl.col("inside").mean())
        .sort("mean")
    )


if __name__ == "__main__":
    main()
