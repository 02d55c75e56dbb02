"""Each check is executed alone, as a person does in Dagster's UI, and says what it measured against what."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dash_data import klines
from exchange import Exchange
from graph_environment import point_settings_at
from table_rows import fill

from btc_assets.contracts import RAW_KLINES
from btc_assets.definitions import defs
from btc_assets.defs.checks.results import result
from btc_assets.defs.findings import CHECKS
from btc_assets.launch import QUIET, open_instance
from btc_assets.market.calendar import DAY, days, last_closed_day
from btc_assets.storage.delta.store import DeltaTables
from btc_assets.vocabulary import DAILY_ASSETS

YESTERDAY = last_closed_day(dt.datetime.now(dt.UTC))
HEALTH = {(asset, name) for asset, name, _ in CHECKS.values()}


def keys() -> list[dg.AssetCheckKey]:
    specs = [spec for checks in defs.asset_checks or [] for spec in checks.check_specs]  # type: ignore[union-attr]
    return sorted((spec.key for spec in specs), key=str)


def execute(instance: dg.DagsterInstance, *chosen: dg.AssetCheckKey) -> list[dg.AssetCheckEvaluation]:
    """Execute the ``chosen`` checks alone: the job and the selection that Dagster's UI launches."""
    job = defs.resolve_implicit_global_asset_job_def()
    alone = job.get_subset(asset_selection=set(), asset_check_selection=set(chosen))
    result = alone.execute_in_process(
        instance=instance, run_config={"loggers": QUIET}, raise_on_error=False
    )  # a blocking check that fails, fails its run
    found = list(result.get_asset_check_evaluations())
    assert {each.asset_check_key for each in found} == set(chosen)
    return found


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    """Ten days in every table, after two years of candles."""
    exchange = Exchange(clock=dt.datetime.now(dt.UTC))
    exchange.list_market(YESTERDAY - 9 * DAY, YESTERDAY)
    exchange.start()
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.ephemeral() as instance:
        settings = point_settings_at(patch, exchange, tmp_path_factory.mktemp("filled"))
        tables = DeltaTables(settings.root)
        fill(tables, list(days(YESTERDAY - 9 * DAY, YESTERDAY + DAY)))
        tables.upsert(RAW_KLINES, klines(YESTERDAY, 700))
        yield instance
    exchange.stop()


@pytest.mark.parametrize("asset", DAILY_ASSETS)
def test_every_check_alone_says_what_was_measured_against_what_bound(
    filled: dg.DagsterInstance, asset: str
) -> None:
    for key in keys():
        if key.asset_key.to_user_string() == asset and (asset, key.name) not in HEALTH:
            (found,) = execute(filled, key)
            numbers = {name: type(each.value) for name, each in found.metadata.items()}
            assert (numbers["measured"], numbers["bound"]) == (float, float), (key, found.description)
            assert numbers["checked"] is int, key
            assert not found.passed or re.match(r"holds: [a-z ]+ \S+, bound ", str(found.description)), key


def test_the_health_checks_can_be_executed_and_say_their_numbers(filled: dg.DagsterInstance) -> None:
    """One look serves all that are chosen together; one alone is `is_fresh`."""
    chosen = [key for key in keys() if (key.asset_key.to_user_string(), key.name) in HEALTH]
    for found in [*execute(filled, *chosen), *execute(filled, chosen[0])]:
        numbers = {name: type(each.value) for name, each in found.metadata.items()}
        assert (numbers["measured"], numbers["bound"]) == (float, float), (
            found.check_name,
            found.description,
        )


def test_what_was_measured_is_named() -> None:
    said = result("forecasts", "complete", [], checked=3388, measured=270, bound=270, quantity="fewest rows")
    assert said.description == "holds: fewest rows 270, bound 270; 3,388 checked"


def test_calibration_is_told_in_numbers() -> None:
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
        (found,) = execute(instance, key)
    assert not found.passed
    assert "materialize it first" in str(found.description)
