"""The sentences of the question on the forecast page."""

from __future__ import annotations

from btc_dash.data.chances import Chance, PastAnswers, standard_horizon
from btc_dash.text import formatting as fmt

FEWEST = 3
"""Answers about days that do not overlap without which nothing is said of how such answers did."""


def how_honest(past: PastAnswers) -> str:
    """Say how answers about touching a price did on the whole, beside simple answers."""
    if past.said is None or past.happened is None:
        return "No answer has come due yet."
    mine, frequency, twice = ("–" if score is None else f"{score:.3f}" for score in past.brier)
    return (
        f"Asked whether a price is touched within {fmt.days(past.horizon)}, the answers said "
        f"{fmt.percent(past.said)} on average, and {fmt.percent(past.happened)} came true. Brier score "
        f"{mine} (lower is better); past frequencies {frequency}, twice the chance of closing beyond {twice}."
    )


def came_true(chance: Chance) -> str:
    """Say how often answers of about this chance came true; nothing where no chance was asked for."""
    record = chance.record
    if chance.answer.chance is None:
        return ""
    if record is None or record.independent < FEWEST:
        return "Too few such answers can be checked yet to say how often they come true."
    said, happened = fmt.percent(record.said), fmt.percent(record.happened)
    days = fmt.days(standard_horizon(chance.question.days))
    kind = (
        f"closing beyond a price {days} ahead"
        if chance.kind == "beyond"
        else f"touching a price within {days}"
    )
    return (
        f"{record.answers:,} past answers about {kind} said {said} on average; {happened} came true. "
        f"They count for {record.independent:,}, for most are about days that overlap."
    )
