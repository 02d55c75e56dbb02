"""Forecasters that compete, through the real job: rows, scores and reasons, and nothing that is rewritten."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from graph_environment import LAST, GraphEnvironment
from stranger_package import write_package, write_steady

from btc_assets.contracts import (
    ARENA_ATTEMPTS,
    ARENA_FORECASTS,
    BASELINES,
    FORECAST_SCORES,
    HORIZONS,
    QUANTILES,
)
from btc_assets.factory import open_registry, open_tables
from btc_assets.launch import RunFailed
from btc_assets.ledger.arena_records import ARENA_RECORDS
from btc_assets.ledger.continuity import mark_path
from btc_assets.ledger.publishing.sinks import FileSink
from btc_assets.ledger.verification.score_checks import all_faults
from btc_assets.ledger.verification.verify import verify
from btc_assets.market.calendar import DAY
from btc_assets.scoring.scores import first_issued

FIRST = LAST - 4 * DAY
ASSETS = ["baseline_forecasts", "arena_forecasts", "forecast_scores"]
ODD = {
    "honest": "odd_forecasters:Honest",
    "raises": "odd_forecasters:Raises",
    "crossing": "odd_forecasters:crossing",
    "reads_the_store": "odd_forecasters:ReadsTheStore",
}


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages, of which none is there yet."""
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


def faults(graph: GraphEnvironment) -> list[str]:
    return all_faults(open_tables(graph.settings), "BTCUSDT")


