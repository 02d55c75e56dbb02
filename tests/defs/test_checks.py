"""Each check is executed alone, as a person does in Dagster's UI, and says what it measured against what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from exchange import Exchange
from graph_environment import LAST, GraphEnvironment, point_settings_at

from btc_assets.definitions import defs
from btc_assets.launch import QUIET, open_instance
from btc_assets.market.calendar import DAY, FIRST_DAY, closes_at


def keys() -> list[dg.AssetCheckKey]:
    specs = [spec for checks in defs.asset_checks or [] for spec in checks.check_specs]  # type: ignore[union-attr]
    return sorted((spec.key for spec in specs), key=str)


@pytest.fixture(scope="module")
def forecast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GraphEnvironment]:
    """Two years of candles and three origins."""
    folder = tmp_path_factory.mktemp("checks")
    exchange = Exchange(clock=closes_at(LAST + DAY))
    exchange.list_market(FIRST_DAY, LAST)
    exchange.start()
    with pytest.MonkeyPatch.context() as patch:
        settings = point_settings_at(patch, exchange, folder)
        patch.setenv("BTC_SOURCE_DEADLINE", "60")
        with open_instance(settings) as instance:
            graph = GraphEnvironment(exchange, settings, instance)
            graph.run("market_history", FIRST_DAY, LAST)
            graph.register(LAST - 2 * DAY, LAST)
            graph.run("walk_forward", LAST - 2 * DAY, LAST)
            yield graph
    exchange.stop()


def execute(instance: dg.DagsterInstance, key: dg.AssetCheckKey) -> dg.AssetCheckEvaluation:
    """Execute one check in a run of its own: the job and the selection that Dagster's UI launches."""
    job = defs.resolve_implicit_global_asset_job_def()
    alone = job.get_subset(asset_selection=set(), asset_check_selection={key})
    result = alone.execute_in_process(instance=instance, run_config={"loggers": QUIET})
    assert result.success
    (found,) = result.get_asset_check_evaluations()
    assert found.asset_check_key == key
    return found


def test_every_check_alone_says_what_was_measured_against_what_bound(forecast: GraphEnvironment) -> None:
    job = defs.resolve_job_def("daily_partition")
    of_the_day = {key for key in keys() if key in job.asset_layer.asset_graph.asset_check_keys}
    for key in keys():
        found = execute(forecast.instance, key)
        numbers = {name: each.value for name, each in found.metadata.items()}
        if key in of_the_day:
            assert found.passed, (key, found.description)
            assert isinstance(numbers["checked"], int), key
        assert {type(numbers["measured"]), type(numbers["bound"])} == {float}, (key, numbers)


def test_calibration_is_told_in_numbers(forecast: GraphEnvironment) -> None:
    from btc_assets.defs.checks.forecasting import in_numbers
    from btc_assets.scoring.drift import Coverage, Drift

    drift = Drift("within chance", (), 90, (Coverage(80, 0.81, 0.68, 0.9),), 0.97)
    assert in_numbers({"mlp": drift}) == {
        "mlp, share inside the 80 % range": 0.81,
        "mlp, share inside the 80 % range: at least": 0.68,
        "mlp, share inside the 80 % range: at most": 0.9,
        "mlp, loss / random walk's": 0.97,
    }


@pytest.mark.parametrize("name", ["calibrated", "no_impossible_candle", "verified"])
def test_a_check_of_a_table_that_is_not_there_says_what_to_do(
    tmp_path: Path, exchange: Exchange, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    settings = point_settings_at(monkeypatch, exchange, tmp_path)
    (key, *_) = [key for key in keys() if key.name == name]
    with open_instance(settings) as instance:
        found: Any = execute(instance, key)
    assert not found.passed
    assert "materialize it first" in found.description
