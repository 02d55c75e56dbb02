"""Say what a leaderboard shows: in a sentence, as a plain table, and as values for programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from btc_assets.scoring.leaderboard import Leaderboard, Standing, Unranked
from btc_assets.scoring.summary import MOST, name_width
from btc_assets.statistics.comparison import INDEPENDENT, format_p

Name = Callable[[str], str]


def ahead(horizon: int | None) -> str:
    """Write how far ahead a leaderboard looks."""
    if horizon is None:
        return f"1 to {MOST} days ahead in the mean"
    return "1 day ahead" if horizon == 1 else f"{horizon} days ahead"


def conclusion(board: Leaderboard, name: Name = str) -> str:
    """Say which models may be the best, or that too few outcomes are known; ``name`` names a model."""
    if not board.standings:
        return "No days that the models have in common have come due."
    if board.independent < INDEPENDENT:
        return (
            f"Too few outcomes to tell the models apart: {board.independent} that do not overlap, "
            f"{INDEPENDENT} are needed."
        )
    best = [name(model) for model in board.confidence_set]
    if len(board.standings) == 1:
        return f"Only {best[0]} is ranked."
    if len(best) == 1:
        return f"{best[0]} is the best of these, at 95 % confidence."
    return f"These cannot be told apart: {listed(best)}. Each may be the best, at 95 % confidence."


def against_best(standing: Standing) -> str:
    """Say how a model's losses compare with those of the first in the table."""
    found = standing.against_best
    if found is None:
        return "the first"
    if found.verdict == "no better":
        return f"no clear difference ({format_p(found.p or 0.0)})"
    return f"{found.verdict} ({format_p(found.p)})" if found.p is not None else found.verdict


def not_ranked(models: Sequence[Unranked], name: Name = str) -> str:
    """Say which models are not ranked and why; empty where all are."""
    if not models:
        return ""
    each = (f"{name(m.model)} ({m.days:,} of {m.wanted:,} days, the first {m.first})" for m in models)
    return f"Not ranked, for they have too few of these days: {listed(list(each))}."


def listed(names: Sequence[str]) -> str:
    """Join names: ``a, b and c``."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def render(board: Leaderboard, kind: str) -> str:
    """Write the table as plain text, one line a model, best first."""
    first = f"CRPS as a ratio to the random walk, {ahead(board.horizon)}; {kind} forecasts"
    if not board.standings:
        return "\n".join(filter(None, [first, conclusion(board), not_ranked(board.unranked)]))
    span = f"origins {board.since} to {board.until}, {board.days:,} days"
    wide = name_width(s.model for s in board.standings)
    head = f"{'model':<{wide}}{'CRPS':>10}{'95 % interval':>20}{'80 %':>7}{'95 %':>7}{'independent':>13}  "
    head += f"{'may be the best':<18}beside the first"
    lines = [f"{first}; {span}", head, "-" * len(head), *(_line(s, wide) for s in board.standings), ""]
    return "\n".join([*lines, *filter(None, [conclusion(board), not_ranked(board.unranked)])])


def _line(s: Standing, wide: int) -> str:
    interval = "" if s.interval is None else f"{s.interval[0]:.4f} to {s.interval[1]:.4f}"
    best = (
        "too few to tell" if s.set_p is None else f"{'yes' if s.maybe_best else 'no'} ({format_p(s.set_p)})"
    )
    return (
        f"{s.model:<{wide}}{s.crps_ratio:>10.4f}{interval:>20}{100 * s.inside_80:>7.1f}"
        f"{100 * s.inside_95:>7.1f}{s.independent:>13,}  {best:<18}{against_best(s)}"
    )


def facts(board: Leaderboard) -> dict[str, Any]:
    """Return what a leaderboard says, for programs: shares 0 to 1, days as dates."""
    return {
        "horizon": board.horizon,
        "since": board.since,
        "until": board.until,
        "days": board.days,
        "verdict": conclusion(board),
        "models": [model_facts(standing) for standing in board.standings],
        "not_ranked": [
            {"model": m.model, "first": m.first, "days": m.days, "of": m.wanted} for m in board.unranked
        ],
    }


def model_facts(s: Standing) -> dict[str, Any]:
    """Return one line of a leaderboard."""
    low, high = s.interval or (None, None)
    best = s.against_best
    return {
        "model": s.model,
        "crps_ratio": s.crps_ratio,
        "crps_ratio_low": low,
        "crps_ratio_high": high,
        "inside_80": s.inside_80,
        "inside_95": s.inside_95,
        "independent_forecasts": s.independent,
        "against_best": None if best is None else best.verdict,
        "p_value": None if best is None else best.p,
        "confidence_set_p": s.set_p,
        "maybe_best": s.maybe_best,
    }