def test_who_answers_is_scored_and_who_does_not_says_why(
    graph: GraphEnvironment, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_package(packages, "odd", ODD)
    monkeypatch.setenv("BTC_FORECASTERS", ",".join([*ODD, "nobody"]))
    sink = packages / "heads.jsonl"
    monkeypatch.setenv("BTC_LEDGER_SINK", str(sink))
    graph.run("walk_forward", FIRST, LAST, ASSETS)
    rows, tried = graph.table(ARENA_FORECASTS), graph.table(ARENA_ATTEMPTS)
    assert dict(rows["model"].value_counts().iter_rows()) == {"honest": 5 * HORIZONS}
    outcomes = dict(tried.group_by("model").agg(pl.col("outcome").unique()).iter_rows())
    assert outcomes == {
        "honest": ["ok"],
        "raises": ["crashed"],
        "crossing": ["nonsense"],
        "reads_the_store": ["looked_ahead"],
        "nobody": ["not_loaded"],
    }
    assert set(graph.table(FORECAST_SCORES)["model"]) == {*BASELINES, "honest"}
    shown = graph.metadata("arena_forecasts", LAST)
    assert shown["asked in vain"] == 20
    assert shown["ledger head published"] == f"published to {sink}"
    (head,) = FileSink(sink).published("BTCUSDT-arena")
    assert head.seq == 4
    assert f'"record_sha256":"{head.record_sha256}"' in mark_path(graph.settings, "BTCUSDT-arena").read_text()
    assert "KeyError: 'BTCUSDT'" in str(shown["why there is no forecast"])
    assert graph.metadata("arena_forecasts", FIRST)["dagster/partition_row_count"] == HORIZONS
    assert faults(graph) == []
    report = verify(open_tables(graph.settings), open_registry(graph.settings), "BTCUSDT")
    assert (report.ok, report.arena) == (True, 5 * HORIZONS)


def test_a_new_version_stands_beside_the_old_one_and_changes_no_score(
    graph: GraphEnvironment, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BTC_FORECASTERS", "steady")
    write_steady(packages, "1")
    graph.run("walk_forward", FIRST, LAST - DAY, ASSETS)
    rows, scores = graph.table(ARENA_FORECASTS), graph.table(FORECAST_SCORES)
    write_steady(packages, "2", highest=1.3)
    graph.run("walk_forward", FIRST, LAST, ASSETS)
    both = graph.table(ARENA_FORECASTS)
    assert both.filter(version="1").equals(rows)
    assert both.filter(version="2").height == 5 * HORIZONS
    again = graph.table(FORECAST_SCORES).join(scores, on=FORECAST_SCORES.key, how="semi")
    assert again.equals(scores)
    assert set(first_issued(both.filter(origin_date=LAST))["q975"]) == set(
        both.filter(version="2", origin_date=LAST)["q975"]
    )
    assert faults(graph) == []


def test_days_one_by_one_give_the_bytes_of_a_range_and_again_changes_nothing(
    graph: GraphEnvironment, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BTC_FORECASTERS", "steady")
    write_steady(packages, "1")
    for day in (LAST, LAST - DAY):
        graph.run("walk_forward", day, day, ["arena_forecasts"])
    single = graph.table(ARENA_FORECASTS)
    version = graph.version(ARENA_FORECASTS)
    graph.run("walk_forward", LAST - DAY, LAST, ["arena_forecasts"])
    assert graph.version(ARENA_FORECASTS) == version
    open_tables(graph.settings).delete_keys(ARENA_FORECASTS, single.select(ARENA_FORECASTS.key))
    graph.run("walk_forward", LAST - DAY, LAST, ["arena_forecasts"])
    assert graph.table(ARENA_FORECASTS).drop("issued_at").equals(single.drop("issued_at"))


def test_a_row_that_was_altered_no_longer_explains_its_scores(
    graph: GraphEnvironment, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BTC_FORECASTERS", "steady")
    write_steady(packages, "1")
    graph.run("walk_forward", FIRST, LAST, ASSETS)
    tables = open_tables(graph.settings)
    rows = tables.read(ARENA_FORECASTS).filter(origin_date=FIRST, horizon=1)
    tables.upsert(ARENA_FORECASTS, rows.with_columns(pl.col(QUANTILES) * 1.01))
    (fault,) = faults(graph)
    assert (
        f"1 rows of forecast_scores do not follow from forecasts and candles, the first: steady {FIRST} +1"
        in fault
    )


def evaluated(graph: GraphEnvironment, check: str) -> tuple[bool, str]:
    """Whether ``check`` passed in the newest run, and what it says."""
    (run,) = graph.instance.get_runs(limit=1)
    events = graph.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    found = [e.dagster_event.event_specific_data for e in events if e.dagster_event]
    (one,) = [each for each in found if each.check_name == check]
    return one.passed, str(one.description)


def test_a_record_that_is_gone_reddens_the_check_and_nothing_is_issued_after_it(
    graph: GraphEnvironment, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BTC_FORECASTERS", "steady")
    write_steady(packages, "1")
    graph.run("walk_forward", LAST - DAY, LAST - DAY, ["arena_forecasts"])
    assert evaluated(graph, "is_what_was_issued")[0]
    tables = open_tables(graph.settings)
    key = tables.read(ARENA_RECORDS).tail(1).select(ARENA_RECORDS.key)
    tables.delete_keys(ARENA_RECORDS, key)
    graph.run("walk_forward", LAST - DAY, LAST - DAY, ["arena_forecasts"])
    passed, said = evaluated(graph, "is_what_was_issued")
    assert not passed
    assert "record 0 of BTCUSDT-arena" in said
    with pytest.raises(RunFailed, match=r"Put the table arena_records back.*Nothing was issued"):
        graph.run("walk_forward", LAST, LAST, ["arena_forecasts"])
    assert tables.read(ARENA_RECORDS).is_empty()


def test_where_nobody_competes_nothing_is_made(graph: GraphEnvironment) -> None:
    graph.run("walk_forward", LAST, LAST, ASSETS)
    assert not open_tables(graph.settings).exists(ARENA_FORECASTS)
    said = graph.metadata("arena_forecasts", LAST)
    assert said["forecasters"] == "none: BTC_FORECASTERS is empty"
    assert "dagster/column_lineage" not in said
