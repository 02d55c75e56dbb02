"""Answer a question with an issued or a computed forecast, or with why there is none."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from btc_assets.contracts import MODELS
from btc_assets.errors import ModelError, NoDataYet, NotEnoughHistory, SourceError
from btc_assets.market.calendar import DAY
from btc_dash.data import market
from btc_dash.data.cache import TableCache
from btc_dash.data.context import Context
from btc_dash.data.market import DailyCandles, Forecast
from btc_dash.data.on_demand import UnknownVintage
from btc_dash.data.query import SPANS, Question, parse

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ForecastResult:
    """``past`` ends on the origin; ``after`` holds the candles behind it, up to the last target.

    ``forecast`` reaches as far as was asked, ``whole`` as far as it goes; ``over`` is one to draw over it,
    None where none was asked for or there is none.
    ``quoted_at`` is when the origin's price was looked at where its day is not over (UTC): provisional.
    """

    question: Question
    forecast: Forecast
    whole: Forecast
    past: DailyCandles
    after: DailyCandles
    travelled: bool
    symbol: str
    over: Forecast | None = None
    quoted_at: dt.datetime | None = None

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
class NoForecast:
    """Why there is nothing to show: a title, what to do about it, and a command where one helps."""

    title: str
    text: str
    command: str = ""


NO_PRICES = NoForecast(
    "No prices yet", "The history has not been loaded. This page shows it as soon as it is there.", "btc up"
)
NO_EXCHANGE = NoForecast(
    "No price now", "The exchange does not answer; forecast from the last close instead."
)
NO_FORECASTS = NoForecast(
    "No forecasts yet",
    "The prices are there, but no model has issued a forecast. It appears here as soon as one has.",
    "btc up",
)


def read_question(context: Context, values: Mapping[str, object]) -> tuple[Question, dict[str, str]]:
    """Return the question in ``values``, the newest origin not named, and by field what is wrong with it."""
    question, complaints = parse(Question, values, market.last_day(context.cache))
    if question.start == "now" or question.as_of == market.newest_origin(context.cache):
        question = question.model_copy(update={"as_of": None})
    return question, complaints


def forecast_for(context: Context, question: Question, client: str) -> ForecastResult | NoForecast:
    """Look the question up, or compute it for ``client`` where nothing was issued.

    Raises:
        TooManyRequests: ``client`` has asked for too much computing.
    """
    candles = market.history(context.cache)
    if candles.newest is None:
        return _without_prices(context.cache)
    newest = market.newest_origin(context.cache)
    if newest is None:
        return NO_FORECASTS
    if question.start == "now":
        return _from_now(context, question, client, candles)
    answer = _from_close(context, question, client, candles, newest)
    if isinstance(answer, NoForecast) or question.over in ("none", question.model):
        return answer
    return replace(answer, over=_over(context, answer, client))


def _over(context: Context, a: ForecastResult, client: str) -> Forecast | None:
    """Find what is drawn over the answer: another model or a baseline from the same close."""
    question, origin = a.question, a.forecast.origin
    over = market.issued(context.cache, question.over, origin)
    if over is None and question.over in MODELS:
        try:
            over = context.forecaster.forecast(question.over, origin, client)
        except ModelError as error:
            log.warning("no forecast of %s from %s to draw: %s", question.over, origin, error)
    return over.first(question.days) if over else None


def _from_close(
    context: Context, question: Question, client: str, candles: DailyCandles, newest: dt.date
) -> ForecastResult | NoForecast:
    origin = question.as_of or newest
    if candles.close_on(origin) is None:
        return NoForecast("No price on that day", f"There is no candle of {origin}.")
    forecast = market.issued(context.cache, question.model, origin)
    if forecast is None or question.vintage:
        try:
            forecast = context.forecaster.forecast(question.model, origin, client, question.vintage)
        except UnknownVintage as error:
            return NoForecast("No such vintage", str(error))
        except ModelError as error:
            return _cannot(question.model, origin, error)
    return result_of(context, question, forecast, candles, travelled=origin != newest)


def _without_prices(cache: TableCache) -> NoForecast:
    """Return what to do where the pair has no prices: load them, or name the pair whose prices are there."""
    others = market.pairs(cache)
    if not others:
        return NO_PRICES
    return NoForecast(
        f"No prices of {cache.symbol}",
        f"The data folder holds {' and '.join(others)}, and BTC_SYMBOL is {cache.symbol}. Set BTC_SYMBOL to "
        "what is there, or BTC_DATA_DIR to a folder of its own, and start again.",
    )


def _from_now(
    context: Context, question: Question, client: str, candles: DailyCandles
) -> ForecastResult | NoForecast:
    """Compute from the running day as it stands: provisional, computed, never part of the record."""
    try:
        quote = context.running.quote()
        forecast = context.forecaster.forecast_now(question.model, quote, client, question.vintage)
    except UnknownVintage as error:
        return NoForecast("No such vintage", str(error))
    except NoDataYet as error:
        return NoForecast("No running day", str(error))
    except SourceError as error:
        log.warning("the running day cannot be had: %s", error)
        return NO_EXCHANGE
    except ModelError as error:
        return _cannot(question.model, candles.dates[-1] + DAY, error)
    seen = candles.with_running(quote.candle)
    return replace(result_of(context, question, forecast, seen, travelled=False), quoted_at=quote.at)


def result_of(
    context: Context, question: Question, whole: Forecast, candles: DailyCandles, travelled: bool
) -> ForecastResult:
    """Lay a forecast out for the question, between the candles before it and those that followed."""
    forecast = whole.first(question.days)
    origin, span = forecast.origin, SPANS[question.span]
    first = candles.dates[0] if span is None else origin - (span - 1) * DAY
    past = candles.window(first, origin + DAY)
    after = candles.window(origin + DAY, forecast.targets[-1] + DAY)
    return ForecastResult(question, forecast, whole, past, after, travelled, context.cache.symbol)


def _cannot(model: str, origin: dt.date, error: ModelError) -> NoForecast:
    """Return why there is no forecast, without the paths that a model's own error may hold."""
    why = str(error) if isinstance(error, NotEnoughHistory) else "no sound model was in force then"
    log.warning("no forecast of %s from %s: %s", model, origin, error)
    said = f"None was issued from {origin} and none can be computed: {why}."
    return NoForecast("No forecast from that day", said)
