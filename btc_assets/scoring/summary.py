"""The table that sums up a backtest: each model beside the baselines, at each horizon and in the mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from btc_assets.contracts import FORECAST_SCORES
from btc_assets.errors import ModelError
from btc_assets.scoring.drift import measure_drift
from btc_assets.statistics.comparison import INDEPENDENT, Comparison, compare_losses, format_p

SHOWN = (1, 3, 7, 14, 30)
"""Horizons that the printed table names; all up to ``MOST`` enter the mean."""

FAR = (45, 60, 90)
"""Horizons of the second table, with the number of outcomes that do not overlap."""

MOST = 30

COVERAGES = (50, 80, 90, 95)


def by_horizon(scores: pl.DataFrame, most: int = MOST) -> pl.DataFrame:
    """Return one row a model and horizon: ratios to the random walk, MAE to the last close, coverage.

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


def overall(scores: pl.DataFrame, most: int = MOST) -> pl.DataFrame:
    """Return one row a model: the means over horizons of what ``by_horizon`` has."""
    table = by_horizon(scores, most)
    columns = ["crps_ratio", "relative_mae", "mape", *(f"cover_{c}" for c in COVERAGES)]
    return table.group_by("model").agg(pl.col("n").max(), *(pl.col(c).mean() for c in columns)).sort("model")


def against(scores: pl.DataFrame, model: str, reference: str, horizon: int) -> Comparison:
    """Compare ``model`` with ``reference`` at one horizon.

    Raises:
        ModelError: there are no scores of the reference.
    """
    pair = _pairs(scores, model, reference).filter(pl.col("horizon") == horizon)
    return compare_losses(pair["pinball"].to_numpy(), pair["pinball_reference"].to_numpy(), horizon)


def against_overall(scores: pl.DataFrame, model: str, reference: str, most: int = MOST) -> Comparison:
    """Compare ``model`` with ``reference`` over all horizons up to ``most`` together.

    Each origin's loss is the mean over horizons, each horizon's in units of the random walk's mean loss;
    only origins that have all horizons count.

    Raises:
        ModelError: there are no scores of the reference.
    """
    pairs = _pairs(scores, model, reference).filter(pl.col("horizon") <= most)
    if pairs.is_empty():
        return compare_losses(np.empty(0), np.empty(0), most)
    count, longest = pairs["horizon"].n_unique(), int(pairs.select(pl.col("horizon").max()).item())
    whole = pairs.filter(pl.len().over("origin_date") == count)
    means = over_horizons(whole, ["pinball", "pinball_reference"], ["origin_date"]).sort("origin_date")
    return compare_losses(means["pinball"].to_numpy(), means["pinball_reference"].to_numpy(), longest)


def over_horizons(rows: pl.DataFrame, losses: list[str], by: list[str]) -> pl.DataFrame:
    """Average ``losses`` over the horizons of each group, each horizon in units of the random walk's mean."""
    scale = pl.col("pinball_random_walk").mean().over("horizon")
    return rows.with_columns(pl.col(losses) / scale).group_by(by).agg(pl.col(losses).mean())


def name_width(models: Iterable[str]) -> int:
    """Return the characters of a table's first column: the longest name, and two blanks."""
    return max(14, *(len(name) + 2 for name in models))


def render(scores: pl.DataFrame, reference: str = "mixture_walk", shown: Sequence[int] = SHOWN) -> str:
    """Write the table as plain text, one line a model: ratios, coverage, drift, and the comparison."""
    table, total = by_horizon(scores), overall(scores)
    shown = [h for h in shown if h in set(table["horizon"].to_list())]
    wide = name_width(total["model"].to_list())
    head = f"{'model':<{wide}}" + "".join(f"{f'h={h}':>9}" for h in shown) + f"{'mean':>9}  {'MAE':>6}"
    head += "".join(f"{f'{c} %':>7}" for c in COVERAGES) + f"   {'drift, h=1':<16}against {reference}"
    first, last = str(scores["origin_date"].min()), str(scores["origin_date"].max())
    lines = [f"CRPS as a ratio to the random walk; origins {first} to {last}", head, "-" * len(head)]
    for row in total.sort("crps_ratio").iter_rows(named=True):
        mine = table.filter(pl.col("model") == row["model"])
        ratios = dict(zip(mine["horizon"].to_list(), mine["crps_ratio"].to_list(), strict=True))
        line = f"{row['model']:<{wide}}" + "".join(
            f"{ratios[h]:>9.4f}" if h in ratios else " " * 9 for h in shown
        )
        line += f"{row['crps_ratio']:>9.4f}  {row['relative_mae']:>6.4f}"
        line += "".join(f"{100 * row[f'cover_{c}']:>7.1f}" for c in COVERAGES)
        nearest = scores.filter((pl.col("model") == row["model"]) & (pl.col("horizon") == 1))
        line += f"   {measure_drift(nearest, 1).verdict:<16}"
        against_all = against_overall(scores, row["model"], reference)
        lines.append(line + _beside(against_all, row["model"], reference))
    return "\n".join([*lines, *_far(scores, reference)])


def _far(scores: pl.DataFrame, reference: str) -> list[str]:
    """Write one line a model and horizon of ``FAR`` that was scored."""
    table = by_horizon(scores, max(FAR)).filter(pl.col("horizon").is_in(FAR)).sort("horizon", "crps_ratio")
    if table.is_empty():
        return []
    wide = name_width(table["model"].to_list())
    head = f"{'model':<{wide}}{'days':>5}{'CRPS':>9}{'80 %':>7}{'95 %':>7}{'origins':>9}{'independent':>13}"
    head += f"  against {reference}"
    lines = [
        "",
        "Further ahead; independent: how many outcomes do not overlap",
        head,
        "-" * len(head),
    ]
    for row in table.iter_rows(named=True):
        model, horizon = row["model"], row["horizon"]
        found = _beside(against(scores, model, reference, horizon), model, reference)
        lines.append(
            f"{model:<{wide}}{horizon:>5}{row['crps_ratio']:>9.4f}{100 * row['cover_80']:>7.1f}"
            f"{100 * row['cover_95']:>7.1f}{row['n']:>9,}{row['n'] // horizon:>13}  {found}"
        )
    return lines


def _beside(found: Comparison, model: str, reference: str) -> str:
    return "reference" if model == reference else comparison_in_words(found, reference)


def comparison_in_words(found: Comparison, reference: str) -> str:
    """Write a comparison with ``reference`` in words."""
    if found.verdict == "too few to tell":
        return f"too few to tell: {found.independent} independent origins, {INDEPENDENT} are needed"
    if found.verdict == "equal by design":
        return f"equal by design to {reference}"
    return f"{found.verdict} than {reference} ({format_p(found.p or 0.0)})"


def _pairs(scores: pl.DataFrame, model: str, reference: str) -> pl.DataFrame:
    """Return rows of ``model`` beside the loss of ``reference`` at the same origin and horizon, by origin."""
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
