"""Each check is executed alone, as a person does in Dagster's UI, and says what it measured against what."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from exchange import Exchange
from graph_environment import point_settings_at
from table_rows import fill

from btc_assets.definitions import defs
from btc_assets.defs.findings import CHECKS
from btc_assets.launch import QUIET, open_instance
from btc_assets.market.calendar import DAY, days, last_closed_day
from btc_assets.storage.delta.store import DeltaTables

YESTERDAY = last_closed_day(dt.datetime.now(dt.UTC))
FIRST = YESTERDAY - 420 * DAY
HEALTH = {(asset, name) for asset, name, _ in CHECKS.values()}


def keys() -> list[dg.AssetCheckKey]:
    specs = [spec for checks in defs.asset_checks or [] for spec in checks.check_specs]  # type: ignore[union-attr]
    return sorted((spec.key for spec in specs), key=str)


def execute(instance: dg.DagsterInstance, key: dg.AssetCheckKey) -> dg.AssetCheckEvaluation:
    """Execute one check in a run of its own: the job and the selection that Dagster's UI launches."""
    job = defs.resolve_implicit_global_asset_job_def()
    alone = job.get_subset(asset_selection=set(), asset_check_selection={key})
    result = alone.execute_in_process(instance=instance, run_config={"loggers": QUIET})
    assert result.success
    (found,) = result.get_asset_check_evaluations()
    assert found.asset_check_key == key
    return found


def test_every_check_alone_says_what_was_measured_against_what_bound(
    tmp_path: Path, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange.clock = dt.datetime.now(dt.UTC)
    exchange.list_market(FIRST, YESTERDAY)
    settings = point_settings_at(monkeypatch, exchange, tmp_path)
    fill(DeltaTables(settings.root), list(days(FIRST, YESTERDAY + DAY)))
    with dg.DagsterInstance.ephemeral() as instance:
        for key in keys():
            found = execute(instance, key)
            numbers = {name: type(each.value) for name, each in found.metadata.items()}
            assert (numbers["measured"], numbers["bound"]) == (float, float), (key, found.description)
            if (key.asset_key.to_user_string(), key.name) not in HEALTH:
                assert numbers["checked"] is int, key


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
        found: Any = execute(instance, key)
    assert not found.passed
    assert "materialize it first" in found.description
