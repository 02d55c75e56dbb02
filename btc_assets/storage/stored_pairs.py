"""Refuse a store that holds another pair: Dagster's records of which days are done know no pair."""

from __future__ import annotations

from btc_assets.contracts import RAW_KLINES
from btc_assets.errors import ConfigurationError, StorageError
from btc_assets.storage.tables import TableReader


def stored_pairs(tables: TableReader) -> list[str]:
    """Return the pairs that the store has candles of, in order; none if it cannot be read.

    What is wrong with a table that cannot be read is told by whoever needs its rows.
    """
    try:
        if not tables.exists(RAW_KLINES):
            return []
        return sorted(tables.read(RAW_KLINES, ["symbol"])["symbol"].unique())
    except StorageError:
        return []


def require_pair(tables: TableReader, symbol: str, place: str) -> None:
    """Check that the store at ``place`` is empty or has candles of ``symbol``.

    Raises:
        ConfigurationError: it holds another pair.
    """
    pairs = stored_pairs(tables)
    if pairs and symbol not in pairs:
        raise ConfigurationError(
            f"{place} holds {' and '.join(pairs)}, and BTC_SYMBOL is {symbol}: a pair needs a folder of its "
            f"own; set BTC_DATA_DIR to another one, or BTC_SYMBOL={pairs[0]}"
        )
