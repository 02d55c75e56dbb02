"""What `btc up` does in a folder that an older release filled."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from graph_environment import LAST, GraphEnvironment
from table_rows import put
from tiny_vintage import write_vintage

from btc_assets.cli import catch_up
from btc_assets.contracts import (
    BASELINE_FORECASTS,
    CHANCE_SCORES,
    FORECAST_SCORES,
    FORECASTS,
    NETWORKS,
    VINTAGES_IN_FORCE,
)
from btc_assets.defs.automation.catch_up_sensor import request
from btc_assets.defs.partitions import Window
from btc_assets.factory import open_registry, open_tables
from btc_assets.market.calendar import DAY, FIRST_DAY
from btc_assets.modeling.compatibility import CODE_VERSION
from btc_assets.storage.registry.protocol import VintageId
from btc_assets.vocabulary import DAILY_ASSETS


def put_in_force(graph: GraphEnvironment, folder: Path, code_version: int) -> None:
    """A vintage of each network of the code with ``code_version`` is in force for the newest day."""
    registry, rows = open_registry(graph.settings), []
    for revision, kind in enumerate(NETWORKS):
        write_vintage(folder / kind, kind, LAST, code_version=code_version)
        ref = registry.publish(kind, VintageId(LAST), folder / kind)
        rows.append(("BTCUSDT", kind, LAST, LAST, 0, ref.manifest_sha256, "fitted", f"the {revision}th"))
    frame = pl.DataFrame(rows, schema=VINTAGES_IN_FORCE.schema, orient="row")
    open_tables(graph.settings).upsert(VINTAGES_IN_FORCE, frame)


def test_nothing_is_outdated_before_there_is_a_vintage(graph: GraphEnvironment) -> None:
    assert not catch_up.outdated(graph.settings)


@pytest.mark.parametrize(("version", "outdated"), [(CODE_VERSION, False), (CODE_VERSION - 1, True)])
def test_a_vintage_of_another_release_is_noticed(
    graph: GraphEnvironment, tmp_path: Path, version: int, outdated: bool
) -> None:
    put_in_force(graph, tmp_path / "made", version)
    assert catch_up.outdated(graph.settings) == outdated


@pytest.mark.parametrize(("version", "again"), [(CODE_VERSION, False), (CODE_VERSION - 1, True)])
def test_recent_days_are_forecast_again_after_an_upgrade_and_only_then(
    graph: GraphEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int, again: bool
) -> None:
    put_in_force(graph, tmp_path / "made", version)
    days, tables = [LAST - n * DAY for n in range(3)], open_tables(graph.settings)
    for spec in (BASELINE_FORECASTS, FORECASTS, FORECAST_SCORES, CHANCE_SCORES):
        put(tables, spec, days)
    for kind in NETWORKS:
        put(tables, VINTAGES_IN_FORCE, days[1:], model=kind)
    asked: list[tuple[dt.date, dt.date]] = []
    monkeypatch.setattr(
        "btc_assets.launch.run_window", lambda _, __, window, *___: asked.append((window.start, window.last))
    )
    catch_up.issue_forecasts(graph.settings, graph.instance, LAST - 2 * DAY, LAST)
    assert asked == ([(LAST - 2 * DAY, LAST)] if again else [])


def test_an_asset_that_a_release_brings_is_loaded_with_its_whole_history(
    graph: GraphEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph.instance.wipe_assets([dg.AssetKey(["raw_klines_4h"])])
    shutil.rmtree(Path(graph.settings.root) / "tables" / "raw_klines_4h")
    asked: list[tuple[dt.date, dt.date]] = []
    monkeypatch.setattr(
        "btc_assets.launch.run_window",
        lambda _, __, window, *___, **____: asked.append((window.start, window.last)),
    )
    catch_up.load_history(graph.settings, graph.instance, FIRST_DAY, LAST)
    assert asked == [(FIRST_DAY, LAST)]


@pytest.mark.parametrize("asset", ["raw_klines_4h", "raw_klines"])
def test_whatever_candles_catch_up_asks_for_it_has_features_derived_again(asset: str) -> None:
    window = Window(LAST, LAST + DAY)
    missing: dict[str, set[dt.date]] = {name: set() for name in DAILY_ASSETS} | {asset: {LAST}}
    asked = [key.to_user_string() for key in request(window, missing).asset_selection or ()]
    assert asked == [asset, "engineered_features"]


def test_a_vintage_that_cannot_be_read_does_not_stop_catching_up(
    graph: GraphEnvironment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_in_force(graph, tmp_path / "made", CODE_VERSION)
    for manifest in Path(graph.settings.root).glob("models/*/*/manifest.json"):
        manifest.write_text("{}")
    assert not catch_up.outdated(graph.settings)
    assert "manifest" in capsys.readouterr().err
