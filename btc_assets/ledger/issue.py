"""Issue forecasts: what was issued stays, what is new gets a record, and two writers cannot both win.

The record is inserted first and decides; the rows follow. A process that dies in between leaves a record
whose rows the next run puts there, because the same inputs give the same bytes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import polars as pl

from btc_assets.contracts import FORECASTS, QUANTILES
from btc_assets.errors import LedgerError, WriteConflict
from btc_assets.ledger.chain import start_chain
from btc_assets.ledger.clock import Clock, issue_time, kind_of
from btc_assets.ledger.digest import FORECAST_COLUMNS, forecast_digests
from btc_assets.ledger.inputs import Evidence, Inputs, check_inputs, evidence
from btc_assets.ledger.records import ISSUE_RECORDS, Chain, Head, IssueRecord, read_chain, records_frame
from btc_assets.market.calendar import DAY
from btc_assets.storage.registry.protocol import ModelRegistry
from btc_assets.storage.tables import Receipt, TableStore, conform

Outcome = Literal["live", "back-filled", "replaced", "unchanged", "restored", "kept"]

ATTEMPTS = 5
"""How often a record is tried while other writers extend the chain first."""


@dataclass(frozen=True, eq=False)
class Issued:
    """What came of a call of ``issue``.

    Attributes:
        head: the newest record of the chain afterwards.
        outcomes: for each origin: ``live`` or ``back-filled`` (issued now), ``replaced`` (a back-filled
            forecast gave way to one from changed inputs), ``unchanged``, ``restored`` (stored rows were not
            what was issued and are again), ``kept`` (issued live and kept, though inputs have changed since).
        receipt: what was written to ``forecasts``.
    """

    head: Head
    outcomes: Mapping[dt.date, Outcome]
    receipt: Receipt

    def origins(self, outcome: Outcome) -> list[dt.date]:
        """The origins with ``outcome``, in order."""
        return sorted(origin for origin, found in self.outcomes.items() if found == outcome)

    def describe(self) -> str:
        """What happened, in words."""
        counts: dict[str, int] = {}
        for outcome in self.outcomes.values():
            counts[_WORDS[outcome]] = counts.get(_WORDS[outcome], 0) + 1
        return "; ".join(f"{count:,} {word}" for word, count in counts.items())


_WORDS: dict[Outcome, str] = {
    "live": "issued live",
    "back-filled": "back-filled",
    "replaced": "replaced: back-filled before, and inputs have changed since",
    "unchanged": "unchanged",
    "restored": "restored: stored rows were not what was issued",
    "kept": "kept what was issued; inputs have changed since",
}


def issue(
    tables: TableStore, registry: ModelRegistry, rows: pl.DataFrame, inputs: Inputs, clock: Clock
) -> Issued:
    """Issue the forecasts of one or many origins of one symbol, one record an origin.

    Args:
        tables: where ``forecasts`` and ``issue_records`` are kept.
        registry: where the vintages are; their manifests must be those the inputs name.
        rows: columns of ``forecasts`` without ``issued_at``; all rows of an origin are one forecast.
        inputs: what they were computed from (``read_inputs``).
        clock: read after they were computed (``Clock.read``).

    Raises:
        LedgerError: rows, inputs and clocks contradict each other; nothing was written.
        WriteConflict: other writers kept winning; nothing was written.
    """
    if rows.is_empty():
        raise LedgerError("no forecasts to issue: the frame is empty")
    rows = _check_rows(rows, clock.now)
    check_inputs(tables, registry, rows, inputs, clock.now)
    symbol, digests = rows["symbol"][0], forecast_digests(rows)
    counts = dict(rows.group_by("origin_date").len().iter_rows())
    proof = evidence(inputs, sorted(digests))
    for _ in range(ATTEMPTS):
        chain = read_chain(tables, symbol, digests) or start_chain(tables, symbol, clock)
        outcomes, records = _decide(chain, digests, counts, proof, inputs, clock)
        try:
            if records:
                tables.insert(ISSUE_RECORDS, records_frame(records))
        except WriteConflict:
            continue
        return _write_rows(tables, rows, chain, outcomes, records)
    raise WriteConflict(
        f"other writers extended the chain of {symbol} {ATTEMPTS} times in a row; nothing was issued, "
        "run the partition again"
    )


def _decide(
    chain: Chain,
    digests: Mapping[dt.date, str],
    counts: Mapping[dt.date, int],
    proof: Evidence,
    inputs: Inputs,
    clock: Clock,
) -> tuple[dict[dt.date, Outcome], list[IssueRecord]]:
    """What becomes of each origin, and the records that extend ``chain`` for it."""
    outcomes: dict[dt.date, Outcome] = {}
    records: list[IssueRecord] = []
    seq, previous = chain.head.seq, chain.head.record_sha256
    for origin, digest in sorted(digests.items()):
        before = chain.newest.get(origin)
        if before and before.rows_sha256 == digest:
            outcomes[origin] = "unchanged"
            continue
        if before and before.kind == "live":
            outcomes[origin] = "kept"
            continue
        at = issue_time(clock, chain.head.issued_at)
        record = replace(
            _record(origin, proof, inputs, clock),
            symbol=chain.head.symbol,
            began=chain.began,
            seq=seq + 1,
            kind=kind_of(origin, at, clock),
            issued_at=at,
            rows=counts[origin],
            rows_sha256=digest,
            supersedes=before.seq if before else -1,
            previous_sha256=previous,
        )
        outcomes[origin] = "replaced" if before else "live" if record.kind == "live" else "back-filled"
        seq, previous = record.seq, record.sha256()
        records.append(record)
    return outcomes, records


def _record(origin: dt.date, proof: Evidence, inputs: Inputs, clock: Clock) -> IssueRecord:
    """What a record of ``origin`` says about inputs and clocks; its place in the chain is still open."""
    return IssueRecord(
        symbol="",
        began=origin,
        seq=-1,
        kind="back-filled",
        origin_date=origin,
        issued_at=clock.now,
        local_clock=clock.local,
        source_clock=clock.source,
        inputs=proof.of(origin),
        features_sha256=proof.features[origin],
        features_version=inputs.features_version,
        vintages=proof.vintages[origin],
        code_version=inputs.code_version,
        settings=inputs.settings,
        note=clock.note(),
    )


def _write_rows(
    tables: TableStore,
    rows: pl.DataFrame,
    chain: Chain,
    outcomes: dict[dt.date, Outcome],
    records: Sequence[IssueRecord],
) -> Issued:
    """Make the stored rows of every origin that was not kept what its record says, and only those."""
    times = {o: chain.newest[o].issued_at for o, found in outcomes.items() if found == "unchanged"}
    times |= {record.origin_date: record.issued_at for record in records}
    stamps = pl.DataFrame(
        {"origin_date": list(times), "issued_at": list(times.values())},
        schema={name: FORECASTS.schema[name] for name in ("origin_date", "issued_at")},
    )
    wanted = rows.join(stamps, on="origin_date", how="inner", maintain_order="left")
    tables.ensure_table(FORECASTS)
    again = [origin for origin, found in outcomes.items() if found == "unchanged"]
    surplus, altered = _compare(tables, wanted, again)
    receipt = tables.upsert(FORECASTS, wanted.select(FORECASTS.schema.names()))
    if not surplus.is_empty():
        tables.delete_keys(FORECASTS, surplus)
    outcomes |= dict.fromkeys(altered, "restored")
    last = records[-1] if records else None
    head = Head(last.symbol, last.seq, last.sha256(), last.issued_at) if last else chain.head
    return Issued(head, outcomes, receipt)


def _compare(
    tables: TableStore, wanted: pl.DataFrame, again: Sequence[dt.date]
) -> tuple[pl.DataFrame, list[dt.date]]:
    """Keys of stored rows that should not be there, and the origins of ``again`` whose rows differ at all."""
    if wanted.is_empty():
        return wanted.select(FORECASTS.key), []
    origins = wanted["origin_date"].unique().sort()
    columns = FORECASTS.schema.names() if again else list(FORECASTS.key)
    stored = tables.read(FORECASTS, columns, start=origins[0], end=origins[-1] + DAY)
    stored = stored.filter(
        (pl.col("symbol") == wanted["symbol"][0]) & pl.col("origin_date").is_in(origins.implode())
    )
    surplus = stored.select(FORECASTS.key).join(wanted, on=list(FORECASTS.key), how="anti")
    if not again:
        return surplus, []
    ours = pl.col("origin_date").is_in(list(again))
    stored, due = stored.filter(ours), wanted.filter(ours).select(columns)
    values = [c for c in columns if c not in FORECASTS.key]
    same = pl.all_horizontal(pl.col(c).eq_missing(pl.col(f"{c}_due")) for c in values)
    both = stored.join(due, on=list(FORECASTS.key), how="full", coalesce=True, suffix="_due")
    return surplus, both.filter(~same)["origin_date"].unique().sort().to_list()


def _check_rows(rows: pl.DataFrame, now: dt.datetime) -> pl.DataFrame:
    """``rows`` in canonical order, if they can be a forecast."""
    stamp = pl.lit(now, dtype=FORECASTS.schema["issued_at"])
    rows = conform(FORECASTS, rows.with_columns(issued_at=stamp)).select(FORECAST_COLUMNS)
    if rows["symbol"].n_unique() != 1:
        raise LedgerError(f"forecasts of several symbols in one call: {sorted(set(rows['symbol']))}")
    quantiles = [pl.col(q) for q in QUANTILES]
    ordered = pl.all_horizontal(a <= b for a, b in pairwise(quantiles))
    target = pl.col("origin_date") + pl.duration(days=pl.col("horizon"))
    fine = (
        ordered
        & pl.all_horizontal(q.is_finite() & (q > 0) for q in quantiles)
        & (target == pl.col("target_date"))
        & (pl.col("horizon") >= 1)
    )
    bad = rows.filter(~fine.fill_null(value=False))
    if not bad.is_empty():
        row = {k: str(v) for k, v in bad.row(0, named=True).items()}
        raise LedgerError(
            f"{bad.height} rows cannot be a forecast (prices finite, positive and not decreasing over the "
            f"levels; target = origin + horizon), the first: {row}. Nothing was issued"
        )
    return rows
