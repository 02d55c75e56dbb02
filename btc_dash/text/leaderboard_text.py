"""Write the leaderboard for people: its sentences and the cells of its table."""

from __future__ import annotations

from btc_assets.scoring.leaderboard import Leaderboard, Standing, Unranked
from btc_assets.scoring.leaderboard_text import conclusion, listed
from btc_assets.scoring.summary import MOST
from btc_assets.statistics.comparison import format_p
from btc_dash.text import formatting as fmt
from btc_dash.text.record_text import KIND_WORDS

HEAD = ("Model", "Score", "95 % interval", "In 80 %", "In 95 %", "Independent", "May be the best",
        "Beside the first")  # fmt: skip


def how_far(days: int | None) -> str:
    """Return how many days ahead, or over how many the mean is."""
    return f"1 to {MOST} days ahead, on average" if days is None else f"{fmt.days(days)} ahead"


def sentences(board: Leaderboard, kind: str) -> list[str]:
    """Say who may be the best, on which days, and who is not ranked."""
    if board.since is None or board.until is None or not board.standings:
        return []
    said = [
        conclusion(board, fmt.model),
        f"From {board.days:,} {KIND_WORDS[kind]}forecasts of each model, {how_far(board.horizon)}, made from "
        f"{fmt.day(board.since)} to {fmt.day(board.until)}; {board.independent:,} of them do not overlap.",
    ]
    return [*said, *([_not_ranked(board.unranked)] if board.unranked else [])]


def _not_ranked(models: tuple[Unranked, ...]) -> str:
    each = [f"{fmt.model(m.model)} ({m.days:,} of {m.wanted:,} days)" for m in models]
    return f"Not ranked, for lack of these days: {listed(each)}."


def cells(s: Standing) -> list[str]:
    """Return one line of the table, in the order of ``HEAD``."""
    return [
        fmt.model(s.model),
        f"{s.crps_ratio:.3f}",
        "–" if s.interval is None else f"{s.interval[0]:.3f} to {s.interval[1]:.3f}",
        fmt.percent(s.inside_80),
        fmt.percent(s.inside_95),
        f"{s.independent:,}",
        "too few to tell" if s.maybe_best is None else "yes" if s.maybe_best else "no",
        _beside_first(s),
    ]


def _beside_first(s: Standing) -> str:
    found = s.against_best
    if found is None:
        return "the first"
    if found.verdict == "no better":
        return "no clear difference"
    return f"{found.verdict} ({format_p(found.p)})" if found.p is not None else found.verdict
