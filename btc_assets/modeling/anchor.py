"""The distribution that both networks depart from: a random walk that knows how wide it should be.

It is the weighted mean, level by level, of two distributions without drift:

- the *mixture walk* of ``baselines``: quantiles of past h-day returns over one, two and three years;
- the *filtered walk*: past returns divided by the volatility expected at their origin, their quantiles over
  four years multiplied by the volatility expected now (filtered historical simulation: Barone-Adesi,
  Giannopoulos and Vosper 1999, J. Futures Markets 19, 583-602).

The filtered walk counts most at short horizons, where volatility can be told, and fades with the horizon.
The expected volatility is a weighted geometric mean of the volatility of 1 to 365 days (the cascade of Corsi
2009, J. Financial Econometrics 7, 174-196); its weights are constants, from a regression on the candles of
2018 to 2020 alone, so an anchor needs no fit and is a function of a fixed window of candles. A day's
volatility comes from its 4-hour candles or, where it has none, from its own range. Both walks
divide by the weekday's share of variance, where a US holiday counts as a Sunday; the filtered one also by
what the weekday of the origin still explains of the absolute returns that are left, fully at 1 day ahead and
by 1/h of it at h. Where implied volatility is known, which is off by default, it corrects the width of both
(``implied_correction``).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from btc_assets.contracts import HORIZONS, LEVELS, MEDIAN
from btc_assets.errors import ModelError
from btc_assets.modeling.baselines import (
    ALL_HORIZONS,
    MIN_HISTORY,
    MIXTURE,
    checked,
    past_returns,
    weekday_factors,
)
from btc_assets.modeling.empirical_quantiles import quantiles_of
from btc_assets.modeling.history import Floats, History, window_mean
from btc_assets.modeling.implied_correction import MONTH, Correction, fit_correction

CASCADE = (1, 3, 7, 30, 365)
"""Days over which volatility is measured."""

CASCADE_KNOTS = (1, 3, 7, 14, 30, 90)
"""Horizons at which ``CASCADE_WEIGHTS`` are given; linear in the log of the horizon between them."""

CASCADE_WEIGHTS = np.array(
    [
        [0.21, 0.15, 0.37, 0.15],
        [0.08, 0.33, 0.20, 0.19],
        [0.11, 0.25, 0.12, 0.23],
        [0.08, 0.15, 0.13, 0.26],
        [0.05, 0.12, 0.12, 0.17],
        [0.04, 0.08, 0.08, 0.08],
    ]
)
"""Weights [knots, CASCADE without the last]; the year's is what is left to 1."""

FILTERED_SHARE = (0.80, 0.25, 30)
"""Weight of the filtered walk at 1 day, and at the third number of days; linear in the log of the horizon."""

LEAST_SHARE = 0.10

FILTERED_DAYS = 1460
"""Days of past returns that the filtered walk takes its quantiles from."""

RANGE_TO_REALISED = -0.09
"""What brings the log variance from a day's own range to the level of that from its 4-hour candles, for days
without these: median of the difference on Binance's candles up to November 2020, rounded."""

WARM_UP = 30
"""First days of a history whose expected volatility is not used to standardise what followed."""

ANCHOR_REACH = max(FILTERED_DAYS, *MIXTURE) + HORIZONS + max(CASCADE)
"""Days before an origin that its anchor reads at most."""

ANCHOR_MIN_HISTORY = MIN_HISTORY
"""Candles before an origin without which it has no anchor."""

COMPUTED = np.array([*range(1, 9), 10, 14, 21, 30, 45, 60, 90])
"""Horizons at which quantiles are computed; between them, over the root of the horizon, they are linear in
its log. Neighbouring horizons share nearly all their returns, so little is lost but time."""

TRAINED_HORIZONS = np.array([1, 2, 3, 4, 5, 7, 10, 14, 21, 30, 45, 60, 90])
"""Horizons that enter the training loss; the networks' outputs at the others follow from their knots."""


def anchor(
    h: History, origin: dt.date, seen: Floats | None = None, weekdays: bool = True, options: bool = True
) -> Floats:
    """Compute quantiles [HORIZONS, 21] of the log return from ``origin``; reads candles up to it only.

    Args:
        h: candles and the features of their days.
        origin: the day from whose close it starts.
        seen: what to take for ``seen_volatility`` of the origin, to ask what would be; None: what was seen.
        weekdays: whether the weekdays ahead count; without them every day is like any other.
        options: whether implied volatility counts, where it is known.

    Raises:
        NotEnoughHistory: no candle of the day, or fewer than ``ANCHOR_MIN_HISTORY`` before it.
    """
    root = np.sqrt(ALL_HORIZONS)
    t = checked(h, origin)
    daily = _weekday_free(h, t, COMPUTED, seen, weekdays, options) / root[COMPUTED - 1, None]
    spread = np.stack([np.interp(_LOG_HORIZON, _LOG_COMPUTED, level) for level in daily.T], axis=1)
    scale = _month(h, h.month_start(t)).ahead(t) * root if weekdays else root
    return np.asarray(spread * scale[:, None])


