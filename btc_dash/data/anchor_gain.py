"""Look up what a network adds to its anchor, live and back-filled apart."""

from __future__ import annotations

import polars as pl

from btc_assets.contracts import FORECAST_SCORES, NETWORKS
from btc_assets.scoring.anchor_gain import COLUMNS, AnchorGain, anchor_gain, last_year, with_anchor
from btc_dash.data import market
from btc_dash.data.cache import TableCache
from btc_dash.data.score_rows import chunks, of_kind


def gain(cache: TableCache, network: str, kind: str) -> AnchorGain:
    """Compare the last year of a network's forecasts of a kind with its anchor's.

    Raises:
        ModelError: the anchor of an origin cannot be computed again.
    """
    return cache.keep(FORECAST_SCORES, ("anchor gain", kind), lambda: _gains(cache, kind))[network]


def _gains(cache: TableCache, kind: str) -> dict[str, AnchorGain]:
    """Compare all networks: they mostly share their origins, so each anchor is computed once."""
    ours = pl.col("model").is_in(NETWORKS)
    rows = last_year(pl.concat([of_kind(part.filter(ours), kind) for part in chunks(cache, COLUMNS)]))
    beside = with_anchor(rows, market.candles(cache), market.features(cache))
    return {name: anchor_gain(beside.filter(pl.col("model") == name)) for name in NETWORKS}
