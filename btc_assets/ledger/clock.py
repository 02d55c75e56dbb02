"""When a forecast was issued, and whether that was in time: two clocks decide, no flag does."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Self

from btc_assets.errors import LedgerError
from btc_assets.market.calendar import closes_at
from btc_assets.market.issue_timing import LIVE_HOURS, IssueKind, deadline, issue_kind
from btc_assets.market.sources.protocol import KlineSource

TOLERANCE = dt.timedelta(minutes=5)
"""How far this machine's clock and the source's may differ before a live forecast is refused."""


@dataclass(frozen=True, slots=True)
class Clock:
    """What this machine's clock and the source's server said at one moment (UTC).

    ``alone``: the source has no clock of its own, and ``source`` repeats ``local``.
    """

    local: dt.datetime
    source: dt.datetime
    alone: bool = False

    @classmethod
    def read(cls, source: KlineSource) -> Self:
        """Read both clocks: after the forecasts were computed, right before they are issued.

        A source without a clock (files) cannot vouch for the time; this machine's then decides alone.
        """
        server = source.now().astimezone(dt.UTC) if source.has_clock else None
        local = dt.datetime.now(dt.UTC)
        return cls(local, server or local, alone=server is None)

    @property
    def now(self) -> dt.datetime:
        """The later of the two: a forecast may look late for it, but never early."""
        return max(self.local, self.source)

    @property
    def skew(self) -> dt.timedelta:
        """By how much they disagree."""
        return abs(self.local - self.source)

    def note(self) -> str:
        """Return a remark for the record if there is but one clock, or if they disagree grossly."""
        if self.alone:
            return "the source has no clock; this machine's alone says when"
        apart = f"this machine's clock and the source's differed by {self.skew}"
        return apart if self.skew > TOLERANCE else ""


def kind_of(origin: dt.date, issued_at: dt.datetime, clock: Clock, hours: int = LIVE_HOURS) -> IssueKind:
    """Return whether a forecast of ``origin`` issued at ``issued_at`` is live, late or back-filled.

    Live is within ``hours`` after the close, late is before the first target closes.

    Raises:
        LedgerError: the origin's day is not over by both clocks, or they disagree by more than ``TOLERANCE``
            where that decides.
    """
    says = f"this machine's clock says {_shown(clock.local)}, the source's {_shown(clock.source)} UTC"
    if min(clock.local, clock.source) < deadline(origin) and clock.skew > TOLERANCE:
        raise LedgerError(
            f"the forecast of origin {origin} cannot be told live from back-filled: {says}, {clock.skew} "
            "apart. Nothing was issued; set this machine's clock (NTP) and run the partition again"
        )
    if clock.now < closes_at(origin):
        raise LedgerError(f"origin {origin} is not over yet: {says}. Nothing was issued")
    return issue_kind(origin, issued_at, hours)


def issue_time(clock: Clock, newest: dt.datetime | None) -> dt.datetime:
    """Return the time of a record made now: never before that of the ``newest`` record.

    Raises:
        LedgerError: the newest record claims to be from the future, so that a clock was or is wrong.
    """
    if newest is None or newest <= clock.now:
        return clock.now
    if newest - clock.now <= TOLERANCE:
        return newest
    raise LedgerError(
        f"the newest record says it was issued at {_shown(newest)} UTC, {newest - clock.now} after what the "
        f"clocks say now ({_shown(clock.now)}): a clock was wrong then or is wrong now. Nothing was issued. "
        "Correct the clock; if that record is at fault, `btc ledger restart` begins anew after it"
    )


def _shown(t: dt.datetime) -> str:
    return f"{t:%Y-%m-%d %H:%M:%S}"
