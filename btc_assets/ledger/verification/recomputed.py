"""Compare stored rows with those computed again, from candles as they are or as they were before restated."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import polars as pl

from btc_assets.contracts import UTC_US, TableSpec
from btc_assets.storage.bitemporal import known, versions
from btc_assets.storage.tables import TableReader
from btc_assets.vocabulary import BASELINES, MODELS

RELATIVE = 1e-9
"""How far a number may be from what is computed again: other machines round otherwise."""

MOST_STATES = 30
"""Restatements of prices, the newest, that are gone back through to explain a row."""

_TINY = 1e-12
_PRICES = ("high", "low", "close")


def earlier_candles(
    tables: TableReader, symbol: str, issued: Sequence[dt.datetime]
) -> Iterator[pl.DataFrame]:
    """Yield the candles of ``symbol`` as they were before each restated price, newest first.

    Args:
        issued: when each record was issued: a version that was replaced before any record read it may never
            have been, and explains nothing.
    """
    everything = _read_by_a_record(versions(tables, symbol), issued)
    same_day = pl.col("date") == pl.col("date").shift(1)
    moved = pl.any_horizontal(pl.col(c) != pl.col(c).shift(1) for c in _PRICES)
    times = everything.filter(same_day & moved)["ingested_at"].unique().sort(descending=True)
    for t in times.head(MOST_STATES):
        yield known(everything, t - dt.timedelta(microseconds=1))


def _read_by_a_record(everything: pl.DataFrame, issued: Sequence[dt.datetime]) -> pl.DataFrame:
    """Keep the newest version of each candle, and those in force when a record was issued."""
    times = pl.Series(sorted(issued), dtype=UTC_US)
    begun = times.search_sorted(everything["ingested_at"], side="left")
    replaced = everything.select(pl.col("ingested_at").shift(-1).over("date")).to_series()
    ended = times.search_sorted(replaced, side="left")
    return everything.filter(replaced.is_null() | (begun < ended))


def differing(
    spec: TableSpec, stored: pl.DataFrame, due: pl.DataFrame, near: Mapping[str, float] | None = None
) -> pl.DataFrame:
    """Return the rows of ``stored`` that ``due`` has otherwise or not at all, and why in ``differs``.

    Args:
        spec: whose key identifies rows.
        due: rows as they should be, some or all columns.
        near: how far columns may lie apart, where ``RELATIVE`` is too strict.
    """
    values = [c for c in due.columns if c not in spec.key]
    due = due.with_columns(pl.lit(value=True).alias("is_due"))
    both = stored.join(due, on=spec.key, how="left", suffix="_due")
    unlike = {c: ~_alike(c, stored.schema[c], (near or {}).get(c, _TINY)) for c in values}
    absent = pl.col("is_due").is_null()
    exact = pl.all_horizontal(pl.col(c).eq_missing(pl.col(f"{c}_due")) for c in values)  # mostly, and cheap
    wrong = both.filter(absent | ~exact).filter(absent | pl.any_horizontal(unlike.values()))
    told = [
        pl.when(differs).then(pl.format(f"{c} is {{}}, not {{}}", _text(c), _text(f"{c}_due")))
        for c, differs in unlike.items()
    ]
    unknown = pl.when(absent).then(pl.lit("there is no forecast that it could be of"))
    return wrong.with_columns(differs=pl.coalesce(unknown, *told))


def _alike(column: str, dtype: pl.DataType, near: float) -> pl.Expr:
    stored, due = pl.col(column), pl.col(f"{column}_due")
    if not dtype.is_float():
        return stored.eq_missing(due)
    close = (stored - due).abs() <= RELATIVE * due.abs() + near
    number = stored.is_finite() & due.is_finite()  # what is none compares as if it were near to everything
    return pl.when(number.fill_null(value=False)).then(close).otherwise(stored.eq_missing(due))


def _text(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.String).fill_null("missing")


def unexplained(
    spec: TableSpec,
    wrong: pl.DataFrame,
    earlier: Iterable[pl.DataFrame],
    compute: Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame],
    near: Mapping[str, float] | None = None,
) -> pl.DataFrame:
    """Return the rows of ``wrong`` that do not follow from earlier candles either.

    Args:
        wrong: rows that ``differing`` found.
        earlier: states of the candles (``earlier_candles``).
        compute: from candles and the rows that are to be explained, rows as they should be.
    """
    left = wrong
    for klines in earlier if wrong.height else ():
        if left.is_empty():
            break
        again = differing(spec, left.select(spec.schema.names()), compute(klines, left), near)
        left = left.join(again, on=spec.key, how="semi")
    return left


def left_out(spec: TableSpec, stored: pl.DataFrame, due: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Find rows of ``due`` that are not in ``stored``, though a run that was cut short cannot be why.

    A day is scored for every forecast of it at once, and a forecast for every day that is over. So what was
    not scored yet are whole days, or the first days of an origin; of baselines whole origins.

    Returns:
        The keys of rows that are left out; and how many rows are not there yet.
    """
    lacking = due.join(stored, on=spec.key, how="anti").select(list(dict.fromkeys([*spec.key, spec.day])))
    if lacking.is_empty():
        return lacking, 0
    if spec.day == "origin_date":
        gone = lacking.filter(pl.col(spec.day).is_in(stored[spec.day].unique().implode()))
        return gone, lacking.height - gone.height
    group = _scored_together().alias("group")
    begun = lacking.filter(pl.col(spec.day).is_in(stored[spec.day].unique().implode()))
    least = stored.group_by("origin_date", group).agg(least=pl.col("horizon").min())
    beside = begun.with_columns(group).join(least, on=["origin_date", "group"])
    reach = pl.col("horizon").max().over("origin_date", "group")
    gone = beside.filter(pl.col("least") <= reach)
    return gone, lacking.height - gone.height


def _scored_together() -> pl.Expr:
    """Group models by what writes their forecasts at once: the networks, the baselines, each forecaster."""
    model = pl.col("model")
    ours = pl.when(model.is_in(MODELS)).then(pl.lit(MODELS[0])).otherwise(model)
    return pl.when(model.is_in(BASELINES)).then(pl.lit(BASELINES[0])).otherwise(ours)
