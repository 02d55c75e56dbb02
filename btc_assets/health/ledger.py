"""Examines the ledger's head against what was published outside the store."""

from __future__ import annotations

from collections.abc import Sequence

from btc_assets.errors import ConfigurationError, LedgerError
from btc_assets.health.finding import Finding, State, Surroundings
from btc_assets.ledger.continuity import read_mark
from btc_assets.ledger.publishing.published import Published
from btc_assets.ledger.publishing.sinks import missing, open_sink, read_places
from btc_assets.ledger.records import Head, head


def examine_ledger(site: Surroundings) -> list[Finding]:
    """Examine the sink: findings ``sink`` (holds the newest head), ``ledger`` (not behind it or the mark)."""
    settings = site.settings
    try:
        seen = read_mark(settings, settings.symbol)  # before the head: a run may go on meanwhile
    except LedgerError as error:
        return [Finding("ledger", State.BROKEN, str(error))]
    newest = head(site.tables, settings.symbol)
    try:
        sink = open_sink(settings, site.tables)
        if sink is None:
            nowhere = "no head is published: BTC_LEDGER_SINK is not set"
            return [Finding("sink", State.OK, nowhere, 0, 0), _ledger(newest, seen, "its high-water mark")]
        places = read_places(sink, settings.symbol)
    except (LedgerError, ConfigurationError) as error:
        return [Finding("sink", State.BROKEN, str(error))]
    published = [head for heads in places.values() for head in heads]
    lacking = missing(places, newest) if newest else []
    where = f"{sink.location} or its high-water mark"
    return [_sink(newest, published, lacking, sink.location), _ledger(newest, [*seen, *published], where)]


def _sink(
    newest: Head | None, published: Sequence[Published], lacking: Sequence[str], location: str
) -> Finding:
    last = max((p.seq for p in published), default=-1)
    lag = 0 if newest is None else max(newest.seq - last, 0)
    detail = f"record {last} is the newest at {location}" if published else f"nothing is at {location} yet"
    if lacking:
        detail = f"{'; '.join(lacking)}: did it refuse?"
    return Finding("sink", State.BROKEN if lacking else State.OK, detail, lag, 0)


def _ledger(newest: Head | None, published: Sequence[Published], location: str) -> Finding:
    if not published:
        nothing = "nothing was published that the store could be held against"
        return Finding("ledger", State.OK, nothing, 0, 0)
    last = max(published, key=lambda p: p.seq)
    seq = -1 if newest is None else newest.seq
    behind = max(last.seq - seq, 0)
    forked = newest is not None and any(
        p.seq == newest.seq and p.record_sha256 != newest.record_sha256 for p in published
    )
    facts: dict[str, str | float] = {"head": seq, "published": last.seq}
    if behind:
        detail = (
            f"the store ends at record {seq}, {location} knows record {last.seq}: records were lost, or the "
            "store is an old copy; `btc verify` names them"
        )
        return Finding("ledger", State.BROKEN, detail, behind, 0, facts)
    if forked:
        detail = f"record {seq} is another one than was published at {location}; `btc verify` says more"
        return Finding("ledger", State.BROKEN, detail, behind, 0, facts)
    return Finding("ledger", State.OK, f"the store ends at record {seq}", behind, 0, facts)
