"""A trading pair and its prices as a person reads them: the coin's name, as many digits as tell something."""

from __future__ import annotations

import math

_QUOTED_IN = ("USDT", "USDC", "FDUSD", "BUSD", "TUSD", "USD")


def ticker(symbol: str) -> str:
    """Return what a pair prices: ``BTC`` for BTCUSDT."""
    return next((symbol.removesuffix(q) for q in _QUOTED_IN if symbol.endswith(q)), symbol) or symbol


def price_text(price: float, whole_from: float = 1000.0) -> str:
    """Return a price: whole from ``whole_from`` on, with two decimals from 1 on, else four digits that count.

    Examples:
        >>> price_text(91234.56), price_text(23.456), price_text(0.07412), price_text(0.0000123456)
        ('91,235', '23.46', '0.07412', '0.00001235')
    """
    if abs(price) >= whole_from:
        return f"{price:,.0f}"
    if abs(price) >= 1.0 or price == 0.0:
        return f"{price:,.2f}"
    return f"{price:.{3 - math.floor(math.log10(abs(price)))}f}"
