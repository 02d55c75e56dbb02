"""The code location as Dagster and an engineer see it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from btc_assets import __version__
from btc_assets.contracts import VINTAGES_IN_FORCE
from btc_assets.definitions import defs
from btc_assets.defs.assets.column_lineage import column_lineage, columns_of
from btc_assets.factory import all_tables
from btc_assets.market.calendar import FIRST_DAY
from btc_assets.vocabulary import (
    ARENA_ASSET,
    BACKTEST_JOB,
    DAILY_ASSETS,
    DAILY_JOB,
    HISTORY_JOB,
    NETWORKS,
    TUNING_JOB,
)

ROOT = Path(__file__).parents[2]
JOBS = (DAILY_JOB, HISTORY_JOB, BACKTEST_JOB, TUNING_JOB)
HEAVY = (
    "tensorflow",
    "keras",
    "hopsworks",
    "boto3",
    "matplotlib",
    "optuna",
    "pandas",
    "sqlalchemy",
    "deltalake",
)


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_what_the_code_location_loads_is_left_out_of_collections() -> None:
    """Looking at it again took a quarter of the time of every process that loads it."""
    found = python(
        "import gc; before = gc.get_stats()[2]['collections']; import btc_assets.definitions; "
        "print(gc.get_stats()[2]['collections'] - before, gc.isenabled(), "
        "gc.get_freeze_count() > len(gc.get_objects()))"
    )
    assert found.stdout.split() == ["0", "True", "True"], found.stderr


def test_every_asset_says_what_it_is_and_whose() -> None:
    graph = defs.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.owners, key
        assert node.group_name != "default", key
        assert node.kinds, key
        assert "dagster/column_schema" in node.metadata, key


def test_the_catalog_has_room_for_every_kind() -> None:
    """Dagster shows three kinds and shortens more to "ls...el"; it takes three at most."""
    graph = defs.resolve_asset_graph()
    assert all(1 <= len(graph.get(key).kinds) <= 3 for key in graph.get_all_asset_keys())


def test_every_asset_that_is_computed_has_a_version_of_its_code() -> None:
    graph = defs.resolve_asset_graph()
    versions = {key.to_user_string(): graph.get(key).code_version for key in graph.executable_asset_keys}
    assert set(versions) == {*DAILY_ASSETS, ARENA_ASSET, "hyperparameters"}
    assert all(re.fullmatch(rf"{__version__}\+[0-9a-f]{{12}}", str(each)) for each in versions.values()), (
        versions
    )


def test_what_a_click_causes_is_said_before_it() -> None:
    graph = defs.resolve_asset_graph()
    said = [str(graph.get(key).description) for key in graph.executable_asset_keys]
    said += [str(defs.resolve_job_def(job).description) for job in JOBS]
    assert all("**What a click causes**" in each for each in said), said
    issuing = [defs.resolve_job_def(job).description or "" for job in (DAILY_JOB, BACKTEST_JOB)]
    assert all("to the ledger for good" in each for each in issuing)


TABLES = {
    **all_tables(),
    **{f"{kind}_model": VINTAGES_IN_FORCE for kind in NETWORKS},
}
OURS = {"source", "ingested_at", "issued_at"}
"""Columns that say who wrote a row and when."""
CHOSEN = {
    "raw_klines": {"symbol"}, "raw_implied_volatility": {"symbol"}, "baseline_forecasts": {"model"},
    "hyperparameters": {"model"}, "arena_forecasts": {"model", "version"}, "chance_scores": {"kind", "move"},
}  # fmt: skip
"""Columns that a setting or the code says."""


def test_every_column_of_every_table_says_what_it_comes_from() -> None:
    graph = defs.resolve_asset_graph()
    for key in graph.executable_asset_keys:
        name = key.to_user_string()
        assert set(columns_of(name)) == set(TABLES[name].schema) - OURS - CHOSEN.get(name, set()), name
        upstream = {parent.to_user_string() for parent in graph.get(key).parent_keys}
        for sources in columns_of(name).values():
            for asset, column in sources:
                assert asset in upstream, (name, asset)
                schema = graph.get(dg.AssetKey([asset])).metadata["dagster/column_schema"]
                assert column in [each.name for each in schema.columns], (name, asset, column)
        (lineage,) = column_lineage(name).values()
        assert set(lineage.deps_by_column) == set(columns_of(name))


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
