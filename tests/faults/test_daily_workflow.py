"""Days of the workflow of a fork, disturbed, end as so many quiet days of a server."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import time_machine
from daily_fork import Fork, Job
from exchange import Exchange, hang, status
from graph_environment import LAST, GraphEnvironment, point_settings_at
from loopback import serve_folder
from timeless_tables import require_equal, tables_of

from btc_assets.backup.follow import Follower
from btc_assets.backup.make import backup
from btc_assets.backup.published import ARCHIVE, STATE, next_state, restore_newest
from btc_assets.factory import all_tables, open_tables
from btc_assets.launch import open_instance
from btc_assets.ledger.records import head
from btc_assets.market.calendar import DAY, FIRST_DAY
from btc_assets.settings import Settings, load

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]

ORIGINS = 30
"""What `btc daily` keeps up before the day, all of which the first state has."""
SPECS = list(all_tables().values())
MISSED = {3, 8, 9, 10, 17, 24}
"""Days on which no cron came."""


def after_midnight(day: dt.date) -> dt.datetime:
    """When the workflow runs for ``day``, which is over then."""
    return dt.datetime.combine(day + DAY, dt.time(0, 11), dt.UTC)


def quiet_settings(exchange: Exchange, folder: Path) -> Settings:
    return load(
        {"BTC_BINANCE_URL": exchange.url},
        source="binance",
        data_dir=str(folder),
        cache_dir=folder / "cache",
    )


@pytest.fixture(autouse=True)
def _no_instance_of_the_undisturbed(monkeypatch: pytest.MonkeyPatch, undisturbed: object) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)


@pytest.fixture(params=[11, pytest.param(30, marks=pytest.mark.long)])
def days(request: pytest.FixtureRequest) -> int:
    """How many days; in the first eleven lies everything that can go wrong."""
    count: int = request.param
    return count


@pytest.fixture
def begun(tmp_path: Path, days: int) -> Iterator[tuple[Path, Exchange]]:
    """A record of ``ORIGINS`` days up to ``LAST``, with a vintage for every day to come, and its exchange."""
    exchange = Exchange(clock=after_midnight(LAST))
    exchange.list_market(FIRST_DAY, LAST + (days + 1) * DAY)
    exchange.start()
    folder = tmp_path / "begun"
    with pytest.MonkeyPatch.context() as patch:
        settings = point_settings_at(patch, exchange, folder)
        with time_machine.travel(exchange.clock), open_instance(settings) as instance:
            graph = GraphEnvironment(exchange, settings, instance)
            graph.run("market_history", FIRST_DAY, LAST)
            graph.register(LAST - ORIGINS * DAY, LAST + days * DAY)
            graph.run("walk_forward", LAST - (ORIGINS - 1) * DAY, LAST)
    yield folder, exchange
    exchange.stop()


@pytest.fixture
def undisturbed(begun: tuple[Path, Exchange], days: int, tmp_path: Path) -> dict[str, pl.DataFrame]:
    """Every table after the daily job ran once a day."""
    folder, exchange = tmp_path / "undisturbed", begun[1]
    shutil.copytree(begun[0], folder)
    with pytest.MonkeyPatch.context() as patch:
        settings = point_settings_at(patch, exchange, folder)
        with time_machine.travel(exchange.clock) as clock, open_instance(settings) as instance:
            graph = GraphEnvironment(exchange, settings, instance)
            for n in range(1, days + 1):
                exchange.clock = after_midnight(LAST + n * DAY)
                clock.move_to(exchange.clock)
                graph.run("daily_partition", LAST + n * DAY, LAST + n * DAY)
        return tables_of(settings)


@pytest.fixture
def fork(begun: tuple[Path, Exchange], tmp_path: Path) -> Iterator[Fork]:
    """A fork on which the record of ``begun`` is published as its first state."""
    folder, exchange = begun
    given = {
        "BTC_BINANCE_URL": exchange.url,
        "BTC_SOURCE_DEADLINE": "30",
        "BTC_CACHE_DIR": str(tmp_path / "cache"),
    }
    fork = Fork(tmp_path / "fork", given)
    first = fork.job(exchange.clock)
    out = first.folder / "out"
    out.mkdir()
    settings = quiet_settings(exchange, folder)
    manifest = backup(settings, out / ARCHIVE, SPECS, with_dagster=False)
    newest = head(open_tables(settings), settings.symbol)
    assert newest is not None
    state = next_state(None, manifest, newest, out / ARCHIVE)
    for name, text in (
        ("tag.txt", state.tag),
        (STATE, state.encode().decode()),
        ("proof.tar.gz", ""),
        ("notes.txt", ""),
    ):
        (out / name).write_text(text)
    del first.steps[:-1]
    assert first.run(), first.said
    with serve_folder(tmp_path / "fork" / "github") as fork.github:
        yield fork


def succeed(job: Job) -> None:
    assert job.run(), job.said


def disturb(fork: Fork, exchange: Exchange, n: int) -> None:
    """Let a run of day ``n`` go wrong, if one shall; nothing may be published by it."""
    before = fork.states()
    job = fork.job(exchange.clock)
    if n in (2, 12):  # killed when it asks for candles
        exchange.requests.clear()
        exchange.spoil(hang, path="/api/v3/klines")
        job.run(upto=2)
        job.kill(lambda: exchange.asked())
    elif n in (5, 19):  # killed when a forecast was issued
        job.run(upto=2)
        records = "tables/issue_records/_delta_log/*.json"
        known = list(restored(job, fork).glob(records))
        job.kill(lambda: len(list(job.store.glob(records))) > len(known))
    elif n in (7, 22):  # killed when it writes what is to be published
        job.run(upto=2)
        job.kill(lambda: list(job.folder.glob("tmp/btc-daily-*/out/*")))
    elif n in (6, 14, 27):  # its runner dies while it uploads
        assert not job.run(GH_TORN="1")
    elif n in (1, 20):  # the exchange does not serve the runner's country
        exchange.spoil(status(451), times=1000)
        assert not job.run()
    exchange.behave()
    assert fork.states() == before, job.said


def restored(job: Job, fork: Fork) -> Path:
    """What is published, in a folder."""
    settings = load({}, source="binance", data_dir=str(job.folder / "known"), published=fork.address)
    assert restore_newest(settings, SPECS) is not None
    return Path(settings.root)


def run_twice_at_once(fork: Fork, exchange: Exchange) -> None:
    """Two runs go on from the same state; only the first to publish does."""
    jobs = [fork.job(exchange.clock), fork.job(exchange.clock)]
    for job in jobs:
        assert job.run(upto=1), job.said
    succeed(jobs[0])
    assert not jobs[1].run()
    assert "already exists" in jobs[1].said


def test_C8_missed_doubled_and_failed_crons_end_as_quiet_days(
    fork: Fork, begun: tuple[Path, Exchange], days: int, undisturbed: dict[str, pl.DataFrame], tmp_path: Path
) -> None:
    exchange = begun[1]
    follower = Follower(
        load({}, source="binance", data_dir=str(tmp_path / "followed")), f"{fork.address}/{ARCHIVE}", SPECS
    )
    for n in range(1, days + 1):
        exchange.clock = after_midnight(LAST + n * DAY)
        if n in MISSED:
            continue
        disturb(fork, exchange, n)
        before = fork.states()
        if n in (4, 25):
            run_twice_at_once(fork, exchange)
        else:
            succeed(fork.job(exchange.clock))
        assert len(fork.states()) == len(before) + 1
        if n % 5 == 0:
            again = fork.job(exchange.clock)
            succeed(again)
            assert "nothing is new" in again.said
            report = follower.refresh()
            assert report is not None
            assert report.ok
    assert len(fork.states()) == 1 + days - sum(n <= days for n in MISSED)
    settings = load({}, source="binance", data_dir=str(tmp_path / "end"), published=fork.address)
    found = restore_newest(settings, SPECS)
    assert found is not None
    assert found.state.number == len(fork.states())
    require_equal(tables_of(settings), undisturbed)
    check_proof(fork, found.state.head, tmp_path)


def check_proof(fork: Fork, head_sha256: str, folder: Path) -> None:
    """Check the published proof with the script in it, as a stranger would."""
    with tarfile.open(fork.releases / "latest" / "download" / "proof.tar.gz") as tar:
        tar.extractall(folder, filter="data")
    script = [sys.executable, "-I", str(folder / "proof" / "verify_proof.py"), head_sha256]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((folder / "proof" / "bundle.json").read_text())["symbol"] == "BTCUSDT"
