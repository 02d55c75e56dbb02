"""Compute baselines, scores and answers again from forecasts and candles, and name the rows that differ."""

from __future__ import annotations

import contextlib
import datetime as dt
import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain, groupby

import polars as pl

from btc_assets.chances.outcomes import AHEAD
from btc_assets.chances.paths import COUNT
from btc_assets.chances.scores import score_chances
from btc_assets.contracts import (
    ARENA_FORECASTS,
    BASELINE_FORECASTS,
    CHANCE_SCORES,
    FORECAST_SCORES,
    FORECASTS,
    TableSpec,
)
from btc_assets.errors import NotEnoughHistory
from btc_assets.ledger.records import issue_times, live_hours, read_chain
from btc_assets.ledger.verification.answers_due import answers_due
from btc_assets.ledger.verification.chain_checks import is_between
from btc_assets.ledger.verification.recomputed import differing, earlier_candles, left_out, unexplained
from btc_assets.ledger.verification.report import Fault
from btc_assets.market.calendar import DAY
from btc_assets.modeling.baselines import REACH, baseline_forecasts, checked
from btc_assets.modeling.history import history
from btc_assets.scoring.scores import first_issued, score, with_live_hours
from btc_assets.storage.bitemporal import newest
from btc_assets.storage.tables import TableReader, read_pair
from btc_assets.vocabulary import HORIZONS

CHUNK = 366 * DAY
"""Origins are looked at a year at a time, so that memory does not grow with history."""

THREADS = 2
"""Years that are compared at once; polars and numpy leave Python's lock while they compute."""

DRAWN = 8
"""Origins whose paths are made again, for the answers to touches: that takes some 50 ms an origin."""

NEAR = {"chance": 1.5 / COUNT, "twice_beyond": 3.0 / COUNT}
"""A path more or less in an answer is the rounding of another machine."""

Span = tuple[dt.date | None, dt.date | None]
"""First origin, or None for the first there is; and the day after the last, likewise."""


@dataclass(frozen=True, eq=False)
class Claim:
    """Rows of a table, and how they follow from candles and what was forecast.

    Attributes:
        table: whose rows.
        rows: as they are stored.
        compute: from candles and origins, the rows that are due; some or all columns.
        origins: of which rows are due.
        complete: whether all that is due must be there.
    """

    table: TableSpec
    rows: pl.DataFrame
    compute: Callable[[pl.DataFrame, Sequence[dt.date]], pl.DataFrame]
    origins: Sequence[dt.date]
    complete: bool = True
    near: Mapping[str, float] = field(default_factory=dict)


