"""Write the forecast page's sentences; each says no more than the numbers support."""

from __future__ import annotations

import datetime as dt
import math

from btc_assets.market.calendar import DAY, closes_at, last_closed_day
from btc_dash.data.forecasting import ForecastResult
from btc_dash.text import formatting as fmt

_SKEWED = 1.2
"""How many times further one side of the 80 % range reaches than the other before the page explains it."""


def headline(a: ForecastResult, now: dt.datetime) -> str:
    """Answer in one sentence, counting the days from ``now`` to the end of the last one."""
    low, high = range_80(a)
    return f"{fmt.coin(a.symbol)} {when(a, now)}: likely between {fmt.usd(low)} and {fmt.usd(high)}"


def when(a: ForecastResult, now: dt.datetime) -> str:
    """Say which day is asked about, and how far off it is unless it was asked about in the past."""
    left = math.ceil((closes_at(a.target) - now) / DAY)
    if a.travelled or left < 1:
        return f"on {fmt.day(a.target)}"
    if left == 1:
        return f"at the end of today, {fmt.day(a.target)}"
    return f"in {fmt.days(left)}, at the end of {fmt.day(a.target)}"


def lead(a: ForecastResult, now: dt.datetime) -> str:
    """Say how sure the headline is and what the forecast starts from."""
    sure = "Chances are 4 in 5 that it ends in this range."
    if a.quoted_at:
        return (
            f"{sure} The price now is {fmt.usd(a.last_close)} ({fmt.moment(a.quoted_at)}, the day not over)."
        )
    origin = a.past.dates[-1]
    said = f"{sure} It closed at {fmt.usd(a.last_close)} on {fmt.day(origin)}."
    if not a.travelled and origin < last_closed_day(now):
        said += " That is not yesterday: prices since then are missing here, and days are counted from today."
    return said


def range_80(a: ForecastResult) -> tuple[float, float]:
    """Return the 80 % range on the last target."""
    return a.forecast.level(0.1)[-1], a.forecast.level(0.9)[-1]


def shape(a: ForecastResult) -> str:
    """Explain what looks odd in the chart: a middle line without a slope, and a range that leans."""
    said = (
        "The middle line is flat on purpose. Nothing we tried could tell from past prices whether the next "
        "days go up or down, so the forecast says how far the price may go, not which way."
    )
    low, high = range_80(a)
    up, down = math.log(high / a.last_close), math.log(a.last_close / low)
    if min(up, down) <= 0 or max(up, down) < _SKEWED * min(up, down):
        return said
    side, other = ("up", "down") if up > down else ("down", "up")
    moves = {"up": fmt.signed_percent(high / a.last_close - 1),
             "down": fmt.signed_percent(low / a.last_close - 1)}  # fmt: skip
    far, near = ("rises", "falls") if up > down else ("falls", "rises")
    return (
        f"{said} The range reaches further {side} ({moves[side]}) than {other} ({moves[other]}) because in "
        f"the last years {far} over {fmt.days(a.question.days)} went further than {near}."
    )


def hindsight(a: ForecastResult) -> str | None:
    """For a past origin: what happened afterwards, None while nothing has."""
    if not a.after.dates:
        return None
    if a.outcome is None:
        seen, close = a.after.dates[-1], a.after.closes[-1]
        at = (seen - a.forecast.origin).days - 1
        inside = a.forecast.level(0.1)[at] <= close <= a.forecast.level(0.9)[at]
        side = "inside" if inside else "outside"
        return f"So far: {fmt.usd(close)} on {fmt.day(seen)}, {side} that day's {fmt.percent(0.8)} range."
    low, high = range_80(a)
    side = "inside" if low <= a.outcome <= high else "outside"
    return (
        f"What happened: {fmt.coin(a.symbol)} closed at {fmt.usd(a.outcome)} on {fmt.day(a.target)}, "
        f"{side} the {fmt.percent(0.8)} range."
    )


def provenance(a: ForecastResult) -> str:
    """Say where the forecast comes from: issued and kept, back-filled, or made just now."""
    made = f"{fmt.the_model(a.forecast.model)}, fitted on prices to {fmt.day(a.forecast.vintage)}"
    if a.quoted_at:
        return f"Provisional: computed now from a day that is not over, by {made}; not part of the record."
    if a.forecast.computed:
        return f"Computed now for you by {made}; not part of the record."
    when_made = fmt.moment(a.forecast.issued_at)
    if a.forecast.backfilled:
        return f"Back-filled on {when_made} by {made}, which had not seen the days that followed."
    return f"Issued on {when_made}, {_delay(a)} after the close, by {made}."


def until_issued(a: ForecastResult) -> str:
    """Say what is shown while the networks have issued nothing."""
    return (
        f"For now this is {fmt.the_model(a.forecast.model)}, the strongest forecast that needs no fitting. "
        "The networks are being fitted; theirs takes its place here as soon as it is issued. "
        "Not part of the record."
    )


def _delay(a: ForecastResult) -> str:
    """Return how long after the close of its origin the forecast was issued."""
    minutes = int((a.forecast.issued_at - closes_at(a.forecast.origin)).total_seconds()) // 60
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
