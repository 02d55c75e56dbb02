from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btc_assets.chances.questions import (
    EVENTS,
    PARTS,
    Close,
    Fall,
    ImpossibleQuestion,
    Question,
    Range,
    Stay,
    Touch,
    Worth,
    question,
)

ORIGIN = dt.date(2026, 11, 25)
START = 90_000.0


def ask(event: str, **parts: str) -> Question:
    return question({"event": event, **parts}, ORIGIN, START)


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        (ask("above", price="100000", by="2026-12-25"), Close(30, low=100_000.0)),
        (ask("below", price="$80,000", days="7"), Close(7, high=80_000.0)),
        (ask("between", low="80,000.50", high="100000", days="1"), Close(1, 80_000.5, 100_000.0)),
        (ask("touch", price="-10%", days="30"), Touch(30, 81_000.0)),
        (ask("touch", price=" +10 % ", days="90"), Touch(90, 99_000.00000000001)),
        (ask("stay", low="-5%", high="95000", days="2"), Stay(2, 85_500.0, 95_000.0)),
        (ask("fall", fall="20", days="30"), Fall(30, 0.2)),
        (ask("fall", fall="-20 %", since="peak", days="30"), Fall(30, 0.2, from_peak=True)),
        (ask("range", days="14"), Range(14)),
        (ask("worth", amount="0.5", by="2026-11-26"), Worth(1, 0.5)),
    ],
)
def test_a_question_is_read_as_people_write_it(asked: Question, meant: Question) -> None:
    assert asked == meant


@pytest.mark.parametrize(
    ("event", "parts", "field", "sentence"),
    [
        ("rise", {"days": "7"}, "event", "“rise” is no event; ask for above, below"),
        ("", {"days": "7"}, "event", "Nothing is no event"),
        ("above", {"price": "1", "days": "91"}, "days", "“91” is not a number of days from 1 to 90"),
        ("above", {"price": "1", "days": "0"}, "days", "from 1 to 90"),
        ("above", {"price": "1", "days": "1.5"}, "days", "“1.5” is not a number of days"),
        ("above", {"price": "1"}, "days", "a number of days or the date"),
        ("above", {"price": "1", "days": "3", "by": "2026-12-01"}, "days", "not both"),
        (
            "above",
            {"price": "1", "by": "2026-11-25"},
            "by",
            "2026-11-25 is over; ask for a day from",
        ),
        ("above", {"price": "1", "by": "2027-02-24"}, "by", "further off than forecasts reach"),
        ("above", {"price": "1", "by": "Christmas"}, "by", "“Christmas” is not a date such as 2027-02-23"),
        ("above", {"days": "3"}, "price", "Nothing is not a price such as 100000 or +10%"),
        ("above", {"price": "a lot", "days": "3"}, "price", "“a lot” is not a price"),
        ("above", {"price": "1e9", "days": "3"}, "price", "is not a price"),
        ("above", {"price": "-100%", "days": "3"}, "price", "A price is more than 0"),
        (
            "touch",
            {"price": "90,000", "days": "3"},
            "price",
            "is there already: it closed at 90,000.00",
        ),
        ("between", {"low": "9", "high": "8", "days": "3"}, "high", "must be above the lower one"),
        ("stay", {"low": "1", "high": "2", "days": "3"}, "low", "The price is outside already"),
        ("fall", {"fall": "100", "days": "3"}, "fall", "cannot fall by 100 %"),
        ("fall", {"fall": "0", "days": "3"}, "fall", "is not a fall in per cent"),
        ("fall", {"fall": "5", "since": "May", "days": "3"}, "since", "say here or peak"),
        ("above", {"price": "1", "low": "2", "days": "3"}, "low", "above takes price, no low"),
        ("stay", {"price": "1", "days": "3"}, "price", "stay takes low and high, no price"),
        ("range", {"since": "peak", "days": "3"}, "since", "range takes nothing but its day, no since"),
        ("worth", {"amount": "-1", "days": "3"}, "amount", "is not an amount such as 0.5"),
    ],
)
def test_an_impossible_question_gets_a_sentence(
    event: str, parts: dict[str, str], field: str, sentence: str
) -> None:
    with pytest.raises(ImpossibleQuestion) as refusal:
        ask(event, **parts)
    assert refusal.value.field == field
    assert sentence in str(refusal.value)
    assert str(refusal.value).endswith(".")


@given(
    event=st.sampled_from([*EVENTS, "x"]),
    parts=st.dictionaries(
        st.sampled_from(["days", "by", *sorted({part for parts in PARTS.values() for part in parts})]),
        st.one_of(st.text(max_size=30), st.from_regex(r"\A[-+$]?[0-9,]{1,12}(\.[0-9]+)? ?%?\Z")),
    ),
)
def test_whatever_is_written_is_read_or_refused(event: str, parts: dict[str, str]) -> None:
    try:
        asked = ask(event, **parts)
    except ImpossibleQuestion as refusal:
        sentence = str(refusal)
    else:
        sentence = f"Asked of {asked.days} days."
        assert 1 <= asked.days <= 90
        assert getattr(asked, "price", getattr(asked, "high", 1.0)) > 0
    assert len(sentence) < 200
    assert sentence.isprintable()
