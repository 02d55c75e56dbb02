"""A run that is killed at any step of publishing loses no head: the next one sends and dates it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from calendar_server import calendars
from forked_processes import ForkServer

from btc_assets.ledger.publishing import block_headers
from btc_assets.ledger.publishing.block_headers import BlockHeaders
from btc_assets.ledger.publishing.calendars import CalendarSink
from btc_assets.ledger.records import Head
from btc_assets.storage.delta.store import DeltaTables

AT = dt.datetime(2026, 11, 25, 0, 6, tzinfo=dt.UTC)
SETUP = """
import datetime as dt, os, signal
from btc_assets.ledger.publishing import block_headers, calendars
from btc_assets.ledger.publishing.block_headers import BlockHeaders
from btc_assets.ledger.publishing.calendars import CalendarSink
from btc_assets.ledger.publishing.timestamps import Stamps
from btc_assets.ledger.records import Head
from btc_assets.storage.delta.store import DeltaTables
"""

PUBLISH = """
passed = 0

def step(name):
    global passed
    say(name)
    if passed == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
    passed += 1

def around(act, name):
    def stepping(*given, **named):
        step("before " + name)
        done = act(*given, **named)
        step("after " + name)
        return done
    return stepping

globals()["step"], globals()["passed"], globals()["kill_at"] = step, 0, kill_at
block_headers.LEAST_WORK = 1
Stamps.save = around(Stamps.save, "save")
calendars.ask_all = around(calendars.ask_all, "ask")
at = dt.datetime(2026, 11, 25, 0, 6, tzinfo=dt.UTC)
CalendarSink(DeltaTables(root), addresses, BlockHeaders(headers)).publish(Head("BTCUSDT", seq, sha, at))
"""


@pytest.fixture(scope="module")
def fork_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    with ForkServer(SETUP, tmp_path_factory.mktemp("kills") / "fork_server.log") as ready:
        yield ready


def heads_after_kill(
    fork_server: ForkServer, root: Path, kill_at: int
) -> tuple[list[str], list[str], list[str]]:
    """Head 1 is taken, then a run with head 2 is killed, then one with head 3 goes through.

    Returns what the killed run had passed, and by whom each head is dated after the last run and one more.
    """
    root.mkdir()
    headers = root / "headers"
    headers.write_text("")
    with calendars(2) as servers:
        addresses = [server.address for server in servers]
        sink = CalendarSink(DeltaTables(str(root / "store")), addresses, BlockHeaders(str(headers)))
        sink.publish(Head("BTCUSDT", 1, "a" * 64, AT))
        headers.write_text(f"900001 {servers[0].mine(900_001, AT).hex()}\n")
        names = {"root": str(root / "store"), "addresses": addresses, "headers": str(headers), "seq": 2}
        end = fork_server.run(PUBLISH, names | {"sha": "b" * 64, "kill_at": kill_at})
        assert end.killed or end.status == 0, end.said
        sink.publish(Head("BTCUSDT", 3, "c" * 64, AT))
        published = [f"{p.seq} {p.dated_by}".strip() for p in sink.published("BTCUSDT")]
        headers.write_text(headers.read_text() + f"900002 {servers[0].mine(900_002, AT).hex()}\n")
        sink.publish(Head("BTCUSDT", 3, "c" * 64, AT))
        dated = [f"{p.seq} {p.dated_by}".strip() for p in sink.published("BTCUSDT")]
        return end.said, published, dated


def test_no_head_is_lost_wherever_a_run_is_killed(
    fork_server: ForkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block_headers, "LEAST_WORK", 1)
    passed: list[str] = []
    for kill_at in range(100):
        said, published, dated = heads_after_kill(fork_server, tmp_path / str(kill_at), kill_at)
        queued = said.count("after save") > 0 or said[-1] != "before save"
        both = ["2", "3"] if queued else ["3"]
        assert published == ["1 block 900,001", *both], (kill_at, said)
        assert dated == ["1 block 900,001", *(f"{seq} block 900,002" for seq in both)], (kill_at, said)
        if len(said) == len(passed):
            break
        passed = said
    assert passed.count("after save") >= 3, "queued, sent, dated"
    assert passed.count("after ask") >= 3, "the calendars for both heads, and the headers"
