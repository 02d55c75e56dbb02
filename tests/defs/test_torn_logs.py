"""Torn logs of data tables: what was lost is fetched and derived again, without a person."""

from __future__ import annotations

from pathlib import Path

import pytest
from graph_environment import GraphEnvironment
from polars.testing import assert_frame_equal

from btc_assets.cli.catch_up import load_history
from btc_assets.contracts import RAW_KLINES, RAW_KLINES_4H, SUPERSEDED_KLINES
from btc_assets.factory import open_tables
from btc_assets.market.calendar import DAY, FIRST_DAY
from btc_assets.modeling.features import ENGINEERED_FEATURES

DATA = (RAW_KLINES, RAW_KLINES_4H, ENGINEERED_FEATURES)
LAST = FIRST_DAY + 99 * DAY


@pytest.mark.parametrize("torn", ["raw_klines", "raw_klines_4h", "engineered_features", "all"])
def test_T4_what_a_torn_log_lost_is_loaded_again_by_the_next_start(
    empty: GraphEnvironment, torn: str
) -> None:
    empty.run("market_history", FIRST_DAY, LAST - 60 * DAY)
    empty.run("market_history", LAST - 59 * DAY, LAST)
    before = {spec.name: empty.table(spec) for spec in DATA}
    names = [spec.name for spec in DATA] if torn == "all" else [torn]
    for name in [*names, SUPERSEDED_KLINES.name]:
        tear(Path(empty.settings.root) / "tables" / name)
    assert any(empty.table(spec).height < before[spec.name].height for spec in DATA if spec.name in names)

    load_history(empty.settings, empty.instance, FIRST_DAY, LAST)
    for spec in DATA:
        same = [c for c in spec.schema if c != "ingested_at"]
        assert_frame_equal(empty.table(spec).select(same), before[spec.name].select(same))
    for name in names:
        spec = next(s for s in DATA if s.name == name)
        assert open_tables(empty.settings).torn_entries(spec), "a person can still look at it"
    requests = len(empty.exchange.requests)
    load_history(empty.settings, empty.instance, FIRST_DAY, LAST)
    assert len(empty.exchange.requests) == requests


def tear(table: Path) -> None:
    """Cut the newest entry of the table's log to 100 bytes, as a power cut does."""
    newest = max((table / "_delta_log").glob("*.json"))
    newest.write_bytes(newest.read_bytes()[:100])
