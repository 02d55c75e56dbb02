"""What the graph holds, cut to what was known at an origin; and the same with everything after it altered."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from btc_assets.forecasters.protocol import Needs, Observed
from btc_assets.market.calendar import DAY
from btc_assets.series import CANDLES, PROVENANCE


@dataclass(frozen=True, eq=False)
class MarketData:
    """Candles and series of one symbol over some days.

    Attributes:
        candles: rows of ``raw_klines``, by date.
        series: by name, rows of further series, by date.
    """

    candles: pl.DataFrame
    series: Mapping[str, pl.DataFrame] = field(default_factory=dict)

    @property
    def symbol(self) -> str:
        """The trading pair."""
        return str(self.candles["symbol"][0])

    def count(self, origin: dt.date) -> int:
        """Count the candles up to and with ``origin``."""
        return int((self.candles["date"] <= origin).sum())

    def observed(self, origin: dt.date, needs: Needs) -> Observed:
        """Cut everything to the ``needs.days`` up to ``origin``, without who brought a row and when."""
        known = pl.col("date").is_between(origin - (needs.days - 1) * DAY, origin)
        series = {name: _known(self.series[name], known) for name in needs.series}
        return Observed(self.symbol, origin, _known(self.candles, known), series)

    def altered_after(self, origin: dt.date) -> MarketData:
        """Return the same with every number after ``origin`` altered, prices of a day by the same factor."""
        return MarketData(
            _altered(self.candles, origin),
            {name: _altered(rows, origin) for name, rows in self.series.items()},
        )

    def write_store(self, root: str) -> None:
        """Write the candles as a table store at ``root``, where one who reads past the origin finds them."""
        from btc_assets.storage.delta.store import DeltaTables

        DeltaTables(root).upsert(CANDLES.newest, self.candles)


def _known(rows: pl.DataFrame, known: pl.Expr) -> pl.DataFrame:
    return rows.drop(PROVENANCE, strict=False).filter(known)


def _altered(rows: pl.DataFrame, origin: dt.date) -> pl.DataFrame:
    """Return ``rows`` with other numbers after ``origin``: factors of e^-0.4 to e^0.4, which repeat never."""
    later = pl.col("date") > origin
    number = pl.Series(np.exp(0.4 * np.sin(np.arange(rows.height) * 1.7 + 0.3)))
    floats = [name for name, dtype in rows.schema.items() if dtype.is_float()]
    return rows.with_columns(pl.when(later).then(pl.col(name) * number).otherwise(name).alias(name)
                             for name in floats)  # fmt: skip
