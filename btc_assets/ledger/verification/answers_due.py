"""What the scores of answers must be, as far as it follows without making paths."""

from __future__ import annotations

import numpy as np
import polars as pl

from btc_assets.chances.marginals import share_beyond
from btc_assets.chances.outcomes import AHEAD, KINDS, MOVES, outcomes, past_frequencies
from btc_assets.chances.paths import COUNT
from btc_assets.chances.scores import scored
from btc_assets.contracts import CHANCE_SCORES, QUANTILES
from btc_assets.market.issue_timing import live_column
from btc_assets.modeling.history import EPOCH, day_numbers, history

_KEY = list(CHANCE_SCORES.key)


def answers_due(forecasts: pl.DataFrame, klines: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """Compute the scores of answers to the standard questions about ``forecasts`` whose day has closed.

    The chance of a close beyond a price follows from the quantiles alone. That of a touch needs paths: the
    stored one is taken as it is, if it is no smaller, and its scores follow.

    Args:
        forecasts: rows of FORECASTS at the horizons that are asked about, with the column ``live_hours``.
        stored: rows of CHANCE_SCORES.
    """
    h = history(klines)
    asked = _asked(forecasts).join(stored.select(*_KEY, "chance"), on=_KEY, how="left")
    at = day_numbers(asked.select(date="origin_date")) - (h.first - EPOCH).days
    asked, at = asked.filter(at < len(h)), at[at < len(h)]
    found = outcomes(h)
    place = tuple(asked[c].to_numpy() for c in ("kind_at", "ahead_at", "move_at"))
    happened, frequency = found[(*place, at)], past_frequencies(found)[(*place, at)]
    move = asked["move"].to_numpy()
    price = h.close[at] * (1.0 + move)
    beyond = share_beyond(asked.select(QUANTILES).to_numpy(), price, move > 0, COUNT)
    touch = asked["kind"].to_numpy() == "touch"
    said = asked["chance"].fill_nan(0.0).fill_null(np.nan).to_numpy()
    said = np.where(touch, np.clip(said, beyond, 1.0), said)
    scores = scored(touch, said, beyond, happened, frequency)
    chance = pl.Series(np.where(touch, said, beyond))
    due = asked.with_columns(live_column(), price=pl.Series(price), **scores | {"chance": chance})
    return due.filter(pl.col("happened").is_not_null()).select(CHANCE_SCORES.schema.names())


def _asked(forecasts: pl.DataFrame) -> pl.DataFrame:
    """Return a row a question: the forecast, what is asked, and its places in KINDS, AHEAD and MOVES."""
    kinds = pl.DataFrame({"kind": KINDS, "kind_at": range(len(KINDS))})
    moves = pl.DataFrame({"move": MOVES, "move_at": range(len(MOVES))})
    ahead = pl.DataFrame({"horizon": AHEAD, "ahead_at": range(len(AHEAD))})
    horizons = ahead.cast({"horizon": CHANCE_SCORES.schema["horizon"]})
    return forecasts.join(horizons, on="horizon").join(kinds, how="cross").join(moves, how="cross")
