"""Made-up candles and tiny networks: enough history for one fit, quick enough to fit several."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest
from synthetic_candles import FIRST, TINY, candles, features_of

from btc_assets.modeling.training import fit

CUTOFF = FIRST + dt.timedelta(days=899)


@pytest.fixture(scope="session")
def klines() -> pl.DataFrame:
    """1,000 days of one symbol."""
    return candles(1000)


@pytest.fixture(scope="session")
def features(klines: pl.DataFrame) -> pl.DataFrame:
    return features_of(klines)


@pytest.fixture(scope="session")
def cutoff() -> dt.date:
    return CUTOFF


@pytest.fixture(scope="session")
def fitted(
    klines: pl.DataFrame, features: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """A tiny vintage of each kind, fitted once for all tests."""
    out = {}
    for kind, hyperparameters in TINY.items():
        folder = tmp_path_factory.mktemp("vintage") / kind
        fit(kind, klines, features, CUTOFF, hyperparameters, folder)
        out[kind] = folder
    return out