class ScoreChecks:
    """Compares what is stored of origins with what is computed again.

    Args:
        tables: the store.
        symbol: trading pair.
        places: of each origin that is looked at, the ``seq`` of its newest record, if it is known.

    """

    def __init__(self, tables: TableReader, symbol: str, places: Mapping[dt.date, int | None]) -> None:
        self._missing: list[int] = []
        self._tables, self._symbol, self._places = tables, symbol, places
        self._hours: Mapping[dt.date, int] = {}
        self._issued = issue_times(tables, symbol)

    @property
    def missing(self) -> int:
        """Count the scores that are due but not there, as far as ``run`` has come."""
        return sum(self._missing)

    def run(self, span: Span | None = None) -> Iterator[Fault | int | str]:
        """Compare everything; yields faults, counts of rows that were compared, and notes.

        Args:
            span: also look at whatever is stored of the origins in it, though no record knows them.
        """
        drawn = draw(self._places)
        if span:
            self._places = {
                **dict.fromkeys(scored_origins(self._tables, self._symbol, *span)),
                **self._places,
            }
        self._hours = live_hours(self._tables, self._symbol)
        klines = newest(self._tables, self._symbol)

        def compared(days: list[dt.date]) -> list[Fault | int | str]:
            claims = self._claims(days, (min(days), max(days) + HORIZONS * DAY), drawn, klines)
            return [found for claim in claims for found in self._check(claim, klines)]

        with ThreadPoolExecutor(THREADS) as pool:
            yield from chain.from_iterable(pool.map(compared, self._chunks()))
        if self.missing:
            yield (
                f"{self.missing:,} scores that are due are not there: a run was cut short, or they were "
                "removed; `btc backfill` of the days that lack them computes them"
            )
        if len(drawn) < len(self._places) and self._tables.exists(CHANCE_SCORES):
            yield (
                f"answers to touches were computed again for {len(drawn)} of {len(self._places):,} origins, "
                "drawn at random; of the others, what needs no paths"
            )

    def _chunks(self) -> list[list[dt.date]]:
        first = min(self._places, default=dt.date.min)
        numbered = groupby(sorted(self._places), lambda day: (day - first) // CHUNK)
        return [list(days) for _, days in numbered]

    def run_target(self, target: dt.date, of: Collection[TableSpec]) -> Iterator[Fault | int | str]:
        """Compare what the tables ``of`` have about one day alone; of baselines, those of that origin."""
        days = [day for day in self._places if target - HORIZONS * DAY <= day <= target]
        self._hours = live_hours(self._tables, self._symbol)
        klines = newest(self._tables, self._symbol)
        if days:
            drawn = {target - n * DAY for n in AHEAD}
            for claim in self._claims(days, (target, target), drawn, klines):
                if claim.table in of:
                    yield from self._check(claim, klines)

    def _claims(
        self,
        days: Sequence[dt.date],
        targets: tuple[dt.date, dt.date],
        drawn: Collection[dt.date],
        klines: pl.DataFrame,
    ) -> Iterator[Claim]:
        """Read what is stored of the origins ``days`` and the target days from the first to the second.

        Scores are read before forecasts: what a run adds meanwhile lacks scores, but never the reverse.
        """
        (first, last), whole = targets, targets[0] < targets[1]
        answers, scores = (self._read(t, first, last, days) for t in (CHANCE_SCORES, FORECAST_SCORES))
        closed = pl.col("target_date").is_between(first, last)
        networks = with_live_hours(self._read(FORECASTS, min(days), max(days), days), self._hours)
        baselines = self._read(BASELINE_FORECASTS, min(days), max(days), days)
        arena = first_issued(self._read(ARENA_FORECASTS, min(days), max(days), days))
        issued = pl.concat([networks.drop("live_hours"), baselines, arena]).filter(closed)
        asked = networks.filter(closed & pl.col("horizon").is_in(AHEAD))

        def due_scores(klines: pl.DataFrame, origins: Sequence[dt.date]) -> pl.DataFrame:
            return score(_of(issued, origins), klines, self._hours)

        def due_answers(klines: pl.DataFrame, origins: Sequence[dt.date]) -> pl.DataFrame:
            return answers_due(_of(asked, origins), klines, answers)

        def due_paths(klines: pl.DataFrame, origins: Sequence[dt.date]) -> pl.DataFrame:
            return score_chances(_of(networks, origins), klines).select(*CHANCE_SCORES.key, "chance")

        own = baselines if whole else baselines.filter(pl.col("origin_date") == first)
        if own.height or (whole and self._tables.exists(BASELINE_FORECASTS)):
            forecast = _with_history(klines, days) if whole else [first]
            yield Claim(BASELINE_FORECASTS, own, baseline_forecasts, forecast)
        if scores.height:
            yield Claim(FORECAST_SCORES, scores, due_scores, days, whole)
        if answers.height:
            yield Claim(CHANCE_SCORES, answers, due_answers, days, whole, NEAR)
        some = _of(answers, drawn)
        if some.height:
            origins = some["origin_date"].unique().to_list()
            yield Claim(CHANCE_SCORES, some, due_paths, origins, complete=False, near=NEAR)

    def _read(
        self, table: TableSpec, first: dt.date, last: dt.date, origins: Sequence[dt.date]
    ) -> pl.DataFrame:
        return _of(read_pair(self._tables, table, self._symbol, start=first, end=last + DAY), origins)

    def _check(self, claim: Claim, klines: pl.DataFrame) -> Iterator[Fault | int | str]:
        """Compare the rows of one claim; those of restated candles may follow from what they were."""
        due = claim.compute(klines, claim.origins)
        wrong = differing(claim.table, claim.rows, due, claim.near)
        left = unexplained(
            claim.table,
            wrong,
            earlier_candles(self._tables, self._symbol, self._issued),
            lambda candles, rows: claim.compute(
                candles, sorted(set(rows["origin_date"]) & set(candles["date"]))
            ),
            claim.near,
        )
        if left.height:
            yield self._fault(claim.table, left, "do not follow from forecasts and candles")
        elif wrong.height:
            yield (
                f"{wrong.height:,} rows of {claim.table.name} follow from candles as they were before they "
                "were restated; `btc backfill` of their days computes them again"
            )
        if claim.complete:
            yield from self._count(claim, due, claim.rows.height - wrong["is_due"].null_count())

    def _count(self, claim: Claim, due: pl.DataFrame, known: int) -> Iterator[Fault | int]:
        """Find what is left out or there twice; ``known``: of how many rows there is a row that is due."""
        lacking, due_yet = left_out(claim.table, claim.rows, due)
        self._missing.append(due_yet)
        if known > due.height - lacking.height - due_yet:
            twice = claim.rows.filter(claim.rows.select(claim.table.key).is_duplicated())
            yield self._fault(claim.table, twice, "are there more than once")
        if lacking.height:
            yield self._fault(claim.table, lacking, "are not there, though those around them are")
        yield claim.rows.height

    def _fault(self, table: TableSpec, rows: pl.DataFrame, problem: str) -> Fault:
        row = rows.sort("origin_date", "model", "horizon").row(0, named=True)
        origin: dt.date = row["origin_date"]
        move = f" {row['kind']} {row['move']:+.0%}" if "move" in row else ""
        first = f"{row['model']} {origin} +{row['horizon']}{move}"
        message = (
            f"{rows.height:,} rows of {table.name} {problem}, the first: {first}"
            + (f": {row['differs']}" if "differs" in row else "")
            + f"; `btc backfill --from {origin} --to {origin}` computes them again"
        )
        return Fault(self._places.get(origin), origin, "scores", message)


def all_faults(tables: TableReader, symbol: str) -> list[str]:
    """Say which baselines, scores and answers do not follow from forecasts and candles."""
    records = read_chain(tables, symbol)
    recorded = {origin: entry.seq for origin, entry in records.newest.items()} if records else {}
    found = ScoreChecks(tables, symbol, recorded).run((None, None))
    return [str(each) for each in found if isinstance(each, Fault)]


def target_faults(tables: TableReader, symbol: str, target: dt.date, of: Collection[TableSpec]) -> list[str]:
    """Say which rows of the tables ``of`` about one day do not follow; of baselines, those from that day."""
    places = dict.fromkeys(target - n * DAY for n in range(HORIZONS + 1))
    found = ScoreChecks(tables, symbol, places).run_target(target, of)
    return [str(each) for each in found if isinstance(each, Fault)]


def draw(origins: Collection[dt.date]) -> list[dt.date]:
    """Choose ``DRAWN`` of the origins at random: whoever alters others cannot know which they are."""
    return random.SystemRandom().sample(sorted(origins), min(DRAWN, len(origins)))


def scored_origins(
    tables: TableReader, symbol: str, start: dt.date | None, end: dt.date | None
) -> list[dt.date]:
    """List the origins in [start, end) of which baselines, scores or answers are stored, recorded or not."""
    found: set[dt.date] = set()
    for table in (BASELINE_FORECASTS, FORECAST_SCORES, CHANCE_SCORES):
        found |= set(read_pair(tables, table, symbol, ["origin_date"])["origin_date"].unique())
    return sorted(day for day in found if is_between(day, start, end))


def _with_history(klines: pl.DataFrame, origins: Sequence[dt.date]) -> list[dt.date]:
    """Choose the ``origins`` that baselines can forecast from."""
    h = history(klines, start=min(origins) - REACH * DAY, end=max(origins) + DAY)
    found = []
    for origin in origins:
        with contextlib.suppress(NotEnoughHistory):
            checked(h, origin)
            found.append(origin)
    return found


def _of(rows: pl.DataFrame, origins: Collection[dt.date]) -> pl.DataFrame:
    return rows.filter(pl.col("origin_date").is_in(list(origins)))
