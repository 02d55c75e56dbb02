from __future__ import annotations

import dash_data
import polars as pl
import pytest

from btc_assets.contracts import FORECAST_SCORES
from btc_assets.statistics.comparison import Comparison
from btc_dash.charts.track_record import error_figure
from btc_dash.data import track_record
from btc_dash.data.context import Context
from btc_dash.data.query import RecordQuestion
from btc_dash.data.score_rows import chunks
from btc_dash.text.formatting import SPACE
from btc_dash.text.record_text import comparison_text, record_sentences


@pytest.fixture(scope="module")
def scores(context: Context) -> pl.DataFrame:
    """The whole table, read at once."""
    return context.cache.read(FORECAST_SCORES)


@pytest.mark.parametrize("kind", ["all", "live", "backfilled"])
def test_totals_are_the_means_of_the_table(context: Context, scores: pl.DataFrame, kind: str) -> None:
    chosen = scores if kind == "all" else scores.filter(pl.col("live") == (kind == "live"))
    mine = chosen.filter(model="lstm", horizon=3)
    row = track_record.totals(context.cache, kind).filter(model="lstm", horizon=3).row(0, named=True)
    assert row["n"] == mine.height
    assert row["ape"] == pytest.approx(mine["absolute_percentage_error"].mean())
    assert row["in80"] == pytest.approx(mine["inside_80"].mean())
    assert row["crps_ratio"] == pytest.approx(mine["pinball"].mean() / mine["pinball_random_walk"].mean())
    assert sum(row[f"pit{b}"] for b in range(track_record.BINS)) == pytest.approx(1)


def test_live_and_backfilled_add_up_to_all(context: Context, scores: pl.DataFrame) -> None:
    counts = track_record.counts(context.cache)
    assert counts["all"] == counts["live"] + counts["backfilled"] == scores.height
    assert counts["late"] == 0
    assert counts["live"] > 0
    assert counts["backfilled"] > 0


def test_years_are_read_one_at_a_time(context: Context) -> None:
    parts = list(chunks(context.cache, ["target_date"]))
    assert len(parts) > 5
    assert sum(part.height for part in parts) == track_record.counts(context.cache)["all"]


def test_hindsight_holds_one_row_a_target(context: Context) -> None:
    rows = track_record.hindsight(context.cache, "mlp", 7)
    assert rows.height == 60
    assert rows["target_date"].is_sorted()
    assert rows["target_date"].is_unique().all()
    assert (rows["q100"] < rows["q900"]).all()


def test_a_wider_rival_is_told_from_the_model_with_a_margin(context: Context) -> None:
    found = track_record.compare_with_rivals(context.cache, "ensemble", 1, "all")
    assert set(found) == {"middle", "random_walk", "mixture_walk"}
    assert found["random_walk"].margin is not None
    assert found["random_walk"].margin > 0


def test_overlapping_forecasts_are_too_few_to_claim_anything(context: Context) -> None:
    for against in track_record.compare_with_rivals(context.cache, "ensemble", 7, "all").values():
        assert against.verdict in ("too few to tell", "equal by design")


def test_a_middle_at_the_last_close_is_the_same_as_no_change_by_design(context: Context) -> None:
    """It was called "too few to tell", as if more days could ever tell."""
    for days in (1, 7):
        said = record_sentences(context.cache, RecordQuestion(days=days))
        assert f"of prices ended inside the 80{SPACE}% range" in said[0]
        assert "It is the last close by design" in said[-1]
        assert "too few to tell it from assuming no change" not in " ".join(said)


def test_ranges_are_compared_with_one_random_walk_the_strongest(context: Context) -> None:
    """``No better than a plain random walk, 4.4 % better than the strongest`` read as a contradiction."""
    for days in (1, 7):
        said = " ".join(record_sentences(context.cache, RecordQuestion(days=days)))
        assert said.count("random walk") == 1
        assert "the strongest random walk we know" in said


def test_two_lines_that_are_the_same_are_drawn_as_one(context: Context) -> None:
    table = track_record.totals(context.cache, "all").filter(model="ensemble")
    assert [t["uid"] for t in error_figure(table, "Ensemble")["data"]] == ["median"]
    other = table.with_columns(ape=pl.col("ape") * 1.1)
    assert [t["uid"] for t in error_figure(other, "Ensemble")["data"]] == ["median", "naive"]


@pytest.mark.parametrize(
    ("comparison", "says"),
    [
        (None, "too few to tell it from no change"),
        (Comparison("too few to tell", -0.5), "too few to tell it from no change"),
        (Comparison("equal by design"), "the same as no change, by design"),
        (Comparison("no better", -0.5, 0.6, 0.2), "no better than no change"),
        (
            Comparison("better", -0.05, 0.01, 0.012),
            f"5.0{SPACE}% better than no change (p = 0.012)",
        ),
        (Comparison("worse", 0.05, 0.01, 0.0001), f"5.0{SPACE}% worse than no change (p < 0.001)"),
    ],
)
def test_nothing_is_claimed_that_chance_explains(comparison: Comparison | None, says: str) -> None:
    assert comparison_text(comparison, "no change") == says


def test_since_names_the_origins_of_the_kind(context: Context) -> None:
    every = track_record.since(context.cache, RecordQuestion(days=1))
    live = track_record.since(context.cache, RecordQuestion(days=1, kind="live"))
    assert every is not None
    assert live is not None
    assert every[0] < live[0] <= live[1] == every[1] < dash_data.NEWEST
