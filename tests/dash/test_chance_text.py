from __future__ import annotations

import dash_data
import numpy as np
import pytest

from btc_assets.chances.answers import ChanceAnswer
from btc_assets.chances.questions import Touch
from btc_assets.chances.reliability import Tenth
from btc_dash.charts.track_record import reliability_figure
from btc_dash.data.chances import Chance, PastAnswers, past_answers
from btc_dash.data.context import Context
from btc_dash.text.chance_text import came_true, how_honest

TENTH = Tenth(1200, 9, 0.55, 0.571, 0.44, 0.68)


def such(kind: str, record: Tenth | None, by_day: float | None = 0.5) -> Chance:
    found = ChanceAnswer(np.array([] if by_day is None else [by_day]))
    return Chance(Touch(1, 100_000.0), found, dash_data.NEWEST, 90_000.0, record, kind)


def test_how_such_answers_did_is_said_with_how_many_count() -> None:
    assert came_true(such("touch", TENTH)).replace("\N{NO-BREAK SPACE}", " ") == (
        "1,200 past answers about touching a price within 1 day said 55 % on average; 57 % came true. "
        "They count for 9, for most are about days that overlap."
    )
    assert "about closing beyond a price 1 day ahead" in came_true(such("beyond", TENTH))
    assert came_true(such("touch", None)).startswith("Too few such answers")


def test_nothing_is_said_of_answers_where_no_chance_was_asked_for() -> None:
    assert came_true(such("touch", None, None)) == ""


def test_answers_are_judged_beside_simple_ones() -> None:
    past = PastAnswers(7, [TENTH], 0.295, 0.293, (0.1619, 0.172, None))
    assert how_honest(past).replace("\N{NO-BREAK SPACE}", " ") == (
        "Asked whether a price is touched within 7 days, the answers said 30 % on average, and 29 % "
        "came true. Brier score 0.162 (lower is better); past frequencies 0.172, twice the chance of closing "
        "beyond –."
    )
    assert how_honest(PastAnswers(7, [], None, None, (None, None, None))) == "No answer has come due yet."


def test_the_record_is_that_of_the_nearest_standard_day(context: Context) -> None:
    week = past_answers(context.cache, "ensemble", "touch", 10)
    assert week.horizon == 7
    assert sum(t.answers for t in week.tenths) == 53 * 8
    live = past_answers(context.cache, "ensemble", "touch", 10, "live")
    assert sum(t.answers for t in live.tenths) == 13 * 8
    assert past_answers(context.cache, "mlp", "touch", 10).tenths == []


def test_the_picture_shows_the_band_of_each_tenth() -> None:
    dots = reliability_figure([TENTH])["data"][1]
    assert dots["x"][0] == pytest.approx(55)
    assert dots["y"][0] == pytest.approx(57.1)
    assert dots["error_y"]["array"][0] > 10
