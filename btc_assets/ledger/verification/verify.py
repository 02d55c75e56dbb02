"""Verify that everything is what was recorded: the chain, and all that it vouches for. It reads only."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from btc_assets.contracts import TableSpec
from btc_assets.errors import BtcError
from btc_assets.ledger.clock import TOLERANCE
from btc_assets.ledger.publishing.dates import dates_of
from btc_assets.ledger.publishing.published import HeadSink
from btc_assets.ledger.records import IssueRecord, live_hours_of, read_records
from btc_assets.ledger.verification.arena_checks import check_arena
from btc_assets.ledger.verification.chain_checks import (
    Stored,
    check_chain,
    check_restarts,
    current,
    head_problems,
    is_between,
    taken_back,
)
from btc_assets.ledger.verification.input_checks import check_features, check_series
from btc_assets.ledger.verification.output_checks import check_models, check_rows
from btc_assets.ledger.verification.report import Fault, Report, printable
from btc_assets.ledger.verification.score_checks import ScoreChecks, Span
from btc_assets.series import CANDLES, SERIES
from btc_assets.storage.registry.protocol import ModelRegistry
from btc_assets.storage.tables import TableReader

Found = Fault | int | str
"""What a check yields: a fault, a count of what it looked at, or a note."""


def verify(
    tables: TableReader,
    registry: ModelRegistry,
    symbol: str,
    *,
    features: TableSpec | None = None,
    sink: HeadSink | None = None,
    start: dt.date | None = None,
    end: dt.date | None = None,
    newest: int | None = None,
    scores: bool = False,
    arena: bool = True,
    now: dt.datetime | None = None,
) -> Report:
    """Check the chain of ``symbol``, and hash again what its records of origins in [start, end) vouch for.

    Damage that a store refuses to read is a fault in the report, not an error.

    Args:
        features: the features table, to be compared too.
        sink: where heads were published; each must be in the chain.
        start, end: the first origin, and the day after the last; None: all there are.
        newest: look at that many of the newest records alone and believe what came before: for every day.
        scores: compute baselines, scores and answers of these origins again, too.
        arena: follow the arena's chain, too, as far as ``newest`` and the range say.
        now: the time no record may lie after; None: this machine's.

    Examples:
        >>> from btc_assets.factory import open_registry, open_tables
        >>> from btc_assets.settings import load
        >>> settings = load({}, source="simulated")
        >>> report = verify(open_tables(settings), open_registry(settings), settings.symbol)
        >>> report.ok, report.records
        (True, 0)
    """
    whole, collect = newest is None, _Collector()
    stored = collect.records(tables, symbol, newest)
    inside = [r for r, _ in stored if r.kind != "genesis" and is_between(r.origin_date, start, end)]
    span = {o: r for o, r in current(stored).items() if is_between(o, start, end)}
    collect("chain", lambda: check_chain(stored, whole=whole))
    collect("clock", lambda: _from_the_future(stored, now or dt.datetime.now(dt.UTC)))
    collect("candles", lambda: (f for s in SERIES if inside for f in check_series(tables, symbol, s, inside)))
    if inside and features is not None:
        collect("features", lambda: check_features(tables, features, symbol, inside))
    counts: dict[str, Any] = {
        "rows": collect("rows", lambda: check_rows(tables, symbol, span, start, end, whole=whole)),
        "models": collect("model", lambda: check_models(registry, inside)),
        "published": collect("published", lambda: _published(sink, symbol, stored, whole=whole)),
    }
    if scores:
        counts |= _scores(collect, tables, stored, span, (start, end) if whole else None)
    if arena:
        counts["arena"] = collect("arena", lambda: check_arena(tables, symbol, sink, start, end, now, newest))
    collect("restarts", lambda: _notes(stored, whole=whole))
    return Report(symbol=symbol, **_chain_facts(stored, span), **counts, **collect.findings())


def _chain_facts(stored: Stored, span: Mapping[dt.date, IssueRecord]) -> dict[str, Any]:
    """Say the chain's head, size and beginning, and how many origins are of which kind or outside ``span``.

    The kind of an origin is that of its newest record; a restart takes back what is later than it.
    """
    back = taken_back(stored)
    origins = current(stored)
    kinds = [record.kind for record in origins.values() if record.seq not in back]
    return {
        "head": stored[-1][0].head() if stored else None,
        "records": len(stored),
        "since": stored[0][0].began if stored else None,
        "live": kinds.count("live"),
        "late": kinds.count("late"),
        "back_filled": kinds.count("back-filled"),
        "outside": len(origins) - len(span),
    }


def _scores(
    collect: _Collector,
    tables: TableReader,
    stored: Stored,
    current: Mapping[dt.date, IssueRecord],
    reach: Span | None,
) -> dict[str, int]:
    """Compute scores again; returns how many were compared, and how many are missing."""
    if not stored:
        return {"scored": 0, "missing": 0}
    places = {origin: record.seq for origin, record in current.items()}
    checks = ScoreChecks(tables, stored[0][0].symbol, places)
    return {"scored": collect("scores", lambda: checks.run(reach)), "missing": checks.missing}


class _Collector:
    """Runs checks; a store that refuses to read becomes a fault, and the other checks go on."""

    def __init__(self) -> None:
        self.begun = time.perf_counter()
        self.faults: list[Fault] = []
        self.notes: list[str] = []

    def records(self, tables: TableReader, symbol: str, newest: int | None) -> Stored:
        """Read the records of ``symbol``, or the ``newest`` of them; none where the table cannot be read."""
        try:
            return read_records(tables, symbol, newest)
        except BtcError as error:
            self.faults.append(Fault(None, None, "chain", str(error)))
            return []

    def findings(self) -> dict[str, Any]:
        """Return faults, notes and seconds since the beginning, as a report names them."""
        return {
            "faults": sorted(self.faults, key=lambda f: -1 if f.seq is None else f.seq),
            "notes": [printable(note) for note in self.notes],
            "seconds": time.perf_counter() - self.begun,
        }

    def __call__(self, what: str, check: Callable[[], Iterable[Found]]) -> int:
        """Run ``check``; returns the sum of its counts."""
        count = 0
        try:
            for found in check():
                if isinstance(found, Fault):
                    self.faults.append(found)
                elif isinstance(found, str):
                    self.notes.append(found)
                else:
                    count += found
        except BtcError as error:
            self.faults.append(Fault(None, None, what, str(error)))
        except Exception as error:  # what a check breaks off at was not verified, whatever it is
            message = f"it cannot be checked: {error} ({type(error).__name__})"
            self.faults.append(Fault(None, None, what, message))
        return count


def _from_the_future(stored: Stored, now: dt.datetime) -> Iterator[Found]:
    """Check that no record lies in the future; those before a restart of the chain were the reason for it."""
    restarted = max((r.seq for r, _ in stored if r.kind == "genesis"), default=0)
    ahead = [r for r, _ in stored if r.issued_at > now + TOLERANCE]
    for record in ahead:
        if record.seq > restarted:
            message = (
                f"issued at {record.issued_at:%Y-%m-%d %H:%M:%S}, {record.issued_at - now} after now: a "
                "clock was wrong then or is wrong here; `btc ledger restart` begins anew after it"
            )
            yield Fault(record.seq, record.origin_date, "clock", message)
            return
    if ahead:
        yield f"record {ahead[0].seq} and {len(ahead) - 1} more were issued with a clock that was ahead"


def _published(sink: HeadSink | None, symbol: str, stored: Stored, *, whole: bool) -> Iterator[Found]:
    """Check that every published head is in the chain, in its place; and what it dates."""
    first = stored[0][0].seq if stored and not whole else 0
    published = [head for head in (sink.published(symbol) if sink else []) if head.seq >= first]
    records = {record.seq: record for record, _ in stored}
    hashes = {seq: records[seq].sha256() for seq in {head.seq for head in published} & records.keys()}
    yield len({head.seq for head in published if hashes.get(head.seq) == head.record_sha256})
    yield from (Fault(seq, None, *told) for seq, *told in head_problems(published, records))
    yield from check_restarts(stored, published)
    back = taken_back(stored)
    live = [(r.seq, r.origin_date) for r, _ in stored if r.kind == "live" and r.seq not in back]
    if sink:
        dates = dates_of((p for p in published if hashes.get(p.seq) == p.record_sha256), live)
        yield dates.sentence()
        if dates.by_operator > dates.by_others:
            yield (
                f"by the operator's own word, {dates.by_operator:,} of {dates.live:,} live forecasts were at "
                f"{sink.location} before their first target closed"
            )
    elif live:
        yield (
            f"no published head was looked at: when live forecasts ({len(live):,}) were issued is the "
            "operator's own word"
        )


def _notes(stored: Stored, *, whole: bool) -> Iterator[str]:
    """Say what no check can tell, and what has been taken back, never forecast, or is live by which rule."""
    for record, _ in stored:
        if record.kind == "genesis" and record.seq > 0:
            back = [r for r, _ in stored if r.seq < record.seq and r.issued_at > record.issued_at]
            live = [r.kind for r in back].count("live")
            yield (
                f"record {record.seq} begins the chain anew and takes back {live} live forecasts and "
                f"{len(back) - live} other records that are later: {record.note!r}"
            )
    hours = sorted({live_hours_of(r.settings) for r, _ in stored if r.kind == "live"})
    if len(hours) > 1:
        yield f"what is live differs: within {', '.join(map(str, hours))} hours after the close"
    elif hours:
        yield f"live is within {hours[0]} hours after the close"
    unknown = sum(1 for r, _ in stored if r.kind != "genesis" and not r.snapshot(CANDLES).sha256)
    if unknown:
        yield f"{unknown:,} forecasts are older than the chain: dated to its beginning, from unknown inputs"
    origins = current(stored).keys()
    span = (max(origins) - min(origins)).days + 1 if origins and whole else 0
    if span > len(origins):
        days = f"{span - len(origins):,} of the {span:,} days from {min(origins)} to {max(origins)}"
        yield f"there is no forecast of {days}"
    rows = [record.rows for record in current(stored).values()]
    if fewer := sum(count < max(rows) for count in rows):
        yield f"{fewer:,} of {len(rows):,} forecasts have fewer rows than the {max(rows)} that others have"
    if stored:
        yield "not checked: whether the operator keeps other chains, of which this is the best"
