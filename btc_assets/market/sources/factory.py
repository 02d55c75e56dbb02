"""The source that the settings name; each is imported only when it is the one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from btc_assets.errors import ConfigurationError
from btc_assets.market.implied_volatility import VolatilitySource
from btc_assets.market.retry import RetryPolicy
from btc_assets.market.sources.protocol import KlineSource

if TYPE_CHECKING:
    from btc_assets.settings import Settings


def open_source(settings: Settings, retry: RetryPolicy | None = None) -> KlineSource:
    """Open the market-data source of ``settings.source``; it makes no call yet.

    ``retry`` takes the place of what the settings say about how long to wait for it.

    Raises:
        ConfigurationError: the source needs a setting that is empty or wrong.

    Examples:
        >>> import datetime as dt
        >>> from btc_assets.settings import load
        >>> source = open_source(load({}, source="simulated"))
        >>> klines = source.klines("BTCUSDT", dt.date(2024, 2, 28), dt.date(2024, 3, 1))
        >>> [kline.date.isoformat() for kline in klines]
        ['2024-02-28', '2024-02-29']
    """
    retry = retry or RetryPolicy(deadline=settings.source_deadline)
    if settings.source == "binance":
        from btc_assets.market.sources.binance import Binance

        return Binance(
            settings.binance_url,
            retry=retry,
            hold_file=settings.cache_dir / "binance-hold.json",
            first_days_file=settings.cache_dir / "first-days.json",
        )
    if settings.source == "archive":
        from btc_assets.market.sources.archive import Archive

        if not settings.archive:
            raise ConfigurationError("BTC_SOURCE=archive needs BTC_ARCHIVE: the folder or URL of the dumps")
        return Archive(settings.archive, settings.symbol, retry=retry)
    if settings.source == "landing":
        from btc_assets.market.sources.landing import LandingZone

        if not settings.landing:
            raise ConfigurationError("BTC_SOURCE=landing needs BTC_LANDING: the folder or s3:// prefix")
        return LandingZone(settings.landing, settings.symbol, s3_endpoint=settings.s3_endpoint)
    from btc_assets.market.sources.simulated import Simulated

    return Simulated()


VOLATILITY_DEADLINE = 30.0
"""Seconds at most that a run waits for implied volatility, without which its forecasts are made."""


def open_volatility_source(settings: Settings) -> VolatilitySource | None:
    """Open the source of ``settings.implied_volatility``; None if it is off. It makes no call yet.

    Examples:
        >>> import datetime as dt
        >>> from btc_assets.settings import load
        >>> open_volatility_source(load({})) is None
        True
        >>> source = open_volatility_source(load({}, source="simulated", implied_volatility="simulated"))
        >>> len(source.implied_volatility("BTCUSDT", dt.date(2024, 2, 28), dt.date(2024, 3, 1)))
        2
    """
    if settings.implied_volatility == "deribit":
        from btc_assets.market.sources.deribit import Deribit

        deadline = min(settings.source_deadline, VOLATILITY_DEADLINE)
        return Deribit(settings.deribit_url, retry=RetryPolicy(deadline=deadline))
    if settings.implied_volatility == "simulated":
        from btc_assets.market.sources.simulated_volatility import SimulatedVolatility

        return SimulatedVolatility()
    return None
