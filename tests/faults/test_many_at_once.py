"""Two and four processes at once on one table, one ledger, one ban file, killed at random (T7, S6)."""

from __future__ import annotations

import datetime as dt
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import exchange as faults
import pytest
from exchange import Exchange
from forked_processes import ForkServer, ProcessEnd

from btc_assets.ledger.verification.verify import verify
from btc_assets.storage.delta.store import DeltaTables
from tests.ledger.conftest import LedgerStore
from tests.storage.conftest import SAMPLES, day

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

Recorder = Callable[[str, object], None]
DAY = dt.timedelta(days=1)
IMPORTS = """
import datetime as dt, pathlib
import tests.storage.conftest as c
from tests.ledger.conftest import LedgerStore
from btc_assets.errors import LedgerError, SourceBanned, WriteConflict
from btc_assets.market.sources.binance import Binance
from btc_assets.storage.delta.store import DeltaTables
"""


@pytest.fixture
def fork_servers(tmp_path: Path) -> Iterator[list[ForkServer]]:
    four = [ForkServer(IMPORTS, tmp_path / f"fork_server-{n}.log") for n in range(4)]
    for fork_server in four:
        fork_server.__enter__()
    yield four
    for fork_server in four:
        fork_server.__exit__()


def together(
    fork_servers: list[ForkServer], script: str, each: list[dict], kills: list[float | None]
) -> list[ProcessEnd]:
    """Run ``script`` in so many processes at once, each with its names and its time to live."""
    with ThreadPoolExecutor(len(each)) as pool:
        return list(pool.map(lambda n, *a: n.run(script, *a), fork_servers, each, kills))


WRITE = """
tables = DeltaTables(root)
say("begin")
for n in range(12):
    tables.upsert(c.SAMPLES, c.samples(1000 * writer + 20 * turn + n))
    say(f"own {20 * turn + n}")
    tables.upsert(c.SAMPLES, c.samples(0, 1, 2, close=float(1000 * turn + 100 * writer + n)))
"""


@pytest.mark.parametrize("writers", [2, 4])
def test_T7_crowds_of_writers_of_which_some_are_killed_lose_no_row(
    fork_servers: list[ForkServer], tmp_path: Path, record_property: Recorder, writers: int
) -> None:
    """All write days of their own and the same three days; what was acknowledged is there, unmixed."""
    root, chance, own, killed = str(tmp_path / "store"), random.Random(writers), set(), 0
    for turn in range(8):
        each = [{"root": root, "writer": 1 + w, "turn": turn} for w in range(writers)]
        kills = [chance.uniform(0, 1.5) if w == turn % writers else None for w in range(writers)]
        for writer, end in enumerate(together(fork_servers, WRITE, each, kills), start=1):
            assert end.status in (0, -9), end
            killed += end.killed
            own |= {day(1000 * writer + int(line.split()[1])) for line in end.said if line.startswith("own")}
        rows = DeltaTables(root).read(SAMPLES)
        assert own <= set(rows["date"])
        assert rows["date"].n_unique() == rows.height
        assert rows.filter(rows["date"] < day(3))["close"].n_unique() == 1
    record_property("trials", 8 * writers)
    print(f"\n{8 * writers} writers, {killed} killed, {len(own)} days of their own")


ISSUE = """
store = LedgerStore(pathlib.Path(root))
say("begin")
for n in range(3):
    origin = dt.date.fromisoformat(first) + dt.timedelta(days=n)
    try:
        say(store.issue([origin]).outcomes[origin])
    except WriteConflict:
        say("lost")
"""


def test_T7_four_processes_that_issue_the_same_days_leave_one_record_a_day(
    fork_servers: list[ForkServer], tmp_path: Path, record_property: Recorder
) -> None:
    store = LedgerStore(tmp_path / "store", days_known=60)
    chance, first = random.Random(7), dt.date(2024, 1, 12)
    for turn in range(5):
        start = first + 3 * turn * DAY
        each = [{"root": str(store.root), "first": str(start)}] * 4
        kills = [chance.uniform(0, 1.0) if w == 0 else None for w in range(4)]
        ends = together(fork_servers, ISSUE, each, kills)
        assert all(end.status in (0, -9) for end in ends), ends
        said = [line for end in ends for line in end.said[1:]]
        assert set(said) <= {"live", "unchanged", "restored", "lost"}, said
    again = LedgerStore(store.root)
    days = [first + n * DAY for n in range(15)]
    for origin in days:
        assert again.issue([origin], again.in_time(days[-1])).outcomes[origin] in ("unchanged", "restored")
    now = again.in_time(days[-1]).now
    report = verify(again.tables, again.registry, again.symbol, features=again.features, now=now)
    assert report.ok, report.line()
    origins = [record.origin_date for record in again.records()[1:]]
    assert sorted(origins) == days
    record_property("trials", 20)


ASK = """
source = Binance(url, hold_file=pathlib.Path(hold))
say("begin")
try:
    source.klines("BTCUSDT", dt.date(2018, 2, 1), dt.date(2018, 2, 2))
    say("asked")
except SourceBanned:
    say("banned")
"""


def test_S6_a_ban_of_one_process_holds_for_all_and_for_later_ones(
    fork_servers: list[ForkServer], exchange: Exchange, tmp_path: Path
) -> None:
    names = {"url": exchange.url, "hold": str(tmp_path / "cache" / "hold.json")}
    exchange.spoil(faults.status(418, headers={"Retry-After": "600"}))
    assert fork_servers[0].run(ASK, names).said[1] == "banned"
    requests = len(exchange.requests)
    for _ in range(3):
        ends = together(fork_servers, ASK, [names] * 4, [None] * 4)
        assert [end.said[1] for end in ends] == ["banned"] * 4
    assert len(exchange.requests) == requests
    text = (tmp_path / "cache" / "hold.json").read_text()
    (tmp_path / "cache" / "hold.json").write_text(
        text.replace(text.split(":")[1].split(",")[0], f" {time.time() - 1}")
    )
    assert fork_servers[1].run(ASK, names).said[1] == "asked"
