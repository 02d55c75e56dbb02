"""Each cause is notified once; a failed delivery is tried again; whoever was notified hears of the end."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path

import dash_data
import pytest
from hypothesis import given
from hypothesis import strategies as st

from btc_assets.contracts import FORECASTS, RAW_KLINES
from btc_assets.errors import NotDelivered
from btc_assets.market.calendar import DAY, closes_at
from btc_assets.notifications.lateness import late
from btc_assets.notifications.message import Message
from btc_assets.notifications.notifier import MOST, Memory, Notifier, Problem
from btc_assets.storage.delta.store import DeltaTables

NOW = dt.datetime(2026, 11, 22, 3, 0, tzinfo=dt.UTC)
FIRE = Problem("fire", "It burns", "Fetch water.")
FLOOD = Problem("flood", "It floods", "Fetch sand.")


class Ear:
    """A channel that a test can deafen."""

    def __init__(self, name: str = "ear") -> None:
        self.name = name
        self.deaf = False
        self.heard: list[str] = []

    def send(self, message: Message) -> None:
        if self.deaf:
            raise NotDelivered(f"{self.name} is deaf")
        self.heard.append(message.subject)


def keep(memory: Memory) -> Memory:
    """The memory as another process reads it."""
    return Memory.from_json(json.loads(json.dumps(memory.as_json())))


def test_a_cause_is_told_once_however_often_it_is_found() -> None:
    ear, memory = Ear(), Memory()
    for tick in range(5):
        Notifier([ear], "BTCUSDT", False).notify([FIRE, FLOOD], memory, NOW + tick * dt.timedelta(minutes=5))
        memory = keep(memory)
    assert ear.heard == ["[BTCUSDT] It burns", "[BTCUSDT] It floods"]


def test_the_end_is_told_once_and_the_next_time_is_told_again() -> None:
    ear, memory = Ear(), Memory()
    notifier = Notifier([ear], "BTCUSDT", False)
    for problems in ([FIRE], [], [], [FIRE]):
        notifier.notify(problems, memory, NOW)
        memory = keep(memory)
    assert ear.heard == ["[BTCUSDT] It burns", "[BTCUSDT] over: It burns", "[BTCUSDT] It burns"]


def test_what_one_channel_did_not_take_is_tried_again_with_that_one_alone() -> None:
    good, bad, memory = Ear("good"), Ear("bad"), Memory()
    notifier, bad.deaf = Notifier([good, bad], "BTCUSDT", False), True
    assert notifier.notify([FIRE], memory, NOW) == [
        "notified good: [BTCUSDT] It burns",
        "NOT delivered: bad is deaf",
    ]
    memory, bad.deaf = keep(memory), False
    assert notifier.notify([FIRE], memory, NOW) == ["notified bad: [BTCUSDT] It burns"]
    assert notifier.notify([FIRE], keep(memory), NOW) == []
    assert good.heard == bad.heard == ["[BTCUSDT] It burns"]


def test_the_end_is_told_to_those_who_knew_and_tried_again_too() -> None:
    good, bad, memory = Ear("good"), Ear("bad"), Memory()
    notifier, bad.deaf = Notifier([good, bad], "BTCUSDT", False), True
    notifier.notify([FIRE], memory, NOW)
    good.deaf = True
    notifier.notify([], memory, NOW)
    assert memory.open
    good.deaf = bad.deaf = False
    notifier.notify([], memory, NOW)
    assert good.heard == ["[BTCUSDT] It burns", "[BTCUSDT] over: It burns"]
    assert bad.heard == []
    assert not memory.open


def test_every_message_about_the_simulated_market_says_so() -> None:
    class Reader(Ear):
        def send(self, message: Message) -> None:
            assert "SIMULATED" in message.subject
            assert "SIMULATED" in message.text
            super().send(message)

    ear, memory = Reader(), Memory()
    Notifier([ear], "BTCUSDT", True).notify([FIRE], memory, NOW)
    Notifier([ear], "BTCUSDT", True).notify([], memory, NOW)
    assert len(ear.heard) == 2


def test_a_thousand_causes_do_not_make_a_thousand_messages() -> None:
    ear = Ear()
    many = [Problem(str(n), str(n), "") for n in range(1000)]
    Notifier([ear], "BTCUSDT", False).notify(many, Memory(), NOW)
    assert len(ear.heard) == MOST


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["title", "since", "channels", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(json_values)
def test_whatever_json_is_kept_telling_goes_on_once_a_cause(kept: object) -> None:
    ear, memory = Ear(), Memory.from_json(kept)
    for _ in range(2):
        Notifier([ear], "BTCUSDT", False).notify([FIRE], memory, NOW)
    assert ear.heard.count("[BTCUSDT] It burns") == 1
    assert list(memory.open) == [FIRE.cause]
    assert keep(memory) == memory


HOURS = dt.timedelta(hours=3)


@pytest.fixture
def tables(tmp_path: Path) -> DeltaTables:
    store = DeltaTables(str(tmp_path / "real"))
    candles = dash_data.klines(count=30)
    store.upsert(RAW_KLINES, candles)
    store.upsert(FORECASTS, dash_data.forecasts(candles, [dash_data.NEWEST]))
    return store


def causes(tables: DeltaTables, now: dt.datetime) -> list[str]:
    return [problem.cause for problem in late(tables, "BTCUSDT", now, HOURS)]


def test_a_day_is_late_from_the_set_time_on_and_not_before(tables: DeltaTables) -> None:
    due = closes_at(dash_data.NEWEST + DAY) + HOURS
    assert causes(tables, due - dt.timedelta(seconds=1)) == []
    assert causes(tables, due) == ["late candle", "late forecast"]


def test_a_candle_without_its_forecast_is_a_late_forecast(tables: DeltaTables) -> None:
    newest = dash_data.NEWEST + DAY
    tables.upsert(RAW_KLINES, dash_data.klines(newest, count=1))
    (problem,) = late(tables, "BTCUSDT", closes_at(newest) + HOURS, HOURS)
    assert problem.title == f"The forecast of {newest} is missing"
    assert f"the newest forecast is that of {dash_data.NEWEST}" in problem.text


def test_an_outage_of_a_week_is_the_same_cause_every_day(tables: DeltaTables) -> None:
    ear, memory = Ear(), Memory()
    for days in range(1, 8):
        now = closes_at(dash_data.NEWEST + days * DAY) + HOURS
        Notifier([ear], "BTCUSDT", False).notify(late(tables, "BTCUSDT", now, HOURS), memory, now)
    assert len(ear.heard) == 2


def test_an_empty_store_is_nothing_to_tell_of(tmp_path: Path) -> None:
    assert causes(DeltaTables(str(tmp_path)), NOW) == []


def test_T5_a_store_that_cannot_be_read_is_told(tables: DeltaTables) -> None:
    for file in Path(tables.root).glob("tables/forecasts/*.parquet"):
        file.unlink()
    now = closes_at(dash_data.NEWEST) + HOURS
    (problem,) = late(tables, "BTCUSDT", now, HOURS)
    assert problem.cause == "store"
    assert "cannot be read" in problem.text


def test_the_alarms_know_nothing_of_dagster() -> None:
    code = """
import sys
import btc_assets.notifications.lateness, btc_assets.notifications.mail, btc_assets.notifications.webhook
print([m for m in ("dagster", "requests", "dash") if m in sys.modules])
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
