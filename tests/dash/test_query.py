from __future__ import annotations

import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btc_assets.contracts import HORIZONS, MODELS, NETWORKS
from btc_dash.data import query
from btc_dash.data.query import (
    ForecastRequest,
    LeaderboardQuery,
    ModelQuestion,
    Question,
    RecordQuestion,
    arguments,
    parse,
    parse_strictly,
)

"""A machine under load is no fault of the code."""

LAST = dt.date(2026, 11, 21)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    "days", ["", "abc", 0, -1, 1.5, "1.5", 1e9, "1e9", float("nan"), [14], {"a": 1}, True, "９", "91"]
)
def test_W1_days_that_are_no_number_from_1_to_90_get_a_message_and_the_default(days: object) -> None:
    question, wrong = parse(Question, {"days": days}, LAST)
    assert question.days == query.DEFAULT_DAYS
    assert "a whole number of days from 1 to 90" in wrong["days"]


@pytest.mark.parametrize(("given_days", "meant"), [("1", 1), (" 30 ", 30), (90, 90), (7.0, 7), ("007", 7)])
def test_days_may_be_text_or_a_whole_number(given_days: object, meant: int) -> None:
    assert parse(Question, {"days": given_days}, LAST) == (Question(days=meant), {})


@given(st.dictionaries(st.sampled_from(["days", "model", "as_of", "span", "view"]), ANYTHING))
def test_whatever_is_asked_the_question_is_answerable(
    values: dict[str, object],
) -> None:
    question, wrong = parse(Question, values, LAST)
    assert 1 <= question.days <= HORIZONS
    assert question.model in MODELS
    assert question.as_of is None or question.as_of <= LAST
    assert question.span in query.SPANS
    assert question.view in query.VIEWS
    for message in wrong.values():
        assert len(message) < 140
        assert message.isprintable()
    json.dumps(wrong)


@given(
    st.builds(
        Question,
        days=st.integers(1, HORIZONS),
        model=st.sampled_from(MODELS),
        as_of=st.none() | st.dates(dt.date(2017, 8, 17), LAST),
        span=st.sampled_from(list(query.SPANS)),
        view=st.sampled_from(query.VIEWS),
    )
)
def test_a_question_survives_its_own_address(question: Question) -> None:
    assert parse(Question, arguments(question.search), LAST) == (question, {})


@pytest.mark.parametrize(
    ("as_of", "says"),
    [
        ("2017-08-16", "before the first candle"),
        ("2026-11-22", "after the last closed day"),
        ("2026-02-30", "not a date"),
        ("20261121", "not a date"),
        ("later", "not a date"),
        (["2026-01-01"], "not a date"),
    ],
)
def test_an_impossible_origin_says_why(as_of: object, says: str) -> None:
    question, wrong = parse(Question, {"as_of": as_of}, LAST)
    assert question.as_of is None
    assert says in wrong["as_of"]


def test_a_parameter_given_twice_is_refused_not_guessed() -> None:
    question, wrong = parse(Question, arguments("?days=7&days=30"), LAST)
    assert question.days == query.DEFAULT_DAYS
    assert wrong["days"].startswith("A list is not")


@pytest.mark.parametrize(
    "search", [None, 5, ["?days=3"], "?" + "a" * 3000, "?" + "&".join(f"a{i}=1" for i in range(99))]
)
def test_a_hostile_query_string_holds_nothing(search: object) -> None:
    assert arguments(search) == {}


def test_the_api_names_the_nearest_parameter_and_takes_no_empty_one() -> None:
    _, wrong = parse_strictly(ForecastRequest, {"dayz": "3", "vintage": "", "as_of": ""}, LAST)
    assert "did you mean days?" in wrong["dayz"]
    assert set(wrong) == {"dayz", "vintage", "as_of"}


@given(st.dictionaries(st.sampled_from([*ForecastRequest.model_fields, "x"]), ANYTHING))
def test_the_api_takes_anything_and_answers_with_text(values: dict[str, object]) -> None:
    request, wrong = parse_strictly(ForecastRequest, values, LAST)
    assert 1 <= request.days <= HORIZONS
    assert request.format in query.FORMATS
    json.dumps(wrong)


@given(st.dictionaries(st.sampled_from(["days", "model", "kind", "vintage", "since"]), ANYTHING))
def test_the_other_pages_take_anything_too(values: dict[str, object]) -> None:
    record, _ = parse(RecordQuestion, values)
    assert 1 <= record.days <= HORIZONS
    assert record.kind in query.KINDS
    board, _ = parse(LeaderboardQuery, values, LAST)
    assert board.days is None or 1 <= board.days <= HORIZONS
    assert board.kind in query.KINDS[1:]
    model, _ = parse(ModelQuestion, values)
    assert model.model in NETWORKS
