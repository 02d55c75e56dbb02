"""Write the forecast page's sentences; each says no more than the numbers support."""

from __future__ import annotations

from btc_assets.contracts import FORECAST_SCORES
from btc_assets.errors import StorageError
from btc_dash.data import track_record
from btc_dash.data.cache import TableCache
from btc_dash.data.forecasting import ForecastResult
from btc_dash.text import formatting as fmt
from btc_dash.text.record_text import comparison_text


def headline(a: ForecastResult) -> str:
    """Return the answer in one sentence."""
    low, high = range_80(a)
    when = f"on {fmt.day(a.target)}" if a.travelled else f"in {fmt.days(a.question.days)}"
    return f"Bitcoin {when}: likely between {fmt.usd(low)} and {fmt.usd(high)}"


def lead(a: ForecastResult) -> str:
    """Return what the headline leaves out: the day, the middle, and the chance of ending higher."""
    middle = a.forecast.median[-1]
    above = fmt.chance(a.forecast.chance_above(a.last_close))
    change = fmt.signed_percent(middle / a.last_close - 1)
    closed = f"closed at {fmt.usd(a.last_close)} on {fmt.day(a.past.dates[-1])}"
    if a.quoted_at:
        closed = f"stood at {fmt.usd(a.last_close)} on {fmt.moment(a.quoted_at)}, the day not being over"
    return (
        f"Bitcoin {closed}. For "
        f"{fmt.long_day(a.target)} the middle of the forecast is {fmt.usd(middle)} ({change}). "
        f"Chances are 4 in 5 that it ends in the range above, and {above} that it ends higher."
    )


def range_80(a: ForecastResult) -> tuple[float, float]:
    """Return the 80 % range on the last target."""
    return a.forecast.level(0.1)[-1], a.forecast.level(0.9)[-1]


def trust(cache: TableCache, a: ForecastResult) -> str | None:
    """Say how such forecasts did against assuming no change; None without a score or while none is read."""
    model, days = a.question.model, a.question.days
    try:
        return cache.keep(FORECAST_SCORES, ("trust", model, days), lambda: _trust(cache, model, days))
    except (StorageError, OSError):
        return None


def _trust(cache: TableCache, model: str, days: int) -> str | None:
    table = track_record.totals(cache, "all").filter(model=model, horizon=days)
    if table.is_empty():
        return None
    row = table.row(0, named=True)
    against = track_record.compare(cache, model, days, "all").get("middle")
    verdict = comparison_text(against, "assuming no change")
    if against and against.verdict in ("better", "worse"):
        verdict += f", which missed by {fmt.percent(row['naive_ape'], 1)}"
    missed = f"the middle missed by {fmt.percent(row['ape'], 1)} on average"
    inside = f"{fmt.percent(row['in80'])} of prices ended inside the 80 % range"
    return f"Over {row['n']:,} such forecasts {missed}: {verdict}. {inside}."


def hindsight(a: ForecastResult) -> str | None:
    """Say what happened after a past origin, None while nothing has."""
    if not a.after.dates:
        return None
    if a.outcome is None:
        seen, close = a.after.dates[-1], a.after.closes[-1]
        at = (seen - a.forecast.origin).days - 1
        inside = a.forecast.level(0.1)[at] <= close <= a.forecast.level(0.9)[at]
        side = "inside" if inside else "outside"
        return f"So far: {fmt.usd(close)} on {fmt.day(seen)}, {side} that day's 80 % range."
    low, high = range_80(a)
    miss = abs(a.forecast.median[-1] / a.outcome - 1)
    still = abs(a.last_close / a.outcome - 1)
    side = "inside" if low <= a.outcome <= high else "outside"
    return (
        f"What happened: Bitcoin closed at {fmt.usd(a.outcome)} on {fmt.day(a.target)}, "
        f"{side} the 80 % range. The middle was off by {fmt.percent(miss, 1)}; "
        f"assuming no change, by {fmt.percent(still, 1)}."
    )


def provenance(a: ForecastResult) -> str:
    """Return where the forecast comes from: issued and kept, back-filled, or made just now."""
    made = f"{fmt.the_model(a.forecast.model)}, fitted on prices to {fmt.day(a.forecast.vintage)}"
    if a.quoted_at:
        return f"Provisional: computed now from a day that is not over, by {made}; not part of the record."
    if a.forecast.computed:
        return f"Computed now for you by {made}; not part of the record."
    when = fmt.moment(a.forecast.issued_at)
    if a.forecast.backfilled:
        return f"Back-filled on {when} by {made}: before the days that followed."
    return f"Issued on {when} by {made}."
