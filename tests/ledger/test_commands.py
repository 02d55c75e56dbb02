"""The command line and the asset checks say what the ledger's functions found, and fail when they should."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from calendar_server import calendars
from typer.testing import CliRunner

from btc_assets.cli.app import app
from btc_assets.contracts import FORECASTS
from btc_assets.defs.checks.ledger import ledger_checks, verifies_whole_chain
from btc_assets.defs.partitions import Window
from btc_assets.defs.resources import Platform
from btc_assets.errors import ConfigurationError, LedgerError
from btc_assets.ledger.publishing import block_headers
from btc_assets.ledger.publishing.sinks import FileSink, missing, open_sink, read_places
from btc_assets.ledger.records import Head
from btc_assets.market.calendar import DAY
from btc_assets.settings import load

D = dt.date(2024, 1, 12)


@pytest.fixture
def issued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty):
    """A store where the settings look for it, with two days issued live and the newest head published."""
    monkeypatch.setenv("BTC_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("BTC_LEDGER_SINK", str(tmp_path / "heads.jsonl"))
    store = empty.copy(tmp_path / "data" / "real")
    store.issue([D - DAY])
    FileSink(tmp_path / "heads.jsonl").publish(store.issue([D]).head)
    return store


def run(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


def alter(store) -> None:
    row = store.stored(D).head(1)
    store.tables.upsert(FORECASTS, row.with_columns(pl.col("q500") + 1))


def test_verify_says_all_is_well_and_counts_what_was_published_in_time(issued) -> None:
    done = run("verify")
    assert done.exit_code == 0
    assert done.stdout.startswith("All is well: 3 records of BTCUSDT")
    assert "1 published head agrees" in done.stdout


def test_verify_fails_and_names_the_record(issued) -> None:
    alter(issued)
    done = run("verify")
    assert done.exit_code == 1
    assert done.stdout.startswith("NOT as recorded: record 2, origin 2024-01-12, rows:")
    assert run("verify", "--to", "2024-01-11").exit_code == 0


def test_a_range_that_runs_backwards_is_refused(issued) -> None:
    done = run("verify", "--from", "2024-01-12", "--to", "2024-01-11")
    assert isinstance(done.exception, ConfigurationError)
    assert "runs backwards" in str(done.exception)


def test_export_proof_writes_a_folder_that_checks_itself(issued, tmp_path: Path) -> None:
    done = run("export", "--proof", "--out", str(tmp_path / "proof"))
    assert done.exit_code == 0, done.exception
    script = tmp_path / "proof" / "verify_proof.py"
    checked = subprocess.run([sys.executable, "-I", str(script)], capture_output=True, text=True, check=False)
    assert "All is well: 3 records of BTCUSDT since" in checked.stdout


def test_export_wants_a_table_or_a_proof(issued, tmp_path: Path) -> None:
    for arguments in ([], ["forecasts", "--proof"]):
        done = run("export", *arguments, "--out", str(tmp_path / "x.csv"))
        assert isinstance(done.exception, ConfigurationError)


def test_the_head_can_be_shown_and_published_again(issued, tmp_path: Path) -> None:
    head = issued.records()[-1].sha256()
    assert run("ledger", "head").stdout.startswith(f"2 {head} ")
    (tmp_path / "heads.jsonl").unlink()
    assert run("ledger", "publish").exit_code == 0
    assert FileSink(tmp_path / "heads.jsonl").published("BTCUSDT")[0].record_sha256 == head


def test_a_chain_that_can_go_on_is_not_restarted(issued, monkeypatch) -> None:
    monkeypatch.setenv("BTC_SOURCE", "simulated")
    monkeypatch.setenv("BTC_DATA_DIR", str(issued.root.parent))
    (issued.root.parent / "simulated").symlink_to(issued.root)
    done = run("ledger", "restart", "--reason", "no reason")
    assert isinstance(done.exception, LedgerError)
    assert "can go on as it is" in str(done.exception)


def test_rebuild_names_a_day_that_was_never_issued(issued) -> None:
    done = run("rebuild", "2024-01-05", "--check")
    assert isinstance(done.exception, LedgerError)
    assert "nothing to rebuild" in str(done.exception)


def checks() -> dict[str, dg.AssetCheckEvaluation]:
    """The outcomes of the ledger's checks, run by Dagster."""
    forecasts = dg.AssetSpec(FORECASTS.name)
    defs = dg.Definitions(
        assets=[forecasts],
        asset_checks=[ledger_checks],
        jobs=[dg.define_asset_job("checks", dg.AssetSelection.checks(ledger_checks))],
        resources={"platform": Platform()},
        executor=dg.in_process_executor,
    )
    done = defs.resolve_job_def("checks").execute_in_process()
    return {found.check_name: found for found in done.get_asset_check_evaluations()}


def test_the_checks_pass_when_all_is_well(issued) -> None:
    found = checks()
    assert {name: check.passed for name, check in found.items()} == {"is_what_was_issued": True}
    assert found["is_what_was_issued"].metadata["rows hashed"].value == 18


def test_the_check_fails_when_a_forecast_was_altered(issued) -> None:
    alter(issued)
    found = checks()
    assert not found["is_what_was_issued"].passed
    assert "record 2, origin 2024-01-12, rows" in str(found["is_what_was_issued"].description)


def head_is_missing(store) -> list[str]:
    newest = Head("BTCUSDT", 2, store.records()[-1].sha256(), store.records()[-1].issued_at)
    sink = open_sink(load(), store.tables)
    assert sink is not None
    return missing(read_places(sink, newest.symbol), newest)


def test_a_head_in_calendars_is_shown_with_its_block_once_one_has_it(
    issued, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block_headers, "LEAST_WORK", 1)
    monkeypatch.setenv("BTC_LEDGER_HEADERS", str(tmp_path / "headers"))
    (tmp_path / "headers").write_text("")
    with calendars(2) as servers:
        addresses = ",".join(server.address for server in servers)
        monkeypatch.setenv("BTC_LEDGER_SINK", f"{tmp_path / 'heads.jsonl'}; ots+{addresses}")
        for server in servers:
            server.status = 503
        done = run("ledger", "publish")
        assert isinstance(done.exception, LedgerError)
        assert "no calendar has taken record 2 yet" in str(done.exception)
        assert head_is_missing(issued)
        for server in servers:
            server.status = 200
        done = run("ledger", "publish")
        assert "  dated by the operator's own word (no block has it yet)\n" in done.stdout
        assert not head_is_missing(issued)
        block = servers[1].mine(912_345, dt.datetime(2024, 1, 13, 4, tzinfo=dt.UTC))
        (tmp_path / "headers").write_text(f"912345 {block.hex()}\n")
        assert "  dated block 912,345, 13 Jan 2024\n" in run("ledger", "publish").stdout
    done = run("verify")
    assert done.exit_code == 0
    assert (
        "closed by a clock that is not the operator's (record 2: block 912,345, 13 Jan 2024)" in done.stdout
    )


@pytest.mark.parametrize(
    ("first", "last", "whole"),
    [
        (dt.date(2024, 1, 12), dt.date(2024, 1, 12), False),
        (dt.date(2024, 1, 14), dt.date(2024, 1, 14), True),
        (dt.date(2024, 1, 11), dt.date(2024, 1, 12), True),
    ],
)
def test_the_whole_chain_is_verified_on_sundays_and_after_a_range(first, last, whole) -> None:
    assert verifies_whole_chain(Window(first, last + DAY)) is whole
