from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from btc_assets.chances.answers import answer_question
from btc_assets.chances.paths import Paths
from btc_assets.chances.questions import Close, Fall, Question, Range, Stay, Touch, Worth
from btc_assets.chances.sentences import facts, odds, sentence

ORIGIN = dt.date(2026, 11, 25)
TEN = Paths(
    100_000.0,
    close=np.linspace(90_000, 108_000, 10)[None, :].repeat(2, axis=0),
    high=np.linspace(100_000, 118_000, 10)[None, :].repeat(2, axis=0),
    low=np.linspace(85_000, 99_999, 10)[None, :].repeat(2, axis=0),
)


@pytest.mark.parametrize(
    ("chance", "said"),
    [
        (0.0, "less than 1 in 200 (under 1 %)"),
        (0.011, "about 1 in 91 (1 %)"),
        (0.17, "about 1 in 6 (17 %)"),
        (0.33, "about 1 in 3 (33 %)"),
        (0.4, "about 2 in 5 (40 %)"),
        (0.5, "about even (50 %)"),
        (0.6, "about 3 in 5 (60 %)"),
        (0.67, "about 2 in 3 (67 %)"),
        (0.95, "about 19 in 20 (95 %)"),
        (1.0, "more than 199 in 200 (over 99 %)"),
    ],
)
def test_a_chance_is_said_as_a_person_would(chance: float, said: str) -> None:
    assert odds(chance) == said


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (Close(2, low=107_000.0), "that BTC closes above 107,000 USDT on 27 November 2026 is about 1 in 10"),
        (Close(2, high=95_000.0), "that BTC closes below 95,000 USDT on 27 November 2026 is about 1 in 3"),
        (Close(1, 95_000.0, 99_000.0), "closes between 95,000 and 99,000 USDT on 26 November 2026"),
        (
            Touch(2, 110_000.0),
            "touches 110,000 USDT by 27 November 2026 is about even (50 %). If it does, ",
        ),
        (Stay(2, 86_000.0, 120_000.0), "stays between 86,000 and 120,000 USDT until 27 November 2026"),
        (Fall(2, 0.1), "falls by 10 % or more from the last close by 27 November 2026"),
        (Fall(2, 0.1, from_peak=True), "from its highest price on the way"),
        (Range(2), "By 27 November 2026 the highest price lies between"),
        (
            Worth(2, 0.5),
            "0.5 BTC are worth between 45,450 and 53,550 USDT on 27 November 2026, nine",
        ),
    ],
)
def test_every_question_has_an_answer_in_a_sentence(question: Question, said: str) -> None:
    assert said in sentence(question, answer_question(TEN, question), ORIGIN)


@pytest.mark.parametrize(
    ("amount", "said"), [(2.5e6, "2,500,000 BTC"), (1e-8, "0.00000001 BTC"), (1, "1 BTC")]
)
def test_an_amount_is_told_without_powers_of_ten(amount: float, said: str) -> None:
    assert sentence(Worth(2, amount), answer_question(TEN, Worth(2, amount)), ORIGIN).startswith(said)


def test_a_touch_within_a_single_day_does_not_say_by_when() -> None:
    within = Touch(1, 110_000.0)
    said = sentence(within, answer_question(TEN, within), ORIGIN)
    assert said.endswith("touches 110,000 USDT by 26 November 2026 is about even (50 %).")


def test_another_coin_is_called_by_its_name_and_small_prices_keep_their_digits() -> None:
    cents = Paths(0.7, close=TEN.close * 7e-6, high=TEN.high * 7e-6, low=TEN.low * 7e-6)
    said = sentence(Stay(2, 0.5, 0.825), answer_question(cents, Stay(2, 0.5, 0.825)), ORIGIN, "ADA")
    assert said.startswith("The chance that ADA stays between 0.5 and 0.825 USDT until 27 November 2026 is")
    worth = sentence(Worth(2, 1.0), answer_question(cents, Worth(2, 1.0)), ORIGIN, "ADA")
    assert worth.startswith("1 ADA is worth between 0.6363 and 0.7497 USDT on 27 November 2026")


def test_facts_are_plain_values() -> None:
    found = facts(Touch(2, 110_000.0), answer_question(TEN, Touch(2, 110_000.0)), ORIGIN)
    assert found["chance"] == 0.5
    assert found["by_day"] == [0.5, 0.5]
    assert found["target_date"] == dt.date(2026, 11, 27)
