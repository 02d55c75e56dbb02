"""Issue forecasts: what was issued stays, what is new gets a record, and two writers cannot both win.

All that matters is read once, ``plan_issue`` decides, and the result is committed: the record is inserted
first and settles who wins; the rows follow. A process that dies in between leaves a record whose rows the
next run puts there, because the same inputs give the same bytes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from btc_assets.contracts import FORECASTS
from btc_assets.errors import LedgerError, WriteConflict
from btc_assets.ledger.clock import Clock
from btc_assets.ledger.continuity import check_continuity
from btc_assets.ledger.digest import FORECAST_COLUMNS
from btc_assets.ledger.inputs import Inputs, check_inputs
from btc_assets.ledger.plan import Outcome, Plan, Proposal, plan_issue
from btc_assets.ledger.possible import impossible
from btc_assets.ledger.publishing.published import Published
from btc_assets.ledger.records import ISSUE_RECORDS, Chain, Head, read_chain, records_frame
from btc_assets.market.calendar import DAY
from btc_assets.storage.registry.protocol import ModelRegistry
from btc_assets.storage.tables import Receipt, TableStore, conform, read_pair

ATTEMPTS = 5
"""How often a record is tried while other writers extend the chain first."""


@dataclass(frozen=True, eq=False)
class Issued:
    """What came of a call of ``issue``.

    Attributes:
        head: the newest record of the chain afterwards.
        outcomes: what became of each origin (``plan.Outcome``).
        receipt: what was written to ``forecasts``.
    """

    head: Head
    outcomes: Mapping[dt.date, Outcome]
    receipt: Receipt

    def origins(self, outcome: Outcome) -> list[dt.date]:
        """List the origins with ``outcome``, in order."""
        return sorted(origin for origin, found in self.outcomes.items() if found == outcome)

    def in_words(self) -> str:
        """Say what happened, in words."""
        counts: dict[str, int] = {}
        for outcome in self.outcomes.values():
            counts[_WORDS[outcome]] = counts.get(_WORDS[outcome], 0) + 1
        return "; ".join(f"{count:,} {word}" for word, count in counts.items())


_WORDS: dict[Outcome, str] = {
    "live": "issued live",
    "late": "issued late: before the first target closed, but long after the close",
    "back-filled": "back-filled",
    "replaced": "replaced: back-filled before, and inputs have changed since",
    "unchanged": "unchanged",
    "restored": "restored: stored rows were not what was issued",
    "kept": "kept what was issued; inputs have changed since",
}


def issue(
    tables: TableStore,
    registry: ModelRegistry,
    rows: pl.DataFrame,
    inputs: Inputs,
    clock: Clock,
    heads: Sequence[Published] = (),
) -> Issued:
    """Issue the forecasts of one or many origins of one symbol, one record an origin.

    A store without a chain gets one: a genesis record, and a record that dates to now each forecast that is
    stored already, since nothing proves an earlier time.

    Args:
        registry: where the vintages are; their manifests must be those the inputs name.
        rows: columns of ``forecasts`` without ``issued_at``; all rows of an origin are one forecast.
        inputs: what they were computed from (``read_inputs``).
        clock: read after they were computed (``Clock.read``).
        heads: that were seen before, which must be in the chain (``continuity.known_heads``).

    Raises:
        LedgerError: rows, inputs and clocks contradict each other, or the chain lost records; nothing was
            written.
        WriteConflict: other writers kept winning; nothing was written.

    Examples:
        >>> from btc_assets.contracts import VINTAGES_IN_FORCE
        >>> from btc_assets.storage.delta.store import DeltaTables
        >>> from btc_assets.storage.registry.folder import FolderRegistry
        >>> now = dt.datetime(2024, 3, 2, 0, 5, tzinfo=dt.UTC)
        >>> forecast = FORECASTS.empty().drop("issued_at")
        >>> inputs = Inputs({}, pl.DataFrame(), 0, VINTAGES_IN_FORCE.empty(), "1.0.0", {})
        >>> issue(DeltaTables("store"), FolderRegistry("store"), forecast, inputs, Clock(now, now))
        Traceback (most recent call last):
        btc_assets.errors.LedgerError: no forecasts to issue: the frame is empty
    """
    if rows.is_empty():
        raise LedgerError("no forecasts to issue: the frame is empty")
    proposal = Proposal(_check_rows(rows, clock.now), inputs, clock)
    check_inputs(tables, registry, proposal.rows, inputs, clock.now)
    for _ in range(ATTEMPTS):
        check_continuity(tables, proposal.symbol, heads)
        chain = read_chain(tables, proposal.symbol, proposal.digests)
        plan = plan_issue(proposal, chain, _stored(tables, proposal, chain))
        try:
            if plan.records:
                tables.insert(ISSUE_RECORDS, records_frame(plan.records))
        except WriteConflict:
            continue
        return _write_rows(tables, plan)
    raise WriteConflict(
        f"other writers extended the chain of {proposal.symbol} {ATTEMPTS} times in a row; nothing was "
        "issued, run the partition again"
    )


def _stored(tables: TableStore, proposal: Proposal, chain: Chain | None) -> pl.DataFrame:
    """Return the stored forecasts that the plan depends on: see ``plan_issue``."""
    origins = list(proposal.digests)
    start, end = (origins[0], origins[-1] + DAY) if chain else (None, None)
    columns = list(FORECASTS.key) if chain and not chain.newest else None
    return read_pair(tables, FORECASTS, proposal.symbol, columns, start, end)


def _write_rows(tables: TableStore, plan: Plan) -> Issued:
    """Make the stored rows of every origin that was not kept what its record says."""
    receipt = tables.upsert(FORECASTS, plan.rows)
    if not plan.surplus.is_empty():
        tables.delete_keys(FORECASTS, plan.surplus)
    return Issued(plan.head, plan.outcomes, receipt)


def _check_rows(rows: pl.DataFrame, now: dt.datetime) -> pl.DataFrame:
    """Return ``rows`` in canonical order, if they can be a forecast."""
    stamp = pl.lit(now, dtype=FORECASTS.schema["issued_at"])
    rows = conform(FORECASTS, rows.with_columns(issued_at=stamp)).select(FORECAST_COLUMNS)
    if rows["symbol"].n_unique() != 1:
        raise LedgerError(f"forecasts of several symbols in one call: {sorted(set(rows['symbol']))}")
    bad = impossible(rows)
    if not bad.is_empty():
        row = {k: str(v) for k, v in bad.row(0, named=True).items()}
        raise LedgerError(
            f"{bad.height} rows cannot be a forecast (prices finite, positive and not decreasing over the "
            f"levels; target = origin + horizon), the first: {row}. Nothing was issued"
        )
    return rows
