"""Sum the record up in three facts for the home page: yesterday, how often inside, against what."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from btc_assets.errors import StorageError
from btc_assets.market.calendar import last_closed_day
from btc_dash.data import track_record
from btc_dash.data.cache import TableCache
from btc_dash.data.query import RecordQuestion
from btc_dash.text import formatting as fmt
from btc_dash.text.record_text import KIND_WORDS

FEWEST = 10
"""Scored forecasts below which a shorter horizon is spoken of."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One number with what it is and what to know about it."""

    label: str
    value: str
    note: str


def facts(cache: TableCache, model: str, days: int, now: dt.datetime) -> list[Fact]:
    """Say how the model's forecasts have done; none while the record cannot be read."""
    try:
        asked = _question(cache, model, days)
        return [yesterday(cache, model, now), *_scores(cache, asked, days)]
    except (StorageError, OSError):
        return []


def yesterday(cache: TableCache, model: str, now: dt.datetime) -> Fact:
    """Say what was forecast for the newest close the day before, and what happened."""
    found = track_record.latest_outcome(cache, model)
    if found is None:
        return Fact(
            "Yesterday", "Nothing to compare", "No forecast was issued the day before the last close."
        )
    fresh = found.day >= last_closed_day(now)
    label = f"Yesterday, {fmt.day(found.day)}" if fresh else f"The last close, {fmt.day(found.day)}"
    side = "inside" if found.inside else "outside"
    said = "back-filled" if found.backfilled else f"issued on {fmt.moment(found.issued_at)}"
    return Fact(
        label,
        f"{fmt.usd(found.close)}, {side}",
        f"{fmt.percent(0.8)} range {said}: {fmt.usd_range(found.low, found.high)}.",
    )


def _scores(cache: TableCache, asked: RecordQuestion | None, days: int) -> list[Fact]:
    if asked is None:
        text = "A forecast is scored once the day it is about is over."
        return [Fact("How good so far", "No scores yet", text)]
    row = track_record.totals_by_question(cache, "all")[asked.model, asked.days]
    span = f"{fmt.days(asked.days)} ahead"
    if asked.days != days:
        span += f" (too few {fmt.days(days)} ahead have come due)"
    return [_inside(cache, asked, row, span), _against(cache, asked, fmt.days(asked.days) + " ahead")]


def _inside(cache: TableCache, asked: RecordQuestion, row: dict[str, float], span: str) -> Fact:
    count = int(row["n"])
    apart = max(count // asked.days, 1)
    overlap = f", counting as {apart:,} since their days overlap" if asked.days > 1 else ""
    return Fact(
        f"Ended inside the {fmt.percent(0.8)} range",
        f"{fmt.percent(row['in80'])}, where {fmt.percent(0.8)} is right",
        f"{count:,} forecasts {span}{overlap}; {_origin(cache, asked, count)}.",
    )


def _origin(cache: TableCache, asked: RecordQuestion, count: int) -> str:
    found = {
        kind: int(row["n"])
        for kind in ("live", "late", "backfilled")
        if (row := track_record.totals_by_question(cache, kind).get((asked.model, asked.days)))
    }
    if found == {"backfilled": count}:
        return "all back-filled: computed later from what was known on their day"
    words = {kind: KIND_WORDS[kind].strip() for kind in found}
    if len(found) == 1:
        return f"all {words[next(iter(found))]}"
    return ", ".join(f"{n:,} {words[kind]}" for kind, n in found.items())


def _against(cache: TableCache, asked: RecordQuestion, span: str) -> Fact:
    label = "Score against the strongest random walk"
    found = track_record.compare_with_rivals(cache, asked.model, asked.days, "all").get("mixture_walk")
    if found is None:
        return Fact(label, "Not compared", "No random walk was scored on the same days.")
    note = (
        f"A random walk knows how far prices moved before, no more. The score (CRPS) rewards ranges that are "
        f"narrow and right; {span}, same days."
    )
    size = fmt.percent(abs(found.change), 1)
    values = {
        "better": f"{size} better",
        "worse": f"{size} worse",
        "no better": "No clear difference",
        "too few to tell": "Too early to tell",
        "equal by design": "Equal by design",
    }
    return Fact(label, values[found.verdict], note)


def _question(cache: TableCache, model: str, days: int) -> RecordQuestion | None:
    """Choose what can be judged: the days asked for or, with too few scores, the most below with enough."""
    known = track_record.totals_by_question(cache, "all")
    count = {horizon: row["n"] for (name, horizon), row in known.items() if name == model}
    if not count:
        return None
    enough = [h for h, n in count.items() if n >= FEWEST and h <= days]
    chosen = days if count.get(days, 0) >= FEWEST else max(enough, default=min(count))
    return RecordQuestion(model=model, days=chosen)
