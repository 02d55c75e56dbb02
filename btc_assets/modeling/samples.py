"""What a network is trained on at a cutoff: features, anchors and outcomes, nothing later than the cutoff."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from btc_assets.errors import NotEnoughHistory
from btc_assets.market.calendar import DAY
from btc_assets.modeling.anchor import ANCHOR_MIN_HISTORY, TRAINED_HORIZONS, Anchors
from btc_assets.modeling.features import LOOKBACK, NAMES, require_columns
from btc_assets.modeling.history import EPOCH, Floats, History, day_numbers
from btc_assets.statistics.metrics import pinball

MIN_SAMPLES = 365
"""Training origins without which no network is fitted."""

SLACK = 3
"""Days without a candle that may fall into the window of days that a network reads."""


def fewest_candles(window: int) -> int:
    """Count the candles that a fit of a network which reads ``window`` days needs up to its cutoff."""
    return max(LOOKBACK + window - 1, ANCHOR_MIN_HISTORY) + MIN_SAMPLES + 1


@dataclass(frozen=True, eq=False)
class Samples:
    """Training origins, oldest first.

    Attributes:
        origins: their days.
        inputs: raw features [origins, features], or [origins, window, features].
        anchors: log-return quantiles to depart from [origins, trained horizons, 21].
        outcomes: log returns that followed [origins, trained horizons]; 0 where they are not known.
        weights: what an outcome counts in the loss [origins, trained horizons]; 0 where not known at the
            cutoff; else one over the anchor's mean pinball loss at the horizon, so that horizons count alike.
    """

    origins: list[dt.date]
    inputs: Floats
    anchors: Floats
    outcomes: Floats
    weights: Floats

    def __len__(self) -> int:
        return len(self.origins)


def samples(anchors: Anchors, features: pl.DataFrame, cutoff: dt.date, window: int, kind: str) -> Samples:
    """Build the training set of a network with ``cutoff``; reads no candle and no feature after it.

    Raises:
        NotEnoughHistory: fewer than ``MIN_SAMPLES`` usable origins; says how many there are.
        BadModel: ``features`` lack a column that the networks read.
    """
    h = anchors.history
    end = h.index(cutoff)
    table = feature_table(features.filter(pl.col("date") <= cutoff), h)
    first = max(LOOKBACK + window - 1, ANCHOR_MIN_HISTORY)
    windows = [read_days(table, t, window) for t in range(first, end)]
    reads = np.array([days for days in windows if days is not None]).reshape(-1, window)
    places = reads[:, -1]
    if len(places) < MIN_SAMPLES:
        raise NotEnoughHistory(
            f"{h.symbol} {kind}: a fit with cutoff {cutoff} needs {MIN_SAMPLES} usable origins, there are "
            f"{len(places)}; that takes about {fewest_candles(window)} candles, there are {end + 1}"
        )
    origins = [h.first + int(t) * DAY for t in places]
    quantiles = anchors.stack(origins)
    target = places[:, None] + TRAINED_HORIZONS[None, :]
    known = target <= end
    outcomes = h.log_close[np.where(known, target, 0)] - h.log_close[places][:, None]
    known &= ~np.isnan(outcomes)
    outcomes = np.where(known, outcomes, 0.0)
    loss = pinball(quantiles, outcomes)
    typical = (loss * known).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    weights = np.where(known, 1.0 / np.where(typical > 0, typical, 1.0), 0.0)
    inputs = table[places] if kind == "mlp" else table[reads]
    return Samples(origins, inputs, quantiles, outcomes, weights)


def feature_table(features: pl.DataFrame, h: History) -> Floats:
    """Lay out features [days of ``h``, features] in the order of ``NAMES``, NaN where there are none."""
    require_columns(features)
    table = np.full((len(h), len(NAMES)), np.nan)
    place = day_numbers(features) - (h.first - EPOCH).days
    inside = (place >= 0) & (place < len(h))
    table[place[inside]] = features.select(NAMES).to_numpy()[inside]
    return table


def read_days(table: Floats, t: int, window: int) -> NDArray[np.int64] | None:
    """Find the positions of the ``window`` days with features up to ``t``, oldest first; None if too few.

    Days without a candle are passed over, as long as no more than ``SLACK`` of them fall in between.
    """
    first = max(0, t - window - SLACK + 1)
    known = first + np.flatnonzero(np.isfinite(table[first : t + 1]).all(axis=1))
    return known[-window:] if len(known) >= window and known[-1] == t else None


def data_digest(h: History, cutoff: dt.date) -> str:
    """Hash (SHA-256) what candles and, where known, options say up to ``cutoff``: the data of a vintage."""
    count = h.index(cutoff) + 1
    digest = hashlib.sha256(f"{h.symbol} {h.first} {count}".encode())
    for values in (h.open, h.high, h.low, h.close, h.quote_volume, h.log_realised):
        if values is not None:
            digest.update(values[:count].astype("<f8").tobytes())
    if h.log_implied is not None and np.isfinite(h.log_implied[:count]).any():
        digest.update(h.log_implied[:count].astype("<f8").tobytes())
    return digest.hexdigest()
