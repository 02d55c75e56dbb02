"""Scores, baselines and answers follow from forecasts and candles: `btc verify` names rows that do not."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from scored_world import ORIGINS, ScoredWorld

from btc_assets.contracts import BASELINE_FORECASTS, CHANCE_SCORES, FORECAST_SCORES, RAW_KLINES, TableSpec
from btc_assets.ledger.verification import score_checks
from btc_assets.ledger.verification.report import Report
from btc_assets.ledger.verification.verify import verify
from btc_assets.market.calendar import DAY
from btc_assets.storage.delta.store import DeltaTables

FIRST, LAST = ORIGINS[0], ORIGINS[-1]


@pytest.fixture(scope="module")
def scored_once(tmp_path_factory: pytest.TempPathFactory) -> ScoredWorld:
    return ScoredWorld(tmp_path_factory.mktemp("scored") / "store")


@pytest.fixture
def scored(scored_once: ScoredWorld, tmp_path: Path) -> ScoredWorld:
    return scored_once.copy(tmp_path / "store")


def check(world: ScoredWorld) -> Report:
    return verify(DeltaTables(str(world.root)), world.registry, world.symbol, scores=True)


def said_of(world: ScoredWorld) -> str:
    report = check(world)
    assert not report.ok, report.line()
    assert {fault.what for fault in report.faults} == {"scores"}
    return "\n".join(map(str, report.faults))


def edit(
    world: ScoredWorld, table: TableSpec, which: pl.Expr, **values: pl.Expr | float | bool | None
) -> pl.DataFrame:
    """Change the rows ``which`` of ``table`` as the operator may; returns them as they were."""
    rows = world.tables.read(table).filter(which)
    assert rows.height
    changed = rows.with_columns(**values).cast(dict(table.schema))  # type: ignore[arg-type]
    world.tables.upsert(table, changed.select(table.schema.names()))
    return rows


ONE = (pl.col("origin_date") == FIRST) & (pl.col("model") == "mlp") & (pl.col("horizon") == 7)
TOUCH = ONE & (pl.col("kind") == "touch") & (pl.col("move") == 0.02)


def test_an_honest_store_says_how_many_scores_were_computed_again(scored: ScoredWorld) -> None:
    report = check(scored)
    assert report.ok, report.line()
    rows = sum(scored.tables.read(t).height for t in (BASELINE_FORECASTS, FORECAST_SCORES, CHANCE_SCORES))
    assert report.scored == rows
    assert f"{rows:,} scores computed again" in report.line()
    without = verify(scored.tables, scored.registry, scored.symbol)
    assert "scores not checked" in without.line()


def test_G1_every_loss_halved_is_named(scored: ScoredWorld) -> None:
    networks = pl.col("model").is_in(["mlp", "lstm", "ensemble"])
    rows = edit(scored, FORECAST_SCORES, networks, pinball=pl.col("pinball") * 0.5)
    assert f"{rows.height:,} rows of forecast_scores do not follow" in said_of(scored)


def test_G1_live_set_on_every_row_is_named(scored: ScoredWorld) -> None:
    rows = edit(scored, FORECAST_SCORES, ~pl.col("live"), live=True)
    assert f"{rows.height:,} rows of forecast_scores" in said_of(scored)
    assert "live is true, not false" in said_of(scored)


@pytest.mark.parametrize(
    ("table", "which", "values", "name"),
    [
        (FORECAST_SCORES, ONE, {"close": pl.col("close") + 1}, "close"),
        (FORECAST_SCORES, ONE, {"pit": 0.5}, "pit"),
        (FORECAST_SCORES, ONE, {"pit": float("nan")}, "pit"),
        (FORECAST_SCORES, ONE, {"inside_80": ~pl.col("inside_80")}, "inside_80"),
        (FORECAST_SCORES, ONE, {"naive_absolute_error": pl.col("close")}, "naive_absolute_error"),
        (FORECAST_SCORES, ONE, {"pinball_random_walk": pl.col("pinball_random_walk") * 2}, "pinball_random"),
        (CHANCE_SCORES, TOUCH, {"happened": ~pl.col("happened")}, "happened"),
        (CHANCE_SCORES, TOUCH, {"brier": 0.0}, "brier"),
        (CHANCE_SCORES, TOUCH, {"log_score": 0.0}, "log_score"),
        (CHANCE_SCORES, TOUCH, {"past_frequency": 0.123}, "past_frequency"),
        (CHANCE_SCORES, TOUCH, {"past_frequency": None}, "past_frequency"),
        (CHANCE_SCORES, TOUCH, {"twice_beyond": 0.123}, "twice_beyond"),
        (CHANCE_SCORES, TOUCH, {"price": pl.col("price") + 1}, "price"),
    ],
)
def test_G1_a_score_that_was_altered_is_named(
    scored: ScoredWorld, table: TableSpec, which: pl.Expr, values: dict[str, pl.Expr], name: str
) -> None:
    edit(scored, table, which, **values)
    found = said_of(scored)
    assert f"1 rows of {table.name} do not follow" in found
    assert f"mlp {FIRST} +7" in found
    assert f": {name}" in found


def test_what_another_machine_rounds_otherwise_is_well(scored: ScoredWorld) -> None:
    edit(scored, FORECAST_SCORES, ONE, pinball=pl.col("pinball") * (1 + 1e-12))
    assert check(scored).ok


@pytest.mark.parametrize("model", ["last_close", "random_walk", "mixture_walk"])
def test_G1_a_quantile_of_a_baseline_is_named(scored: ScoredWorld, model: str) -> None:
    which = (pl.col("origin_date") == LAST) & (pl.col("model") == model) & (pl.col("horizon") == 1)
    edit(scored, BASELINE_FORECASTS, which, q500=pl.col("q500") * 1.001)
    assert (
        f"1 rows of baseline_forecasts do not follow from forecasts and candles, the first: {model}"
        in said_of(scored)
    )


def consistent(chance: pl.Expr) -> dict[str, pl.Expr]:
    """A chance, with the scores that follow from it."""
    true = pl.col("happened").cast(pl.Float64)
    return {
        "chance": chance,
        "brier": (chance - true) ** 2,
        "log_score": -pl.when("happened").then(chance).otherwise(1 - chance).log(),
    }


@pytest.mark.parametrize("kind", ["touch", "beyond"])
def test_G1_a_chance_with_scores_that_fit_it_is_named(scored: ScoredWorld, kind: str) -> None:
    which = ONE & (pl.col("kind") == kind) & (pl.col("move") == 0.02)
    edit(scored, CHANCE_SCORES, which, **consistent(pl.col("chance") * 0.5 + 0.4))
    assert "1 rows of chance_scores do not follow" in said_of(scored)
    assert "chance is" in said_of(scored)


def test_touches_beyond_the_draw_are_held_against_closes(
    scored: ScoredWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score_checks, "DRAWN", 1)
    report = check(scored)
    assert report.ok, report.line()
    assert f"computed again for 1 of {len(ORIGINS)} origins" in "\n".join(report.notes)
    edit(scored, CHANCE_SCORES, pl.col("kind") == "touch", **consistent(pl.col("twice_beyond") * 0.4 + 1e-9))
    assert "rows of chance_scores do not follow" in said_of(scored)


def test_G1_a_score_without_a_forecast_is_named(scored: ScoredWorld) -> None:
    row = scored.tables.read(FORECAST_SCORES).filter(ONE)
    scored.tables.upsert(FORECAST_SCORES, row.with_columns(model=pl.lit("oracle")))
    assert "there is no forecast that it could be of" in said_of(scored)


@pytest.mark.parametrize("table", [FORECAST_SCORES, CHANCE_SCORES, BASELINE_FORECASTS])
def test_G1_the_worst_scores_removed_are_named(scored: ScoredWorld, table: TableSpec) -> None:
    worst = (pl.col("horizon") == 7) & pl.col("model").is_in(["mlp", "last_close"])
    rows = scored.tables.read(table).filter(worst)
    scored.tables.delete_keys(table, rows.filter(origin_date=FIRST).select(table.key))
    assert f"rows of {table.name} are not there, though those around them are" in said_of(scored)


def test_an_origin_that_is_not_scored_yet_is_counted_in_the_verdict(scored: ScoredWorld) -> None:
    """As after a run that was killed between forecasts and scores."""
    rows = scored.tables.read(FORECAST_SCORES).filter(pl.col("origin_date") == LAST)
    scored.tables.delete_keys(FORECAST_SCORES, rows.select(FORECAST_SCORES.key))
    report = check(scored)
    assert report.ok, report.line()
    assert f"({rows.height:,} more are due and not there)" in report.line()
    assert "btc backfill" in "\n".join(report.notes)


def test_scores_from_before_a_close_was_restated_are_no_fault_but_noted(scored: ScoredWorld) -> None:
    candle = scored.tables.read(RAW_KLINES).filter(pl.col("date") == LAST + 2 * DAY)
    at = scored.now + 60 * DAY
    scored.issue([LAST + DAY], at - DAY)  # a record that read it as it was
    scored.store_candles(candle.with_columns(close=pl.col("close") * 1.001, high=pl.col("high") * 1.01), at)
    report = check(scored)
    assert report.ok, report.line()
    assert "as they were before they were restated" in "\n".join(report.notes)
    edit(scored, FORECAST_SCORES, ONE, pinball=pl.col("pinball") * 0.5)
    assert "1 rows of forecast_scores do not follow" in said_of(scored)
