"""Made-up rows of FORECAST_SCORES: losses of several models around the random walk's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from btc_assets.contracts import FORECAST_SCORES
from btc_assets.market.calendar import DAY

FIRST = dt.date(2025, 1, 1)


def origins(count: int, first: dt.date = FIRST) -> list[dt.date]:
    """``count`` days from ``first`` on."""
    return [first + n * DAY for n in range(count)]


def score_rows(
    models: Mapping[str, float], days: Sequence[dt.date], horizons: Sequence[int] = (1,), seed: int = 0
) -> pl.DataFrame:
    """Scores of ``models`` from ``days``: each loses its factor times the walk's, give or take a fifth.

    A row depends on its model, origin and horizon alone, so that frames of other models or days agree.
    """
    rows = []
    for model, factor in models.items():
        for day in days:
            noise = np.random.default_rng([seed, day.toordinal(), *model.encode()])
            for horizon in horizons:
                walk = float(np.random.default_rng([seed, day.toordinal(), horizon]).gamma(2.0)) * 0.01
                rows.append(
                    {
                        "symbol": "BTCUSDT", "model": model, "origin_date": day, "horizon": horizon,
                        "target_date": day + horizon * DAY, "close": 1.0, "absolute_error": 1.0,
                        "absolute_percentage_error": 0.01, "naive_absolute_error": 1.0,
                        "pinball": walk * (factor + (0.2 * noise.standard_normal() if factor != 1 else 0.0)),
                        "pinball_random_walk": walk, "pit": 0.5, "live": False,
                        **{f"inside_{p}": bool(noise.random() < p / 100) for p in (50, 80, 90, 95)},
                    }
                )  # fmt: skip
    return pl.DataFrame(rows, schema=FORECAST_SCORES.schema)
