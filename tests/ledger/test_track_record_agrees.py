"""The track record that a sceptic's script prints is the project's own: the same numbers."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from forged_bundle import Bundle
from scored_world import ORIGINS, ScoredWorld

from btc_assets.contracts import FORECAST_SCORES
from btc_assets.ledger.proof import export_proof
from btc_assets.ledger.verification.track_record import SHOWN
from btc_assets.vocabulary import MODELS


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ScoredWorld:
    return ScoredWorld(tmp_path_factory.mktemp("scored") / "store")


def expected(scores: pl.DataFrame, model: str, ahead: int) -> list[float]:
    """The cells of one line, of the project's scores."""
    cells = scores.filter(model=model, horizon=ahead).select(
        pl.len(),
        pl.col("absolute_percentage_error").mean() * 100,
        (pl.col("naive_absolute_error") / pl.col("close")).mean() * 100,
        pl.col("pinball").mean() / pl.col("pinball_random_walk").mean(),
        *(pl.col(f"inside_{percent}").mean() * 100 for percent in (50, 80, 95)),
    )
    return list(cells.row(0))


def test_the_script_prints_the_projects_own_scores(store: ScoredWorld, tmp_path: Path) -> None:
    """As far as the newest record vouches for closes: to its origin."""
    folder = export_proof(store.tables, store.registry, store.symbol, tmp_path / "proof")
    lines = [line.split() for line in Bundle(folder).verified().stdout.splitlines()]
    printed = {(c[0], c[1], int(c[2])): [float(x) for x in c[3:]] for c in lines if c and c[0] in MODELS}
    scores = store.tables.read(FORECAST_SCORES).filter(pl.col("target_date") <= ORIGINS[-1])
    for kind, rows in (("all", scores), ("live", scores.filter("live"))):
        counted = set(rows.filter(pl.col("model") == MODELS[0])["horizon"]) & set(SHOWN)
        assert {ahead for model, k, ahead in printed if k == kind and model == MODELS[0]} == counted != set()
        for model in MODELS:
            for ahead in counted:
                found = printed[model, kind, ahead]
                assert found == pytest.approx(expected(rows, model, ahead), abs=0.05, rel=0)
                assert found[3] == pytest.approx(expected(rows, model, ahead)[3], abs=0.00005)
