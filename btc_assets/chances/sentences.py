"""Questions and answers as a person would say them."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

from btc_assets.chances.answers import LEVELS_SHOWN, ChanceAnswer
from btc_assets.chances.questions import Close, Fall, Question, Range, Stay, Touch, Worth
from btc_assets.market.calendar import DAY
from btc_assets.market.pair import price_text


def odds(chance: float) -> str:
    """Say a chance in words and per cent.

    >>> odds(0.17), odds(0.5), odds(0.84), odds(0.001)
    ('about 1 in 6 (17 %)', 'about even (50 %)', 'about 5 in 6 (84 %)', 'less than 1 in 200 (under 1 %)')
    """
    if chance < 0.005:
        return "less than 1 in 200 (under 1 %)"
    if chance > 0.995:
        return "more than 199 in 200 (over 99 %)"
    percent = f"({100 * chance:.0f} %)"
    if 0.43 <= chance <= 0.57:
        return f"about even {percent}"
    if 0.37 <= chance <= 0.63:
        return f"about {2 if chance < 0.5 else 3} in 5 {percent}"
    many = round(1.0 / min(chance, 1.0 - chance))
    return f"about {1 if chance < 0.5 else many - 1} in {many} {percent}"


def phrase(question: Question, origin: dt.date, coin: str = "BTC") -> str:
    """Say what was asked, as what follows ``coin``: ``touches 80,000 USDT by 25 December 2026``."""
    day = _day(origin + question.days * DAY)
    match question:
        case Close(low=low, high=high):
            if math.isinf(high):
                return f"closes above {_usdt(low)} on {day}"
            if low == 0.0:
                return f"closes below {_usdt(high)} on {day}"
            return f"closes between {_number(low)} and {_usdt(high)} on {day}"
        case Touch(price=price):
            return f"touches {_usdt(price)} by {day}"
        case Stay(low=low, high=high):
            return f"stays between {_number(low)} and {_usdt(high)} until {day}"
        case Fall(share=share, from_peak=from_peak):
            where = "from its highest price on the way" if from_peak else "from the last close"
            return f"falls by {100 * share:g} % or more {where} by {day}"
        case Range():
            return f"has its highest and lowest price by {day}"
        case Worth(amount=amount):
            return f"makes {_amount(amount)} {coin} worth on {day}"


def sentence(question: Question, answer: ChanceAnswer, origin: dt.date, coin: str = "BTC") -> str:
    """Answer in a sentence or two."""
    day = _day(origin + question.days * DAY)
    found = answer.quantiles
    if isinstance(question, Range):
        return (
            f"By {day} the highest price lies between {_span(found['highest'])} and the lowest between "
            f"{_span(found['lowest'])} USDT, nine times in ten each."
        )
    if isinstance(question, Worth):
        (sure, loss), (surer, more) = answer.at_risk.items()
        return (
            f"{_amount(question.amount)} {coin} {'is' if question.amount == 1 else 'are'} worth between "
            f"{_span(found['worth'])} USDT on {day}, nine times in ten. "
            f"One time in {round(1 / (1 - sure))} more than {_loss(loss)} is lost by then "
            f"({_loss(answer.shortfall[sure])} on average then), one time in {round(1 / (1 - surer))} "
            f"more than {_loss(more)} ({_loss(answer.shortfall[surer])})."
        )
    assert answer.chance is not None
    said = f"The chance that {coin} {phrase(question, origin, coin)} is {odds(answer.chance)}."
    first = first_day(answer) if isinstance(question, Touch) and question.days > 1 else None
    if first is not None:
        said += f" If it does, in half of the cases it is there by {_day(origin + first * DAY)}."
    if isinstance(question, Fall):
        typical = found["fall"][LEVELS_SHOWN.index(0.5)]
        said += f" Half of the time the largest fall is under {100 * typical:.1f} %."
    return said


def facts(question: Question, answer: ChanceAnswer, origin: dt.date, coin: str = "BTC") -> dict[str, Any]:
    """Return question and answer as plain values, for JSON."""
    return {
        "question": phrase(question, origin, coin),
        "answer": sentence(question, answer, origin, coin),
        "days": question.days,
        "target_date": origin + question.days * DAY,
        "chance": answer.chance,
        "by_day": answer.by_day.tolist(),
        "levels": list(LEVELS_SHOWN),
        "quantiles": answer.quantiles,
        "at_risk": {f"{level:g}": loss for level, loss in answer.at_risk.items()},
        "shortfall": {f"{level:g}": loss for level, loss in answer.shortfall.items()},
    }


def first_day(answer: ChanceAnswer) -> int | None:
    """Return the days ahead by which half of the paths that get there have; None where none does."""
    if answer.chance is None or answer.chance == 0.0:
        return None
    return 1 + int((answer.by_day >= answer.chance / 2).argmax())


def _day(day: dt.date) -> str:
    return f"{day.day} {day:%B %Y}"


def _usdt(price: float) -> str:
    return f"{_number(price)} USDT"


def _number(price: float) -> str:
    return f"{price:,.4g}" if 0.001 <= price < 100.0 else price_text(price, 100.0)


def _amount(coins: float) -> str:
    return f"{coins:,.8f}".rstrip("0").rstrip(".")


def _span(quantiles: list[float]) -> str:
    return f"{_number(quantiles[0])} and {_number(quantiles[-1])}"


def _loss(loss: float) -> str:
    return f"{_number(max(loss, 0.0))} USDT"