def seen_volatility(h: History, origin: dt.date) -> Floats:
    """Return the log volatility of the CASCADE of days up to ``origin``, weekdays levelled out [CASCADE]."""
    t = checked(h, origin)
    return np.asarray(_month(h, h.month_start(t)).log_volatility[:, t])


def cascade_weights(horizons: NDArray[np.int64]) -> Floats:
    """Compute weights [horizons, CASCADE] of the logs of volatility; rows sum to 1."""
    at = np.log(horizons)
    given = [np.interp(at, np.log(CASCADE_KNOTS), column) for column in CASCADE_WEIGHTS.T]
    return np.stack([*given, 1.0 - np.sum(given, axis=0)], axis=1)


def filtered_share(horizons: NDArray[np.int64]) -> Floats:
    """Compute the weight of the filtered walk at each horizon; the mixture walk has the rest."""
    first, later, days = FILTERED_SHARE
    return np.asarray(np.maximum(first - (first - later) * np.log(horizons) / np.log(days), LEAST_SHARE))


def _weekday_free(
    h: History,
    t: int,
    horizons: NDArray[np.int64],
    seen: Floats | None = None,
    weekdays: bool = True,
    options: bool = True,
) -> Floats:
    """Compute quantiles [horizons, 21] of log returns from position ``t``, before today's weekday counts."""
    month = _month(h, h.month_start(t))
    past = past_returns(h, t, horizons, FILTERED_DAYS) / month.behind(t, horizons, FILTERED_DAYS)
    mixture = np.zeros((len(horizons), len(LEVELS)))
    for days in MIXTURE:
        mixture += _centred(past[:, -days:]) / len(MIXTURE)
    expected = _expected_volatility(month, t, horizons, FILTERED_DAYS)
    levelled, today = _level_weekdays(past / expected[:, :-1], horizons)
    now = expected[:, -1] if seen is None else np.exp(cascade_weights(horizons) @ seen)
    filtered = _centred(levelled) * ((today if weekdays else 1.0) * now)[:, None]
    share = filtered_share(horizons)[:, None]
    quantiles = share * filtered + (1.0 - share) * mixture
    if options and month.correction is not None:
        quantiles *= np.exp(month.correction.log_factors(t, horizons))[:, None]
    return np.asarray(quantiles)


