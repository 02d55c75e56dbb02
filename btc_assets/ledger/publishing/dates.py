"""By whose clock heads are dated, and how many live forecasts that dates in time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from btc_assets.ledger.publishing.published import Published
from btc_assets.market.issue_timing import is_live

Live = Sequence[tuple[int, dt.date]]
"""Place in the chain and origin of each live record, by place."""


@dataclass(frozen=True, slots=True)
class Dates:
    """What published heads say of live forecasts.

    Attributes:
        live: live forecasts.
        by_others: how many of them a third party dated before their first target closed.
        by_operator: how many were published before that, if one believes the operator too.
        newest: the newest head that a third party dated, None if there is none.
    """

    live: int
    by_others: int
    by_operator: int
    newest: Published | None

    def sentence(self) -> str:
        """Say by whose clock live forecasts are live, in words."""
        if not self.live:
            return "No forecast has been issued live yet"
        if self.newest is None:
            return (
                f"No clock but the operator's says when live forecasts ({self.live:,}) were issued: that is "
                "the operator's own word"
            )
        others = "; when the others were issued is the operator's own word"
        return (
            f"{self.by_others:,} of {self.live:,} live forecasts were published before their first target "
            f"closed by a clock that is not the operator's (record {self.newest.seq}: "
            f"{self.newest.in_words()})" + (others if self.by_others < self.live else "")
        )


def dates_of(published: Iterable[Published], live: Live) -> Dates:
    """Count which of ``live`` lie before which of ``published``, all of them heads of the same chain."""
    published = list(published)
    others = [head for head in published if head.dated_by]
    newest = max(others, key=lambda head: head.seq, default=None)
    return Dates(len(live), _in_time(others, live), _in_time(published, live), newest)


def _in_time(published: Iterable[Published], live: Live) -> int:
    """Return how many of ``live`` lie before a head that was published before their first target closed."""
    count, reached = 0, dt.datetime.max.replace(tzinfo=dt.UTC)
    by_seq = sorted(published, key=lambda head: head.seq)
    for seq, origin in reversed(live):
        while by_seq and by_seq[-1].seq >= seq:
            reached = min(reached, by_seq.pop().certainly_at)
        count += is_live(origin, reached)
    return count
