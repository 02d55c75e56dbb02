"""The surroundings that the settings name; stores are opened on first use."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from btc_assets.settings import Settings

if TYPE_CHECKING:
    from btc_assets.storage.registry.protocol import ModelRegistry
    from btc_assets.storage.tables import TableStore


@dataclass(frozen=True)
class HealthContext:
    """What the examinations look at."""

    settings: Settings

    @cached_property
    def tables(self) -> TableStore:
        """The table store."""
        from btc_assets.factory import open_pair

        return open_pair(self.settings)

    @cached_property
    def registry(self) -> ModelRegistry:
        """The model registry."""
        from btc_assets.factory import open_registry

        return open_registry(self.settings)

    def now(self) -> dt.datetime:
        """Read the wall clock (UTC)."""
        return dt.datetime.now(dt.UTC)
