"""The leaderboard ranks on common days, claims no more than can be told, and newcomers change nothing."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from score_rows import origins, score_rows

from btc_assets.contracts import FORECAST_SCORES, FORECASTS
from btc_assets.market.calendar import DAY, closes_at
from btc_assets.market.issue_timing import issue_kind
from btc_assets.scoring.issue_kinds import issued_in_time, with_kind
from btc_assets.scoring.leaderboard import Leaderboard, leaderboard
from btc_assets.scoring.leaderboard_text import conclusion, facts, render
from btc_assets.scoring.summary import MOST, against, against_overall, by_horizon, overall
from btc_assets.statistics.comparison import Comparison

MODELS = {"ensemble": 0.9, "mlp": 0.905, "garch": 0.97, "random_walk": 1.0, "last_close": 1.5}
DAYS = origins(200)
ROWS = score_rows(MODELS, DAYS)


def ranked(board: Leaderboard) -> list[str]:
    return [standing.model for standing in board.standings]


def as_told(found: Comparison) -> tuple[object, ...]:
    """What a comparison says, but for rounding."""
    return found.verdict, pytest.approx(found.change), pytest.approx(found.p), found.independent


def test_models_are_ranked_by_their_loss_with_what_is_known_of_it() -> None:
    board = leaderboard(ROWS, 1)
    assert ranked(board) == list(MODELS)
    assert (board.since, board.until, board.days) == (DAYS[0], DAYS[-1], 200)
    table = {row["model"]: row for row in by_horizon(ROWS).iter_rows(named=True)}
    for s in board.standings:
        assert s.crps_ratio == pytest.approx(table[s.model]["crps_ratio"])
        assert (s.inside_80, s.inside_95) == (table[s.model]["cover_80"], table[s.model]["cover_95"])
        assert s.independent == 200
        assert s.interval is not None
        assert s.interval[0] <= s.crps_ratio <= s.interval[1]
    by_name = {s.model: s for s in board.standings}
    assert by_name["random_walk"].interval == pytest.approx((1.0, 1.0))
    assert by_name["ensemble"].against_best is None
    assert by_name["last_close"].against_best is not None
    assert as_told(by_name["last_close"].against_best) == as_told(against(ROWS, "last_close", "ensemble", 1))


def test_what_cannot_be_told_apart_is_named_and_nothing_else() -> None:
    board = leaderboard(ROWS, 1)
    assert set(board.confidence_set) == {"ensemble", "mlp"}
    assert conclusion(board, str.upper) == (
        "These cannot be told apart: ENSEMBLE and MLP. Each may be the best, at 95 % confidence."
    )
    alone = leaderboard(ROWS.filter(pl.col("model") != "mlp"), 1)
    assert conclusion(alone) == "ensemble is the best of these, at 95 % confidence."


def test_the_mean_is_that_of_the_backtest_s_table() -> None:
    rows = score_rows({"ensemble": 0.9, "garch": 0.95, "random_walk": 1.0}, origins(60), range(1, MOST + 1))
    board = leaderboard(rows, None)
    ratios = dict(overall(rows).select("model", "crps_ratio").iter_rows())
    assert {s.model: s.crps_ratio for s in board.standings} == pytest.approx(ratios)
    assert board.standings[1].against_best is not None
    assert as_told(board.standings[1].against_best) == as_told(against_overall(rows, "garch", "ensemble"))
    assert (board.days, board.independent) == (60, 2)
    unfinished = rows.filter(pl.col("target_date") <= DAYS[59])
    assert leaderboard(unfinished, None).until == DAYS[59] - MOST * DAY


def test_too_few_outcomes_give_no_interval_and_no_set() -> None:
    board = leaderboard(score_rows(MODELS, origins(60), (7,)), 7)
    assert board.independent == 8
    assert {s.interval for s in board.standings} == {s.set_p for s in board.standings} == {None}
    assert board.confidence_set == ()
    assert "8 that do not overlap, 10 are needed" in conclusion(board)
    assert render(board, "live").count("too few to tell") >= len(MODELS)


def test_a_newcomer_changes_no_standing_of_the_others() -> None:
    """It once would have moved the common day to its own first one."""
    newcomer = score_rows({"brand_new": 0.5}, DAYS[-6:])
    board = leaderboard(pl.concat([ROWS, newcomer]), 1)
    assert board.standings == leaderboard(ROWS, 1).standings
    (left,) = board.unranked
    assert (left.model, left.first, left.days, left.wanted) == ("brand_new", DAYS[-6], 6, 200)
    assert "brand_new (6 of 200 days, the first 2025-07-14)" in render(board, "live")


def test_a_settled_newcomer_moves_the_common_day_unless_one_is_asked_for() -> None:
    rows = pl.concat([ROWS, score_rows({"arima": 0.93}, DAYS[150:])])
    assert leaderboard(rows, 1).since == DAYS[150]
    assert "arima" in ranked(leaderboard(rows, 1))
    earlier = leaderboard(rows, 1, DAYS[20])
    assert (earlier.since, earlier.days) == (DAYS[20], 180)
    assert [m.model for m in earlier.unranked] == ["arima"]


def test_a_model_with_gaps_costs_the_others_none_of_their_days() -> None:
    holes = score_rows({"crashing": 0.5}, DAYS[::2])
    board = leaderboard(pl.concat([ROWS, holes]), 1)
    assert (board.days, [m.model for m in board.unranked]) == (200, ["crashing"])
    nearly = score_rows({"nearly_whole": 0.95}, [day for day in DAYS if day != DAYS[7]])
    board = leaderboard(pl.concat([ROWS, nearly]), 1)
    assert (board.days, board.unranked) == (199, ())


def test_models_of_other_days_and_no_scores_are_no_error() -> None:
    apart = pl.concat([score_rows({"a": 0.9}, DAYS[:50]), score_rows({"b": 0.9}, DAYS[50:100])])
    board = leaderboard(apart, 1)
    assert (ranked(board), [(m.model, m.days) for m in board.unranked]) == (["b"], [("a", 0)])
    empty = leaderboard(FORECAST_SCORES.empty(), None)
    assert (empty.standings, empty.since, empty.unranked) == ((), None, ())
    assert "have come due" in render(empty, "live")
    assert leaderboard(ROWS, 1, dt.date(2030, 1, 1)).days == 0
    assert conclusion(leaderboard(score_rows({"a": 0.9}, DAYS), 1)) == "Only a is ranked."


def test_what_programs_get_is_what_people_read() -> None:
    said = facts(leaderboard(ROWS, 1))
    assert said["verdict"] == conclusion(leaderboard(ROWS, 1))
    first, *_, last = said["models"]
    assert (first["against_best"], first["p_value"], first["confidence_set_p"]) == (None, None, 1.0)
    assert (last["against_best"], last["maybe_best"]) == ("worse", False)


@settings(max_examples=25)
@given(
    spans=st.dictionaries(
        st.sampled_from(["a", "b", "c", "d", "e"]),
        st.tuples(st.integers(0, 60), st.integers(1, 60)),
        min_size=1,
    ),
    holes=st.sets(st.integers(0, 119), max_size=40),
    data=st.data(),
)
def test_every_ranked_model_has_every_day_and_order_does_not_matter(
    spans: dict[str, tuple[int, int]], holes: set[int], data: st.DataObject
) -> None:
    days = origins(120)
    parts = []
    for model, (start, count) in spans.items():
        kept = [
            d for n, d in enumerate(days) if start <= n < start + count and (n not in holes or model > "b")
        ]
        parts.append(score_rows({model: 0.95}, kept))
    rows = pl.concat(parts)
    since = data.draw(st.none() | st.sampled_from(days))
    board = leaderboard(rows, 1, since)
    names = set(rows["model"].unique())
    assert {s.model for s in board.standings} | {m.model for m in board.unranked} <= names
    assert not {s.model for s in board.standings} & {m.model for m in board.unranked}
    known = {model: set(part["origin_date"]) for (model,), part in rows.group_by("model")}
    if board.since is not None and board.until is not None:
        shared = set.intersection(*(known[s.model] for s in board.standings))
        within = {d for d in shared if board.since <= d <= board.until}
        assert board.days <= len(within)
        assert since is None or board.since >= since
    shuffled = rows.sample(fraction=1.0, shuffle=True, seed=1)
    assert leaderboard(shuffled, 1, since) == board


def test_live_late_and_back_filled_are_told_apart_as_the_ledger_does() -> None:
    hours = {DAYS[0]: 1, DAYS[1]: 10, DAYS[2]: 30}
    issued = {day: closes_at(day) + dt.timedelta(hours=h) for day, h in hours.items()}
    forecasts = pl.DataFrame(
        [{"model": "ensemble", "origin_date": d, "horizon": h, "issued_at": t}
         for d, t in issued.items() for h in (1, 2)],
        schema_overrides={name: FORECASTS.schema[name] for name in ("horizon", "issued_at")},
    )  # fmt: skip
    scores = score_rows({"ensemble": 0.9, "stranger": 0.9}, DAYS[:3]).with_columns(
        live=(pl.col("origin_date") == DAYS[0]) & (pl.col("model") == "ensemble")
    )
    marked = with_kind(scores, issued_in_time(forecasts))
    assert marked.drop("kind").equals(scores)
    found = dict(marked.filter(model="ensemble").select("origin_date", "kind").iter_rows())
    assert found == {day: issue_kind(day, at, 6) for day, at in issued.items()}
    assert found == {DAYS[0]: "live", DAYS[1]: "late", DAYS[2]: "back-filled"}
    assert set(marked.filter(model="stranger")["kind"]) == {"back-filled"}


def test_the_set_of_three_equal_models_rarely_loses_one() -> None:
    """Each pair is told apart by chance in 5 of 100; the set allows for there being several."""
    kept = [
        len(leaderboard(score_rows({"a": 0.9, "b": 0.9, "c": 0.9}, DAYS[:60], seed=seed), 1).confidence_set)
        for seed in range(40)
    ]
    assert np.mean([count == 3 for count in kept]) >= 0.85
