"""Hundreds of kill -9 at random moments of writing: tables, models, ledger and landing zone (T1, T9)."""

from __future__ import annotations

import datetime as dt
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from candles import candle
from forked_processes import ForkServer, ProcessEnd
from polars.testing import assert_frame_equal
from tiny_vintage import METRICS, write_vintage

from btc_assets.ledger.verification.verify import verify
from btc_assets.market.sources.landing import LandingZone
from btc_assets.storage.delta.store import DeltaTables
from btc_assets.storage.registry.folder import FolderRegistry
from btc_assets.storage.registry.protocol import VintageId
from tests.ledger.conftest import LedgerStore
from tests.storage.conftest import SAMPLES, day, samples

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

DAY = dt.timedelta(days=1)
Recorder = Callable[[str, object], None]
IMPORTS = """
import datetime as dt, pathlib
import tests.storage.conftest as c
from tests.ledger.conftest import LedgerStore
from btc_assets.contracts import FORECASTS
from btc_assets.market.sources.landing import LandingZone
from btc_assets.storage.delta.store import DeltaTables
from btc_assets.storage.registry.folder import FolderRegistry
from btc_assets.storage.registry.protocol import VintageId
from candles import candle
"""


@pytest.fixture
def fork_server(tmp_path: Path) -> Iterator[ForkServer]:
    with ForkServer(IMPORTS, tmp_path / "fork_server.log") as ready:
        yield ready


def kills(ends: list[ProcessEnd], at_least: int, record: Recorder) -> None:
    """Count what happened; a child that ended otherwise has found a bug."""
    others = [end for end in ends if not end.killed]
    assert others == []
    print(f"\n{len(ends)} kills, {sum(len(end.said) - 1 for end in ends)} writes finished between them")
    assert len(ends) >= at_least
    record("trials", len(ends))


TABLE = """
tables = DeltaTables(root)
say("begin")
while True:
    n += 1
    tables.upsert(c.SAMPLES, c.samples(*range(40), close=float(n)))
    tables.upsert(c.SAMPLES, c.samples(100 + n))
    say(str(n))
"""