def _level_weekdays(past: Floats, horizons: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Divide ``past`` [horizons, days] by its origins' weekday sizes; also return today's size [horizons].

    The relative size is the weekday's mean absolute value over the mean of all seven; 1/h of its distance
    from 1 counts at h days.
    """
    rows, days = past.shape
    weeks = np.full((rows, -(-days // 7) * 7), np.nan)
    weeks[:, weeks.shape[1] - days :] = past
    weeks = weeks.reshape(rows, -1, 7)
    known = ~np.isnan(weeks)
    count = known.sum(axis=1)
    size = np.where(known, np.abs(weeks), 0.0).sum(axis=1) / np.maximum(count, 1)
    whole = (count > 0).all(axis=1, keepdims=True) & (size > 0).all(axis=1, keepdims=True)
    relative = np.where(whole, size / np.where(whole, size.mean(axis=1, keepdims=True), 1.0), 1.0)
    relative = 1.0 + (relative - 1.0) / horizons[:, None]
    levelled = (weeks / relative[:, None, :]).reshape(rows, -1)[:, -days:]
    # The last return ended today, so the one h - 1 places further on in its week began on today's weekday.
    return np.ascontiguousarray(levelled), relative[np.arange(rows), (horizons - 1) % 7]


def _centred(samples: Floats) -> Floats:
    """Compute quantiles [rows, 21] of each row, less their median: no drift."""
    quantiles = quantiles_of(samples)
    return np.asarray(quantiles - quantiles[:, [MEDIAN]])


def _expected_volatility(month: _Month, t: int, horizons: NDArray[np.int64], days: int) -> Floats:
    """Volatility expected at each past return's origin, oldest first, and at ``t`` [horizons, days + 1]."""
    reach = int(horizons.max())
    logs = np.full((len(CASCADE), days + reach), np.nan)
    known = month.log_volatility[:, max(0, t + 1 - days - reach) : t + 1]
    logs[:, days + reach - known.shape[1] :] = known
    windows = np.lib.stride_tricks.sliding_window_view(logs, days, axis=1)
    weights = cascade_weights(horizons)
    total = np.zeros((len(horizons), days + 1))
    for k in range(len(CASCADE)):
        total[:, :-1] += weights[:, k, None] * windows[k, reach - horizons]
        total[:, -1] += weights[:, k] * logs[k, -1]
    return np.asarray(np.exp(total))


@dataclass(frozen=True, eq=False)
class _Month:
    """What all origins of a month share: kinds of days, their factors, and kind-free log volatility.

    Attributes:
        counts: how many days of each kind there are up to and with each position [days + HORIZONS + 1, 7].
        factors: relative variance of a kind of day [7].
        log_volatility: with the kinds of days levelled out [CASCADE, days].
        correction: what implied volatility adds; None where no value is known.
    """

    counts: NDArray[np.int64]
    factors: Floats
    log_volatility: Floats
    correction: Correction | None = None
    spans: dict[int, Floats] = field(default_factory=dict)

    def ahead(self, t: int) -> Floats:
        """Compute the root of the mean factor over the days after position ``t`` [HORIZONS]."""
        return self._root_mean(self.counts[t + 2 : t + 2 + HORIZONS] - self.counts[t + 1], ALL_HORIZONS)

    def behind(self, t: int, horizons: NDArray[np.int64], days: int) -> Floats:
        """Compute it over the days of each return that ended in the ``days`` up to ``t`` [horizons, days]."""
        found = np.ones((len(horizons), days))
        for row, horizon in zip(found, horizons.tolist(), strict=True):
            known = self._span(horizon)[max(0, t + 1 - days - horizon) : t + 1 - horizon]
            row[days - len(known) :] = known
        return found

    def _span(self, horizon: int) -> Floats:
        if horizon not in self.spans:
            counts = self.counts[horizon + 1 :] - self.counts[1:-horizon]
            self.spans[horizon] = self._root_mean(counts, horizon)
        return self.spans[horizon]

    def _root_mean(self, counts: NDArray[np.int64], days: int | NDArray[np.int64]) -> Floats:
        """Add kind by kind, so that a result depends on its own days to the last bit."""
        total = sum(counts[:, kind] * self.factors[kind] for kind in range(7))
        return np.asarray(np.sqrt(total / days))


_months: WeakKeyDictionary[History, dict[int, _Month]] = WeakKeyDictionary()


def _month(h: History, start: int) -> _Month:
    """Weekday factors as known on the month's first day, and what follows from them; kept with ``h``."""
    known = _months.setdefault(h, {})
    if start not in known:
        factors = weekday_factors(h, start, h.day_kind)
        log_volatility = 0.5 * (_log_variance(h) - np.log(factors)[h.day_kind[: len(h)]])
        volatility = np.stack([window_mean(log_volatility, days, whole=False) for days in CASCADE])
        volatility[:, :WARM_UP] = np.nan
        known[start] = _Month(_counts(h), factors, volatility, _correction(h, volatility, start))
    return known[start]


def _correction(h: History, log_volatility: Floats, start: int) -> Correction | None:
    """Fit what implied volatility adds from the month's first day on; None where no value is known."""
    if h.log_implied is None or np.isnan(h.log_implied).all():
        return None
    expected = cascade_weights(np.arange(1, MONTH + 1)) @ log_volatility
    return fit_correction(h.log_implied, log_volatility[CASCADE.index(1)], expected, start)


def _counts(h: History) -> NDArray[np.int64]:
    kinds = np.eye(7, dtype=np.int64)[h.day_kind]
    return np.vstack([np.zeros((1, 7), dtype=np.int64), np.cumsum(kinds, axis=0)])


def _log_variance(h: History) -> Floats:
    """Log variance of each day, at one level whichever candles tell it.

    Raises:
        ModelError: the history was built without features, which say what the 4-hour candles tell.
    """
    if h.log_realised is None:
        raise ModelError(f"{h.symbol}: an anchor needs a history built with features; pass them to history()")
    return np.where(np.isnan(h.log_realised), h.log_variance + RANGE_TO_REALISED, h.log_realised)


_LOG_HORIZON, _LOG_COMPUTED = np.log(ALL_HORIZONS), np.log(COMPUTED)


class Anchors:
    """Keeps the anchors of a history's origins at the trained horizons, each computed once.

    An anchor is a function of the candles up to its origin: sharing it between cutoffs shares no future.

    >>> price = 100.0 + np.arange(600.0) % 7
    >>> columns = {"open": price, "high": 1.02 * price, "low": 0.98 * price, "close": price}
    >>> h = History(
    ...     "BTCUSDT", dt.date(2020, 1, 1), **columns, quote_volume=price, log_realised=np.full(600, -8.0)
    ... )
    >>> Anchors(h).at(h.last).shape  # trained horizons, levels
    (13, 21)
    """

    def __init__(self, h: History) -> None:
        self.history = h
        self._known: dict[dt.date, Floats] = {}

    def at(self, origin: dt.date) -> Floats:
        """Return the rows of ``anchor`` from ``origin`` at ``TRAINED_HORIZONS`` alone [horizons, 21]."""
        if origin not in self._known:
            h, t = self.history, checked(self.history, origin)
            scale = _month(h, h.month_start(t)).ahead(t)[TRAINED_HORIZONS - 1]
            self._known[origin] = np.asarray(_weekday_free(h, t, TRAINED_HORIZONS) * scale[:, None])
        return self._known[origin]

    def stack(self, origins: list[dt.date]) -> Floats:
        """Stack anchors [origins, trained horizons, 21]."""
        if not origins:
            return np.zeros((0, len(TRAINED_HORIZONS), len(LEVELS)))
        return np.stack([self.at(origin) for origin in origins])
