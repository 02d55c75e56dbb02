"""``btc leaderboard`` ranks what was scored, live apart from the rest, and says what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from cli_fixture import RunBtc
from dash_data import fill

from btc_assets.contracts import FORECAST_SCORES
from btc_assets.settings import Settings
from btc_assets.storage.delta.store import DeltaTables


@pytest.fixture
def store(tmp_path: Path) -> DeltaTables:
    """Sixty origins, 20 of them live."""
    return fill(Settings(data_dir=str(tmp_path / "data")).root)


def test_kinds_are_ranked_apart_and_json_says_the_same(btc: RunBtc, store: DeltaTables) -> None:
    said = btc("leaderboard", "--horizon", "1")
    assert said.returncode == 0, said.stderr
    first, head, rule, *lines = said.stdout.splitlines()
    assert first == (
        "CRPS as a ratio to the random walk, 1 day ahead; live forecasts; "
        "origins 2026-11-02 to 2026-11-20, 19 days"
    )
    assert len(head) >= len(rule) - 1
    models = [line.split()[0] for line in lines[:6]]
    rows = store.read(FORECAST_SCORES).filter(model="mlp")
    store.upsert(
        FORECAST_SCORES, rows.with_columns(model=pl.lit("stranger"), pinball=0.7 * pl.col("pinball"))
    )
    document = json.loads(btc("leaderboard", "--horizon", "1", "--json").stdout)
    assert [row["model"] for row in document["models"]] == ["stranger", *models]
    assert document["verdict"] == "stranger is the best of these, at 95 % confidence."
    assert "These cannot be told apart: mlp" in said.stdout
    later = json.loads(btc("leaderboard", "--horizon", "1", "--kind", "back-filled", "--json").stdout)
    assert (later["days"], later["until"]) == (40, "2026-11-01")


def test_where_nothing_has_come_due_it_says_what_there_is(btc: RunBtc, store: DeltaTables) -> None:
    said = btc("leaderboard").stdout
    assert "No days that the models have in common have come due." in said
    assert "There are 40 days of back-filled forecasts to look at." in said


def test_an_empty_store_says_so(btc: RunBtc) -> None:
    result = btc("leaderboard")
    assert (result.returncode, result.stderr) == (0, "")
    assert "Nothing has been scored yet." in result.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--kind", "backfilled"], "did you mean back-filled?"),
        (["--since", "2030-01-01"], "--since 2030-01-01 is not over yet"),
    ],
)
def test_a_wrong_option_is_named(btc: RunBtc, arguments: list[str], says: str) -> None:
    result = btc("leaderboard", *arguments)
    assert result.returncode == 2
    assert says in result.stderr
