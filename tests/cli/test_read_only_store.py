"""The commands and the page on a store that a web server serves: they read and verify, and never write."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from loopback import free_port, wait_for
from polars.testing import assert_frame_equal
from scored_world import ORIGINS, ScoredWorld
from typer.testing import CliRunner, Result
from web_files import WebFiles, web_files
from web_process import process

from btc_assets.cli.app import app
from btc_assets.contracts import FORECASTS, TableSpec
from btc_assets.errors import BtcError, ConfigurationError, StorageError
from btc_assets.health.context import HealthContext
from btc_assets.health.examine import DISK, MODELS, TABLES, examine
from btc_assets.health.finding import State
from btc_assets.io import web_folder
from btc_assets.settings import load
from btc_assets.storage.delta.web_tables import WebTables
from btc_dash.data.cache import TableCache


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ScoredWorld:
    return ScoredWorld(tmp_path_factory.mktemp("served") / "real")


@pytest.fixture
def server(store: ScoredWorld) -> Iterator[WebFiles]:
    with web_files(store.root.parent) as running:
        yield running


@pytest.fixture(autouse=True)
def _reader(server: WebFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of somebody else, in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BTC_DATA_DIR", server.url)
    monkeypatch.setenv("BTC_CACHE_DIR", str(tmp_path / "cache"))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_verify_follows_the_whole_record_and_finds_what_was_altered(
    store: ScoredWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run("verify")
    assert (result.exit_code, "All is well" in result.output) == (0, True), result.output
    other = store.copy(tmp_path / "altered" / "real")
    rows = other.tables.read(FORECASTS, start=ORIGINS[0], end=ORIGINS[1])
    other.tables.upsert(FORECASTS, rows.with_columns(q500=pl.col("q500") * 1.001))
    with web_files(other.root.parent) as altered:
        monkeypatch.setenv("BTC_DATA_DIR", altered.url)
        result = run("verify")
        assert result.exit_code == 1
        assert str(ORIGINS[0]) in result.output


def test_T14_an_address_where_no_record_is_is_not_called_well(
    server: WebFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a slip in the address, or of the other market, there was nothing to verify: exit code 0."""
    for name, value in (("BTC_SOURCE", "simulated"), ("BTC_DATA_DIR", f"{server.url}/real")):
        with monkeypatch.context() as slip:
            slip.setenv(name, value)
            result = run("verify")
        assert isinstance(result.exception, BtcError), result.output
        assert "there is no record of BTCUSDT at" in str(result.exception)


def test_T14_tries_again_are_logged_and_not_printed_amid_what_programs_read(tmp_path: Path) -> None:
    code = "from btc_assets.io.web_folder import WebFolder; WebFolder('http://127.0.0.1:9').get('x')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert "trying again in" in done.stderr


def test_forecast_and_export_give_what_the_owner_has(
    store: ScoredWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("export", "forecasts", "--out", str(tmp_path / "forecasts.parquet")).exit_code == 0
    assert_frame_equal(pl.read_parquet(tmp_path / "forecasts.parquet"), store.tables.read(FORECASTS))
    there = run("forecast", "--days", "7", "--json")
    monkeypatch.setenv("BTC_DATA_DIR", str(store.root.parent))
    assert there.exit_code == 0
    assert json.loads(there.output) == json.loads(run("forecast", "--days", "7", "--json").output)


def test_doctor_reads_tables_and_models_and_says_that_it_can_only_be_read(server: WebFiles) -> None:
    found = {each.name: each for each in examine(HealthContext(load()), [TABLES, MODELS, DISK])}
    assert {each.state for each in found.values()} == {State.OK}, found
    assert "can only be read: it is a web address" in found["disk"].detail
    assert "newest vintages verified" in found["models"].detail
    server.folder = server.folder / "elsewhere"
    lost = examine(HealthContext(load({}, data_dir=server.url + "/x")), [TABLES])[0]
    assert (lost.state, "check that address" in lost.detail) == (State.BROKEN, True)


@pytest.mark.parametrize(
    ("command", "error", "said"),
    [
        (["up", "--once"], ConfigurationError, "nothing is run in it"),
        (["backfill", "--from", "2023-01-01", "--to", "2023-01-02"], ConfigurationError, "nothing is run"),
        (["backup", "--out", "x.tar.gz"], ConfigurationError, "somebody else's store"),
        (["restore", "x.tar.gz"], ConfigurationError, "somebody else's store"),
        (["forecast", "--as-of", "2022-01-05"], StorageError, "whoever writes it must issue one"),
    ],
)
def test_what_would_write_is_refused_in_one_sentence(
    store: ScoredWorld, server: WebFiles, command: list[str], error: type[BtcError], said: str
) -> None:
    before = sorted(store.root.rglob("*"))
    result = run(*command)
    assert isinstance(result.exception, error), result.output
    assert said in str(result.exception)
    assert server.url in str(result.exception)
    assert sorted(store.root.rglob("*")) == before


def test_the_page_shows_the_last_good_rows_through_an_outage(
    store: ScoredWorld, server: WebFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_folder, "ATTEMPTS", 1)
    tables = WebTables(f"{server.url}/real", tmp_path / "cache", 0.0, "it is a web address")
    cache = TableCache(tables, "BTCUSDT", check_every=0.0)

    def rows(spec: TableSpec = FORECASTS) -> int:
        return cache.keep(spec, "rows", lambda: cache.read(spec).height)

    good = rows()
    assert (good, cache.outage) == (store.tables.read(FORECASTS).height, None)
    for fault in ("hang up", "503", "page", "403", "404"):
        server.spoil_always(fault)
        assert (rows(), cache.outage is not None) == (good, True), fault
        server.spoil()
        assert (rows(), cache.outage) == (good, None)


def test_the_page_is_served_from_the_web(server: WebFiles, tmp_path: Path) -> None:
    port = free_port()
    cache = str(tmp_path / "cache")
    with process(Path("unused"), BTC_DATA_DIR=server.url, BTC_WEB_PORT=str(port), BTC_CACHE_DIR=cache):
        wait_for(f"http://127.0.0.1:{port}/api/v1/health")
        shown = json.loads(wait_for(f"http://127.0.0.1:{port}/api/v1/forecast?days=7"))
    assert shown["origin_date"] == ORIGINS[-1].isoformat()
