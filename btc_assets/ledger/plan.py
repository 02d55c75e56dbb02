"""Decide what issuing forecasts writes: a pure function of what is proposed and what is stored."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import polars as pl

from btc_assets.contracts import FORECASTS
from btc_assets.ledger.chain import first_records
from btc_assets.ledger.clock import Clock, issue_time, kind_of
from btc_assets.ledger.digest import forecast_digests
from btc_assets.ledger.inputs import Inputs, evidence
from btc_assets.ledger.records import IN_TIME, Chain, Entry, Head, IssueRecord, extended, live_hours_of

Outcome = Literal["live", "late", "back-filled", "replaced", "unchanged", "restored", "kept"]
"""What became of an origin.

``live``, ``late`` or ``back-filled``: issued now; ``replaced``: a back-filled forecast gave way to one from
changed inputs; ``unchanged``; ``restored``: stored rows were not what was issued, and are again; ``kept``:
issued in time and kept, though inputs have changed since.
"""


@dataclass(frozen=True, eq=False)
class Proposal:
    """Forecasts of one symbol that are to be issued: canonical rows, what they came from, and the time."""

    rows: pl.DataFrame
    inputs: Inputs
    clock: Clock

    @property
    def symbol(self) -> str:
        """The trading pair."""
        return str(self.rows["symbol"][0])

    @cached_property
    def digests(self) -> dict[dt.date, str]:
        """The hash of each origin's rows, in the order of origins."""
        return dict(sorted(forecast_digests(self.rows).items()))

    @cached_property
    def counts(self) -> dict[dt.date, int]:
        """How many rows each origin has."""
        return dict(self.rows.group_by("origin_date").len().iter_rows())

    @cached_property
    def evidence(self) -> dict[dt.date, dict[str, Any]]:
        """What the records will say about the inputs, by origin."""
        return evidence(self.inputs, list(self.digests))


@dataclass(frozen=True, eq=False)
class Plan:
    """What is to be written, and what it means.

    Attributes:
        outcomes: what becomes of each origin.
        head: the newest record of the chain afterwards.
        records: new ones, which extend the chain.
        rows: of ``forecasts``, to insert or to replace.
        surplus: keys of stored rows that no record vouches for, to be deleted.
    """

    outcomes: Mapping[dt.date, Outcome]
    head: Head
    records: Sequence[IssueRecord]
    rows: pl.DataFrame
    surplus: pl.DataFrame


def plan_issue(proposal: Proposal, chain: Chain | None, stored: pl.DataFrame) -> Plan:
    """Decide which records and rows the store gets.

    Args:
        proposal: what is to be issued.
        chain: the chain so far; None: it begins now, and forecasts that are stored already are adopted.
        stored: the symbol's rows of ``forecasts``: all of them if the chain begins now, else those of the
            proposal's origins; their keys are enough if none of these has a record.

    Raises:
        LedgerError: the clocks disagree where it matters.
    """
    first = [] if chain else first_records(proposal.symbol, stored, proposal.clock)
    chain = chain or extended(None, first)
    adopted = _restamped(stored, chain) if first else stored.clear()
    outcomes, new = _decide(chain, proposal)
    times = {o: chain.newest[o].issued_at for o, found in outcomes.items() if found == "unchanged"}
    rows = _stamped(proposal.rows, times | {record.origin_date: record.issued_at for record in new})
    key = list(FORECASTS.key)
    again = pl.concat([stored.join(adopted, on=key, how="anti"), adopted])
    outcomes |= dict.fromkeys(_altered(again, rows, list(times)), "restored")
    own = pl.col("origin_date").is_in(rows["origin_date"].unique().implode())
    return Plan(
        outcomes,
        extended(chain, new).head,
        [*first, *new],
        pl.concat([rows, adopted.filter(~own)]) if first else rows,
        stored.filter(own).select(key).join(rows, on=key, how="anti"),
    )


def _decide(chain: Chain, proposal: Proposal) -> tuple[dict[dt.date, Outcome], list[IssueRecord]]:
    """Return what becomes of each origin, and the records that extend ``chain`` for it."""
    outcomes: dict[dt.date, Outcome] = {}
    records: list[IssueRecord] = []
    seq, previous = chain.head.seq, chain.head.record_sha256
    for origin, digest in proposal.digests.items():
        before = chain.newest.get(origin)
        if before and before.rows_sha256 == digest:
            outcomes[origin] = "unchanged"
        elif before and before.kind in IN_TIME:
            outcomes[origin] = "kept"
        else:
            record = _make_record(proposal, chain, origin, before, seq + 1, previous)
            assert record.kind != "genesis"
            outcomes[origin] = "replaced" if before else record.kind
            seq, previous = record.seq, record.sha256()
            records.append(record)
    return outcomes, records


def _make_record(
    proposal: Proposal, chain: Chain, origin: dt.date, before: Entry | None, seq: int, previous: str
) -> IssueRecord:
    """Return the record of ``origin``, at place ``seq``, after the one that hashes to ``previous``."""
    clock, inputs = proposal.clock, proposal.inputs
    at = issue_time(clock, chain.head.issued_at)
    return IssueRecord(
        symbol=chain.head.symbol,
        began=chain.began,
        seq=seq,
        kind=kind_of(origin, at, clock, live_hours_of(inputs.settings)),
        origin_date=origin,
        issued_at=at,
        local_clock=clock.local,
        source_clock=clock.source,
        rows=proposal.counts[origin],
        rows_sha256=proposal.digests[origin],
        **proposal.evidence[origin],
        supersedes=before.seq if before else -1,
        note="; ".join(note for note in (clock.note(), inputs.note(origin)) if note),
        previous_sha256=previous,
    )


def _stamped(rows: pl.DataFrame, times: Mapping[dt.date, dt.datetime]) -> pl.DataFrame:
    """Return the rows of the origins in ``times``, with the time of issue: rows of ``forecasts``."""
    stamps = pl.DataFrame(
        {"origin_date": list(times), "issued_at": list(times.values())},
        schema={name: FORECASTS.schema[name] for name in ("origin_date", "issued_at")},
    )
    stamped = rows.join(stamps, on="origin_date", how="inner", maintain_order="left")
    return stamped.select(FORECASTS.schema.names())


def _restamped(stored: pl.DataFrame, chain: Chain) -> pl.DataFrame:
    """Return those ``stored`` rows whose time is not what their records say, with that time."""
    due = _stamped(stored.drop("issued_at"), {o: entry.issued_at for o, entry in chain.newest.items()})
    return due.join(stored, on=[*FORECASTS.key, "issued_at"], how="anti")


def _altered(stored: pl.DataFrame, rows: pl.DataFrame, again: Sequence[dt.date]) -> list[dt.date]:
    """Return the origins of ``again`` whose stored rows are not ``rows``."""
    if not again:
        return []
    ours = pl.col("origin_date").is_in(list(again))
    values = [column for column in rows.columns if column not in FORECASTS.key]
    both = stored.filter(ours).join(
        rows.filter(ours), on=list(FORECASTS.key), how="full", coalesce=True, suffix="_due"
    )
    same = pl.all_horizontal(pl.col(c).eq_missing(pl.col(f"{c}_due")) for c in values)
    return both.filter(~same)["origin_date"].unique().sort().to_list()
