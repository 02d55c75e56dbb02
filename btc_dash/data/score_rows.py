"""Read scores a year of targets at a time, each with its kind: live, late or back-filled."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import polars as pl

from btc_assets.contracts import FORECAST_SCORES
from btc_assets.market.calendar import DAY, FIRST_DAY
from btc_assets.market.issue_timing import IssueKind
from btc_assets.scoring.issue_kinds import ISSUE_COLUMNS, ISSUED, issued_in_time, with_kind
from btc_dash.data import market
from btc_dash.data.cache import TableCache

ISSUE_KIND: dict[str, IssueKind] = {"live": "live", "late": "late", "backfilled": "back-filled"}
"""What a question calls a kind, and what the scores call it."""

_CHUNK = 365 * DAY


def chunks(cache: TableCache, columns: list[str]) -> Iterator[pl.DataFrame]:
    """Return ``columns`` of the scores and their ``kind``, up to the newest candle."""
    wanted = list(dict.fromkeys(["model", "origin_date", "live", *columns]))
    known = in_time(cache)
    for start, stop in _years(cache):
        rows = with_kind(cache.read(FORECAST_SCORES, wanted, start, stop), known)
        yield rows.select(*columns, "kind")


def in_time(cache: TableCache) -> pl.DataFrame:
    """Return model and origin_date of all forecasts that were issued before their first target closed."""

    def load() -> pl.DataFrame:
        parts = [
            issued_in_time(cache.read(spec, ISSUE_COLUMNS, start, stop))
            for spec in ISSUED
            for start, stop in _years(cache)
        ]
        return pl.concat(parts)

    return cache.keep(FORECAST_SCORES, "in time", load)


def of_kind(rows: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Choose the rows that a question is about: ``all``, or one of ``ISSUE_KIND``."""
    return rows if kind == "all" else rows.filter(pl.col("kind") == ISSUE_KIND[kind])


def _years(cache: TableCache) -> Iterator[tuple[dt.date, dt.date]]:
    """Return half-open ranges of days that end with the newest candle's; one at least."""
    end = (market.history(cache).newest or FIRST_DAY) + DAY
    start = FIRST_DAY
    while True:
        stop = min(start + _CHUNK, end)
        yield start, stop
        if stop >= end:
            return
        start = stop
