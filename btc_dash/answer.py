"""From a question to everything the forecast page says: chart data, sentences, tiles, table."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from btc_assets.market.calendar import DAY
from btc_dash import market, words
from btc_dash.market import Forecast, History
from btc_dash.query import SPANS, Question
from btc_dash.site import Site


@dataclass(frozen=True)
class Answer:
    """``past`` ends on the origin; ``after`` holds the candles behind it, up to the last target."""

    question: Question
    forecast: Forecast
    past: History
    after: History
    travelled: bool

    @property
    def last_close(self) -> float:
        """The close on the origin, USDT."""
        return self.past.closes[-1]

    @property
    def target(self) -> dt.date:
        """The last day asked for."""
        return self.forecast.targets[-1]

    @property
    def outcome(self) -> float | None:
        """The close on the last target, None while it has not come."""
        return self.after.close_on(self.target)


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Why there is nothing to show: a title, what to do about it, and a command where one helps."""

    title: str
    text: str
    command: str = ""


def answer(site: Site, question: Question) -> Answer | NoAnswer:
    """Look the question up.

    Raises:
        StorageError: the store fails and nothing was read before.
    """
    candles = market.history(site.reader)
    newest = market.newest_origin(site.reader)
    if candles.newest is None:
        return NoAnswer(
            "No prices yet",
            "The history has not been loaded. This page shows it as soon as it is there.",
            "btc up",
        )
    if newest is None:
        return NoAnswer(
            "No forecasts yet",
            "The prices are there, but no model has issued a forecast. It appears here as soon as one has.",
            "btc up",
        )
    origin = question.as_of or newest
    forecast = market.issued(site.reader, question.model, origin)
    start = candles.close_on(origin)
    if forecast is None or start is None:
        return NoAnswer(
            "No forecast from that day",
            f"{words.model(question.model)} has issued no forecast from {words.long_day(origin)}.",
            f"btc backfill --from {origin} --to {origin}",
        )
    span = SPANS[question.span]
    first = candles.dates[0] if span is None else origin - dt.timedelta(days=span - 1)
    forecast = forecast.first(question.days)
    return Answer(
        question,
        forecast,
        past=candles.window(first, origin + DAY),
        after=candles.window(origin + DAY, forecast.targets[-1] + DAY),
        travelled=question.as_of is not None,
    )


def headline(a: Answer) -> str:
    """The answer in one sentence."""
    low, high = a.forecast.level(0.1)[-1], a.forecast.level(0.9)[-1]
    when = f"in {words.days(a.question.days)}" if not a.travelled else f"on {words.day(a.target)}"
    return f"Bitcoin {when}: likely between {words.usd(low)} and {words.usd(high)}"


def lead(a: Answer) -> str:
    """What the headline leaves out: the day, the middle, and the chance of ending higher."""
    middle = a.forecast.median[-1]
    above = words.chance(a.forecast.chance_above(a.last_close))
    change = words.signed_percent(middle / a.last_close - 1)
    return (
        f"Bitcoin closed at {words.usd(a.last_close)} on {words.day(a.past.dates[-1])}. For "
        f"{words.long_day(a.target)} the middle of the forecast is {words.usd(middle)} ({change}); "
        f"chances are 4 in 5 that it ends in the range above and {above} that it ends higher than today."
    )


def hindsight(a: Answer) -> str | None:
    """For a past origin: what happened afterwards, None while nothing has."""
    if not a.after.dates:
        return None
    if a.outcome is None:
        seen, row = a.after.dates[-1], a.forecast.quantiles[(a.after.dates[-1] - a.forecast.origin).days - 1]
        inside = row[2] <= a.after.closes[-1] <= row[-3]
        return (
            f"So far: {words.usd(a.after.closes[-1])} on {words.day(seen)}, "
            f"{'inside' if inside else 'outside'} that day's 80 % range."
        )
    low, high = a.forecast.level(0.1)[-1], a.forecast.level(0.9)[-1]
    miss = a.forecast.median[-1] / a.outcome - 1
    still = abs(a.last_close / a.outcome - 1)
    return (
        f"What happened: Bitcoin closed at {words.usd(a.outcome)} on {words.day(a.target)}, "
        f"{'inside' if low <= a.outcome <= high else 'outside'} the 80 % range. The middle was off by "
        f"{words.percent(abs(miss), 1)}; assuming no change, by {words.percent(still, 1)}."
    )
