"""The one partitions definition every asset shares, and ranges of it."""

from __future__ import annotations

import datetime as dt
import warnings
from dataclasses import dataclass

import dagster as dg

from btc_assets.market.calendar import DAY, FIRST_DAY, days

# Backfill policies are beta and partitioned checks a preview in Dagster 1.13; both are used on purpose.
for _category in (dg.BetaWarning, dg.PreviewWarning):
    warnings.filterwarnings("ignore", category=_category)

DAILY_PARTITIONS = dg.DailyPartitionsDefinition(start_date=FIRST_DAY.isoformat(), timezone="UTC")
"""UTC days from the first candle to yesterday; a day appears when it is over."""

IN_ONE_RUN = dg.BackfillPolicy.single_run()
"""A range of days is one run: one request a thousand candles, one write a table."""


@dataclass(frozen=True, slots=True)
class Window:
    """The half-open range [start, end) of days that a run materialises."""

    start: dt.date
    end: dt.date

    @property
    def last(self) -> dt.date:
        """The newest day of the window."""
        return self.end - DAY

    @property
    def days(self) -> list[dt.date]:
        """The days, in order."""
        return list(days(self.start, self.end))

    def chunks(self, length: int) -> list[Window]:
        """Split it into windows of ``length`` days, the last one shorter."""
        return [Window(day, min(day + length * DAY, self.end)) for day in self.days[::length]]

    def __str__(self) -> str:
        return f"{self.start}" if self.start == self.last else f"{self.start} to {self.last}"


def window_of(context: dg.AssetExecutionContext) -> Window:
    """Return the days that this run of an asset was asked for; a single day is a window of one."""
    keys = context.partition_key_range
    return Window(dt.date.fromisoformat(keys.start), dt.date.fromisoformat(keys.end) + DAY)
