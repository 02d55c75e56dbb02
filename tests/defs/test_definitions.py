"""The code location as Dagster and an engineer see it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from btc_assets.definitions import defs
from btc_assets.market.calendar import FIRST_DAY

ROOT = Path(__file__).parents[2]
HEAVY = ("tensorflow", "keras", "hopsworks", "boto3", "matplotlib", "optuna", "pandas", "sqlalchemy")


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_every_asset_says_what_it_is_and_whose() -> None:
    graph = defs.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.owners, key
        assert node.group_name != "default", key
        assert node.kinds, key
        assert "dagster/column_schema" in node.metadata, key


def test_all_assets_share_the_daily_partitions() -> None:
    graph = defs.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        partitions = graph.get(key).partitions_def
        if partitions is not None:
            assert isinstance(partitions, dg.DailyPartitionsDefinition)
            assert partitions.get_first_partition_key() == FIRST_DAY.isoformat()
            assert partitions.timezone == "UTC"


@pytest.mark.parametrize(
    ("upstream", "downstream"),
    [
        ("raw_klines", "engineered_features"),
        ("raw_klines_4h", "engineered_features"),
        ("engineered_features", "mlp_model"),
        ("engineered_features", "lstm_model"),
        ("mlp_model", "forecasts"),
        ("lstm_model", "forecasts"),
        ("forecasts", "forecast_scores"),
        ("forecasts", "chance_scores"),
    ],
)
def test_the_chain_is_the_one_that_is_promised(upstream: str, downstream: str) -> None:
    parents = defs.resolve_asset_graph().get(dg.AssetKey([downstream])).parent_keys
    assert dg.AssetKey([upstream]) in parents


def test_bad_data_is_stopped_by_blocking_checks() -> None:
    specs = [s for checks in defs.asset_checks or [] for s in checks.check_specs]  # type: ignore[union-attr]
    blocking = {(s.asset_key.to_user_string(), s.name) for s in specs if s.blocking}
    assert ("raw_klines", "no_impossible_candle") in blocking
    assert ("raw_klines_4h", "no_impossible_candle") in blocking
    assert ("forecasts", "quantiles_ordered") in blocking
    assert ("mlp_model", "verified") in blocking


def test_importing_the_code_location_loads_nothing_heavy() -> None:
    code = f"import sys, btc_assets.definitions; print([m for m in {HEAVY!r} if m in sys.modules])"
    result = python(code)
    assert result.stdout.strip() == "[]", result.stderr


def test_K3_an_unknown_setting_stops_the_code_location_and_names_the_nearest() -> None:
    result = python("import btc_assets.definitions", BTC_SORCE="archive")
    assert result.returncode != 0
    assert "unknown setting BTC_SORCE; did you mean BTC_SOURCE?" in result.stderr


def test_the_workspace_file_loads() -> None:
    """`dagster dev -w workspace.yaml` starts from this."""
    command = [sys.executable, "-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
