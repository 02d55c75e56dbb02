"""Each cause is notified once; a failed delivery is tried again; whoever was notified hears of the end."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from btc_assets.errors import NotDelivered
from btc_assets.market.calendar import DAY
from btc_assets.notifications.message import Message
from btc_assets.notifications.notifier import MOST, Memory, Notifier, Problem

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
    class ReplyingServer(Ear):
        def send(self, message: Message) -> None:
            assert "SIMULATED" in message.subject
            assert "SIMULATED" in message.text
            super().send(message)

    ear, memory = ReplyingServer(), Memory()
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


def test_what_may_pass_by_itself_is_told_at_the_second_look() -> None:
    ear, memory = Ear(), Memory()
    passing = Problem("fire", "It burns", "", after=dt.timedelta(seconds=90))
    for seconds in (0, 60, 120, 180):
        Notifier([ear], "BTCUSDT", False).notify([passing], memory, NOW + dt.timedelta(seconds=seconds))
        assert len(ear.heard) == int(seconds >= 120)
    Notifier([ear], "BTCUSDT", False).notify([], memory, NOW)
    assert ear.heard[-1] == "[BTCUSDT] over: It burns"


def test_what_passed_before_it_was_told_is_never_told() -> None:
    ear, memory = Ear(), Memory()
    Notifier([ear], "BTCUSDT", False).notify([Problem("x", "x", "", after=DAY)], memory, NOW)
    Notifier([ear], "BTCUSDT", False).notify([], memory, NOW)
    assert (ear.heard, memory.open) == ([], {})


def test_the_alarms_know_nothing_of_dagster() -> None:
    code = """
import sys
import btc_assets.health.problems, btc_assets.notifications.mail, btc_assets.notifications.webhook
print([m for m in ("dagster", "requests", "dash") if m in sys.modules])
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
