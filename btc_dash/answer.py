"""From a question to its answer: a forecast, the candles around it, or why there is none."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from btc_assets.errors import ModelError, NotEnoughHistory
from btc_assets.market.calendar import DAY
from btc_dash import market, words
from btc_dash.market import Forecast, History
from btc_dash.query import SPANS, Question, parse
from btc_dash.site import Site

log = logging.getLogger(__name__)


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


NO_PRICES = NoAnswer(
    "No prices yet", "The history has not been loaded. This page shows it as soon as it is there.", "btc up"
)
NO_FORECASTS = NoAnswer(
    "No forecasts yet",
    "The prices are there, but no model has issued a forecast. It appears here as soon as one has.",
    "btc up",
)


def understand(site: Site, values: Mapping[str, object]) -> tuple[Question, dict[str, str]]:
    """The question in ``values`` and, by field, what is wrong with it; the newest origin is not named.

    Raises:
        StorageError: the store fails and nothing was read before.
    """
    question, complaints = parse(values, market.last_day(site.reader))
    if question.as_of is not None and question.as_of == market.newest_origin(site.reader):
        question = replace(question, as_of=None)
    return question, complaints


def answer(site: Site, question: Question, client: str) -> Answer | NoAnswer:
    """Look the question up, or compute it for ``client`` where nothing was issued.

    Raises:
        StorageError: the store fails and nothing was read before.
        TooManyRequests: ``client`` has asked for too much computing.
    """
    candles = market.history(site.reader)
    if candles.newest is None:
        return NO_PRICES
    newest = market.newest_origin(site.reader)
    origin = question.as_of or newest
    if origin is None:
        return NO_FORECASTS
    start = candles.close_on(origin)
    if start is None:
        return NoAnswer("No price on that day", f"There is no candle of {words.long_day(origin)}.")
    forecast = market.issued(site.reader, question.model, origin)
    if forecast is None:
        try:
            forecast = site.forecaster.forecast(question.model, origin, client)
        except ModelError as error:
            return _cannot(question.model, origin, error)
    span = SPANS[question.span]
    first = candles.dates[0] if span is None else origin - dt.timedelta(days=span - 1)
    forecast = forecast.first(question.days)
    return Answer(
        question,
        forecast,
        past=candles.window(first, origin + DAY),
        after=candles.window(origin + DAY, forecast.targets[-1] + DAY),
        travelled=origin != newest,
    )


def _cannot(model: str, origin: dt.date, error: ModelError) -> NoAnswer:
    """Why there is no forecast, without the paths that a model's own error may hold."""
    why = str(error) if isinstance(error, NotEnoughHistory) else "no sound model was in force then"
    log.warning("no forecast of %s from %s: %s", model, origin, error)
    return NoAnswer(
        "No forecast from that day",
        f"{words.model(model)} has issued none from {words.day(origin)} and none can be computed: {why}.",
    )