def test_T1_150_kills_at_random_moments_of_writing_a_table(
    fork_server: ForkServer, tmp_path: Path, record_property: Recorder
) -> None:
    """Old or new, never half; and what was said to be written is there. Merging and checkpoints are hit."""
    root, chance, n = str(tmp_path / "store"), random.Random(1), 0
    DeltaTables(root).upsert(SAMPLES, samples(*range(40), close=0.0))
    ends = []
    for _ in range(150):
        end = fork_server.run(TABLE, {"root": root, "n": n}, kill_after=chance.uniform(0, 0.25))
        ends.append(end)
        said = max([n, *(int(line) for line in end.said[1:])])
        rows = DeltaTables(root).read(SAMPLES)
        rewritten, added = rows.filter(pl.col("date") < day(100)), rows.filter(pl.col("date") >= day(100))
        assert rewritten.height == 40
        (n,) = {int(close) for close in rewritten["close"]}
        assert n in (said, said + 1)
        assert added["date"].to_list()[: said - 1] == [day(100 + i) for i in range(1, said)]
        assert added.height in (n, n - 1)
        if added.height < n:
            DeltaTables(root).upsert(SAMPLES, samples(100 + n))
    kills(ends, 150, record_property)
    folder = Path(root) / "tables" / SAMPLES.name
    age(folder)
    tables = DeltaTables(root)
    tables._log(SAMPLES).tidy()
    newest = tables.version(SAMPLES)
    assert_frame_equal(tables.read(SAMPLES, version=newest), tables.read(SAMPLES))
    for version in range(0, newest, max(1, newest // 20)):
        assert tables.read(SAMPLES, version=version).height >= 0
    assert [*folder.glob(".*.tmp"), *folder.glob("_delta_log/*.tmp"), *folder.glob("_delta_log/*#*")] == []


def age(folder: Path) -> None:
    """Let two days pass for every file."""
    then = time.time() - 2 * 86_400
    for path in folder.rglob("*"):
        os.utime(path, (then, then))


REGISTRY = """
registry = FolderRegistry(root)
say("begin")
while True:
    registry.publish("mlp", VintageId(dt.date(2024, 6, 1), n), pathlib.Path(folder))
    say(str(n))
    n += 1
"""


def test_T1_T9_100_kills_at_random_moments_of_publishing_a_model(
    fork_server: ForkServer, tmp_path: Path, record_property: Recorder
) -> None:
    root, chance, n, ends = tmp_path / "store", random.Random(2), 0, []
    write_vintage(tmp_path / "made", "mlp", dt.date(2024, 6, 1))
    names = {"root": str(root), "folder": str(tmp_path / "made"), "metrics": METRICS}
    for _ in range(100):
        end = fork_server.run(REGISTRY, names | {"n": n}, kill_after=chance.uniform(0, 0.15))
        ends.append(end)
        said = [n - 1, *(int(line) for line in end.said[1:])][-1]
        registry = FolderRegistry(root)
        there = [ref.vintage.revision for ref in registry.versions("mlp")]
        n = len(there)
        assert there == list(range(n))
        assert n - 1 in (said, said + 1)
    for ref in FolderRegistry(root).versions("mlp"):
        assert FolderRegistry(root).model_folder(ref).is_dir()
    kills(ends, 100, record_property)
    drafts = list(root.glob("models/mlp/.*"))
    assert drafts
    age(root)
    FolderRegistry(root).publish("mlp", VintageId(dt.date(2024, 6, 1), n), tmp_path / "made")
    assert list(root.glob("models/mlp/.*")) == []


LEDGER = """
store = LedgerStore(pathlib.Path(root))
say("begin")
origin = dt.date.fromisoformat(first)
while True:
    issued = store.issue([origin])
    say(str(origin))
    origin += dt.timedelta(days=1)
"""


def test_T1_100_kills_at_random_moments_of_issuing_forecasts(
    fork_server: ForkServer, tmp_path: Path, record_property: Recorder
) -> None:
    """Every forecast that was issued has its record, every record its rows once the day is run again."""
    store = LedgerStore(tmp_path / "store", days_known=900)
    last, chance, ends = dt.date(2024, 1, 12), random.Random(3), []
    for trial in range(100):
        names = {"root": str(store.root), "first": str(last)}
        end = fork_server.run(LEDGER, names, kill_after=chance.uniform(0, 0.5))
        ends.append(end)
        if len(end.said) > 1:
            last = dt.date.fromisoformat(end.said[-1]) + DAY
        again = LedgerStore(store.root)
        outcome = again.issue([last]).outcomes[last]
        assert outcome in ("live", "unchanged", "restored")
        if trial % 20 == 19:
            now = again.in_time(last).now
            report = verify(again.tables, again.registry, again.symbol, features=again.features, now=now)
            assert report.ok, report.line()
    kills(ends, 100, record_property)
    report = verify(again.tables, again.registry, again.symbol, features=again.features, now=now)
    assert report.ok, report.line()
    origins = [record.origin_date for record in again.records()[1:]]
    assert origins == [dt.date(2024, 1, 12) + i * DAY for i in range(len(origins))]


LANDING = """
zone = LandingZone(root)
say("begin")
while True:
    zone.put(candle(dt.date(2024, 1, 1) + dt.timedelta(days=n % 7), trades=1000 + n))
    say(str(n))
    n += 1
"""


def test_T1_50_kills_at_random_moments_of_landing_a_candle(
    fork_server: ForkServer, tmp_path: Path, record_property: Recorder
) -> None:
    root, chance, n, ends = tmp_path / "landing", random.Random(4), 0, []
    for _ in range(50):
        end = fork_server.run(LANDING, {"root": str(root), "n": n}, kill_after=chance.uniform(0, 0.05))
        ends.append(end)
        said = [n - 1, *(int(line) for line in end.said[1:])][-1]
        zone, week = LandingZone(str(root)), (dt.date(2024, 1, 1), dt.date(2024, 1, 8))
        versions = list(zone.versions("BTCUSDT", *week))
        assert all(zone.read(version) for version in versions)
        n = len(versions)
        assert n - 1 in (said, said + 1)
    assert zone.klines("BTCUSDT", *week)[0] == candle(
        week[0], trades=1000 + (n - 1) // 7 * 7, source="landing"
    )
    kills(ends, 50, record_property)
