"""What a network is trained on at a cutoff: features, anchors and outcomes, nothing later than the cutoff."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from btc_assets.errors import NotEnoughHistory
from btc_assets.market.calendar import DAY
from btc_assets.modeling.anchor import ANCHOR_MIN_HISTORY, TRAINED_HORIZONS, Anchors
from btc_assets.modeling.features import LOOKBACK, NAMES, require_columns
from btc_assets.modeling.history import Floats, History, on_days
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
    first = max(LOOKBACK + window - 1, ANCHOR_MIN_HISTORY)
    seen = features.filter(pl.col("date") <= cutoff)
    data = usable(anchors, seen, range(first, end), end, window, kind)
    if len(data) < MIN_SAMPLES:
        raise NotEnoughHistory(
            f"{h.symbol} {kind}: a fit with cutoff {cutoff} needs {MIN_SAMPLES} usable origins, there are "
            f"{len(data)}; that takes about {fewest_candles(window)} candles, there are {end + 1}"
        )
    known = data.weights
    loss = pinball(data.anchors, data.outcomes)
    typical = (loss * known).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return replace(data, weights=known / np.where(typical > 0, typical, 1.0))


def usable(
    anchors: Anchors, features: pl.DataFrame, places: range, end: int, window: int, kind: str
) -> Samples:
    """Build samples of the usable origins at ``places``; outcomes up to position ``end`` weigh 1 each."""
    h = anchors.history
    require_columns(features)
    table = on_days(features, features.select(NAMES).to_numpy(), h.first, len(h))
    windows = [read_days(table, t, window) for t in places]
    reads = np.array([days for days in windows if days is not None], dtype=np.int64).reshape(-1, window)
    at = reads[:, -1]
    target = at[:, None] + TRAINED_HORIZONS[None, :]
    known = target <= end
    outcomes = h.log_close[np.where(known, target, 0)] - h.log_close[at][:, None]
    known &= ~np.isnan(outcomes)
    origins = [h.first + int(t) * DAY for t in at]
    inputs = table[at] if kind == "mlp" else table[reads]
    observed = np.where(known, outcomes, 0.0)
    return Samples(origins, inputs, anchors.stack(origins), observed, known.astype(np.float64))


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
