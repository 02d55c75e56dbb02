"""What the forecast page asks about the price: the parts of its question, filled in where left out."""

from __future__ import annotations

import math
from dataclasses import dataclass

from btc_assets.chances.questions import PARTS, ImpossibleQuestion, read_price
from btc_dash.data.query import PRICE_PARTS, QUESTION_PARTS, Question


@dataclass(frozen=True, slots=True)
class Line:
    """A line in the chart that can be dragged: what it sets, its price, and in what steps (USDT)."""

    part: str
    price: float
    step: float


def price_step(last_close: float) -> float:
    """Return how far a price moves with a step of its field or of its line in the chart: 0.1 to 1 %."""
    return float(10.0 ** (math.floor(math.log10(last_close)) - 2))


def digits(step: float) -> int:
    """Return how many decimals a multiple of ``step`` has."""
    return max(0, -math.floor(math.log10(step)))


def parts(question: Question, last_close: float) -> dict[str, str]:
    """Return every part as its field shows it: what was given, a per cent as its price, or the default."""
    given = question.model_dump(include=set(QUESTION_PARTS), exclude_none=True)
    for name in PRICE_PARTS & given.keys():
        given[name] = _plain_price(given[name], last_close)
    if "fall" in given:
        given["fall"] = given["fall"].removesuffix("%").strip()
    return _defaults(last_close) | given


def asked(question: Question, last_close: float) -> dict[str, str]:
    """Return the question as ``btc_assets.chances.questions`` reads it."""
    shown = parts(question, last_close)
    known = {name: shown[name] for name in needed(question)}
    return {"event": question.event, "days": str(question.days)} | known


def without_defaults(question: Question, last_close: float) -> Question:
    """Leave out parts that the event does not take or that are at their default, for a short address."""
    usual, shown, takes = _defaults(last_close), parts(question, last_close), needed(question)
    spare = [name for name in QUESTION_PARTS if name not in takes or shown[name] == usual[name]]
    return question.model_copy(update=dict.fromkeys(spare))


def needed(question: Question) -> tuple[str, ...]:
    """Return the parts that the question's event takes."""
    return next(takes for event, takes in PARTS.items() if event == question.event)


def lines(question: Question, last_close: float) -> list[Line]:
    """Return the lines of the question, as far as they are prices that can be drawn."""
    shown, step = parts(question, last_close), price_step(last_close)
    found = []
    for name in needed(question):
        if name in PRICE_PARTS:
            found.append(Line(name, _number(shown[name]), step))
        elif name == "fall" and shown["since"] == "here":
            found.append(Line(name, last_close * (1 - _number(shown[name]) / 100), 0.01 * last_close))
    return [one for one in found if 1 / 3 < one.price / last_close < 3]


def _defaults(last_close: float) -> dict[str, str]:
    """Round prices about a tenth above and below, a fall by a tenth, one coin."""
    step = 10 * price_step(last_close)
    above, below = math.ceil(1.1 * last_close / step) * step, math.floor(0.9 * last_close / step) * step
    high, low = (f"{price:.{digits(step)}f}" for price in (above, below))
    return {"price": high, "low": low, "high": high, "fall": "10", "since": "here", "amount": "1"}


def _plain_price(text: str, last_close: float) -> str:
    """Return a number, or what was given where it is none."""
    try:
        price = read_price(text, last_close)
    except ImpossibleQuestion:
        return text
    return f"{price:.{digits(price_step(last_close))}f}" if text.endswith("%") else f"{price:.10g}"


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
