"""``btc backtest`` does what its options say."""

from __future__ import annotations

import dataclasses

import pytest
from graph_environment import LAST, GraphEnvironment

from btc_assets.cli.backtest import backtest
from btc_assets.contracts import VINTAGES_IN_FORCE
from btc_assets.market.calendar import DAY
from btc_assets.modeling.vintages import grid_cutoff
from btc_assets.settings import load


def test_refit_every_sets_the_grid_that_the_run_itself_uses(
    graph: GraphEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command once printed the table of a weekly walk, whatever was asked for."""
    monkeypatch.setenv("BTC_REFIT_EVERY", "7")
    first = LAST - DAY
    dataclasses.replace(graph, settings=load(refit_every=30)).register(first, LAST)
    backtest(str(first), str(LAST), refit_every=30)
    cutoffs = graph.table(VINTAGES_IN_FORCE)["vintage"].unique().to_list()
    assert cutoffs == [grid_cutoff(LAST, 30)]
