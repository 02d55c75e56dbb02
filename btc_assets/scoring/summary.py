"""The table that sums up a backtest: each model beside the baselines, at each horizon and in the mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from btc_assets.contracts import FORECAST_SCORES
from btc_assets.errors import ModelError
from btc_assets.statistics.metrics import Floats
from btc_assets.statistics.significance import diebold_mariano

SHOWN = (1, 3, 7, 14, 30)
"""Horizons that the printed table names; all up to ``MOST`` enter the mean."""

MOST = 30

COVERAGES = (50, 80, 90, 95)


def by_horizon(scores: pl.DataFrame, most: int = MOST) -> pl.DataFrame:
    """One row a model and horizon: ratios to the random walk, MAE to the last close, coverage.

    ``scores`` follow FORECAST_SCORES. Columns: model, horizon, n, crps, crps_ratio (mean loss over the
    random walk's on the same origins), relative_mae, mape, cover_50, cover_80, cover_90, cover_95 (shares).
    """
    _require(scores)
    return (
        scores.filter(pl.col("horizon") <= most)
        .group_by("model", "horizon")
        .agg(
            pl.len().alias("n"),
            (2 * pl.col("pinball").mean()).alias("crps"),
            (pl.col("pinball").mean() / pl.col("pinball_random_walk").mean()).alias("crps_ratio"),
            (pl.col("absolute_error").mean() / pl.col("naive_absolute_error").mean()).alias("relative_mae"),
            pl.col("absolute_percentage_error").mean().alias("mape"),
            *(pl.col(f"inside_{c}").mean().alias(f"cover_{c}") for c in COVERAGES),
        )
        .sort("model", "horizon")
    )


def overall(scores: pl.DataFrame, reference: str, most: int = MOST) -> pl.DataFrame:
    """One row a model: means over horizons, and the test against ``reference`` on all horizons together.

    Adds to the means of ``by_horizon``: statistic and p (two-sided, Newey-West with lag ``most`` - 1, normal,
    as is usual; ``p_small`` with the small-sample correction). Null where it is the reference itself.
    """
    table = by_horizon(scores, most)
    columns = ["crps_ratio", "relative_mae", "mape", *(f"cover_{c}" for c in COVERAGES)]
    means = table.group_by("model").agg(pl.col("n").max(), *(pl.col(c).mean() for c in columns)).sort("model")
    tests = [{"model": m} | _overall_test(scores, m, reference, most) for m in means["model"].to_list()]
    schema = {"model": pl.String, "statistic": pl.Float64, "p": pl.Float64, "p_small": pl.Float64}
    return means.join(pl.DataFrame(tests, schema=schema), on="model", how="left")


def against(scores: pl.DataFrame, model: str, reference: str, horizon: int) -> dict[str, float | None]:
    """The test of ``model`` against ``reference`` at one horizon: statistic, p, p_small (None: no test)."""
    if model == reference:
        return {"statistic": None, "p": None, "p_small": None}
    pair = _pairs(scores, model, reference).filter(pl.col("horizon") == horizon)
    difference = 2 * (pair["pinball"] - pair["pinball_reference"]).to_numpy()
    return _tests(difference / (2 * pair["pinball_random_walk"].to_numpy().mean()), horizon - 1)


def render(scores: pl.DataFrame, reference: str = "mixture_walk", shown: Sequence[int] = SHOWN) -> str:
    """The table as plain text, one line a model, ending with whether it beats the reference."""
    table, total = by_horizon(scores), overall(scores, reference)
    shown = [h for h in shown if h in set(table["horizon"].to_list())]
    head = f"{'model':<14}" + "".join(f"{f'h={h}':>9}" for h in shown) + f"{'mean':>9}  {'MAE':>6}"
    head += "".join(f"{f'{c} %':>7}" for c in COVERAGES) + f"   against {reference}"
    first, last = str(scores["origin_date"].min()), str(scores["origin_date"].max())
    lines = [f"CRPS as a ratio to the random walk; origins {first} to {last}", head, "-" * len(head)]
    for row in total.sort("crps_ratio").iter_rows(named=True):
        mine = table.filter(pl.col("model") == row["model"])
        ratios = dict(zip(mine["horizon"].to_list(), mine["crps_ratio"].to_list(), strict=True))
        line = f"{row['model']:<14}" + "".join(
            f"{ratios[h]:>9.4f}" if h in ratios else " " * 9 for h in shown
        )
        line += f"{row['crps_ratio']:>9.4f}  {row['relative_mae']:>6.4f}"
        line += "".join(f"{100 * row[f'cover_{c}']:>7.1f}" for c in COVERAGES)
        lines.append(f"{line}   {verdict(row['model'], reference, row['statistic'], row['p'])}")
    return "\n".join(lines)


def verdict(model: str, reference: str, statistic: float | None, p: float | None) -> str:
    """In words whether ``model`` is better than ``reference``, at the 5 % level."""
    if model == reference:
        return "reference"
    if statistic is None or p is None:
        return "too few origins to tell"
    if p >= 0.05:
        return f"no better than {reference} (p = {p:.3f})"
    return f"{'better' if statistic < 0 else 'worse'} than {reference} (p = {p:.3f})"


def _overall_test(scores: pl.DataFrame, model: str, reference: str, most: int) -> dict[str, float | None]:
    if model == reference:
        return {"statistic": None, "p": None, "p_small": None}
    pairs = _pairs(scores, model, reference).filter(pl.col("horizon") <= most)
    count = pairs["horizon"].n_unique()
    whole = pairs.group_by("origin_date").agg(pl.len()).filter(pl.col("len") == count)["origin_date"]
    pairs = pairs.filter(pl.col("origin_date").is_in(whole.implode()))
    if pairs.height == 0:
        return {"statistic": None, "p": None, "p_small": None}
    scaled = pairs.with_columns(
        (
            (pl.col("pinball") - pl.col("pinball_reference"))
            / pl.col("pinball_random_walk").mean().over("horizon")
        ).alias("difference")
    )
    means = scaled.group_by("origin_date").agg(pl.col("difference").mean()).sort("origin_date")
    return _tests(means["difference"].to_numpy(), int(pairs["horizon"].max()) - 1)  # type: ignore[arg-type]


def _tests(difference: Floats, lag: int) -> dict[str, float | None]:
    plain = diebold_mariano(np.ascontiguousarray(difference), lag, small_sample=False)
    small = diebold_mariano(np.ascontiguousarray(difference), lag)
    return {
        "statistic": plain.statistic if plain else None,
        "p": plain.p_two_sided if plain else None,
        "p_small": small.p_two_sided if small else None,
    }


def _pairs(scores: pl.DataFrame, model: str, reference: str) -> pl.DataFrame:
    """Rows of ``model`` beside the loss of ``reference`` at the same origin and horizon, by origin."""
    key = ["symbol", "origin_date", "horizon"]
    mine = scores.filter(pl.col("model") == model)
    other = scores.filter(pl.col("model") == reference).select(*key, pinball_reference="pinball")
    if other.height == 0:
        raise ModelError(f"no scores of the reference {reference}; score the baselines as well")
    return mine.join(other, on=key, how="inner").sort("origin_date", "horizon")


def _require(scores: pl.DataFrame) -> None:
    missing = [c for c in FORECAST_SCORES.schema if c not in scores.columns]
    if missing or scores.height == 0:
        raise ModelError(f"no scores to sum up (columns missing: {missing}); materialise forecast_scores")
