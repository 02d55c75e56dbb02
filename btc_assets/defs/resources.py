"""The one Dagster resource: settings, and what they open. Opened on first use, once a process."""

from __future__ import annotations

import datetime as dt
from functools import cached_property, lru_cache
from typing import Any

import dagster as dg
from pydantic import Field

from btc_assets.market.implied_volatility import VolatilitySource
from btc_assets.market.sources.protocol import KlineSource
from btc_assets.settings import Settings, load
from btc_assets.storage.registry.protocol import ModelRegistry
from btc_assets.storage.tables import TableStore


class Platform(dg.ConfigurableResource[Any]):
    """Tables, models and the market, as the ``BTC_*`` settings say; ``overrides`` win over them.

    Examples:
        >>> Platform(overrides={"source": "simulated"}).source.name
        'simulated'
    """

    overrides: dict[str, str] = Field(default_factory=dict)

    @cached_property
    def settings(self) -> Settings:
        """The validated settings."""
        return load(None, **self.overrides)

    @cached_property
    def tables(self) -> TableStore:
        """The table store; one that holds another pair than the settings name is refused."""
        return _tables(self.settings)

    @cached_property
    def registry(self) -> ModelRegistry:
        """The model registry."""
        from btc_assets.factory import open_registry

        return open_registry(self.settings)

    @cached_property
    def source(self) -> KlineSource:
        """Where candles come from."""
        from btc_assets.market.sources.factory import open_source

        return open_source(self.settings)

    @cached_property
    def volatility_source(self) -> VolatilitySource | None:
        """Where implied volatility comes from; None if it is off."""
        from btc_assets.market.sources.factory import open_volatility_source

        return open_volatility_source(self.settings)

    def now(self) -> dt.datetime:
        """Return the wall clock (UTC)."""
        return dt.datetime.now(dt.UTC)


@lru_cache(maxsize=4)
def _tables(settings: Settings) -> TableStore:
    """Return the table store of ``settings``, opened once a process, though Dagster makes a resource a step.

    It keeps the state of each table that it has read, which on S3 takes some requests to get.
    """
    from btc_assets.factory import open_pair

    return open_pair(settings)
