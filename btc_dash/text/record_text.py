"""Write the track record in sentences that claim no more than the tests support."""

from __future__ import annotations

from btc_assets.scoring.drift import Drift
from btc_assets.statistics.comparison import Comparison, format_p
from btc_dash.data import track_record
from btc_dash.data.cache import TableCache
from btc_dash.data.query import RecordQuestion
from btc_dash.text import formatting as fmt

KIND_WORDS = {"all": "", "live": "live ", "late": "late ", "backfilled": "back-filled "}


def record_sentences(cache: TableCache, question: RecordQuestion) -> list[str]:
    """Up to three sentences: the middle against no change, the ranges against random walks, coverage.

    There must be scores for the question.
    """
    table = track_record.totals(cache, question.kind).filter(model=question.model, horizon=question.days)
    row = table.row(0, named=True)
    found = track_record.compare_with_rivals(cache, question.model, question.days, question.kind)
    between = track_record.since(cache, question)
    name, span = fmt.the_model(question.model), fmt.days(question.days)
    when = f" made from {fmt.day(between[0])} to {fmt.day(between[1])}" if between else ""
    sentences = [
        f"Of {row['n']:,} {KIND_WORDS[question.kind]}forecasts {span} ahead{when}, "
        f"{fmt.percent(row['in80'])} of prices ended inside the {fmt.percent(0.8)} range and "
        f"{fmt.percent(row['in95'])} inside the {fmt.percent(0.95)} range."
    ]
    rival = next((name for name in _RIVALS if name in found), None)
    if rival:
        against = comparison_text(found[rival], _RIVALS[rival])
        sentences.append(f"The score (CRPS) of {name}'s ranges: {against}.")
    return [*sentences, _middle(row, found.get("middle"), name)]


_RIVALS = {"mixture_walk": "the strongest random walk we know", "random_walk": "a plain random walk"}
"""What ranges are compared with: the strongest that was scored, and no other, so that one thing is said."""


def _middle(row: dict[str, float], against: Comparison | None, name: str) -> str:
    """Say how far off the middle was; where it is the last close, that there is nothing to compare."""
    missed = f"missed by {fmt.percent(row['ape'], 1)} on average"
    if against and against.verdict == "equal by design":
        return f"The middle {missed}. It is the last close by design: no direction is guessed."
    verdict = comparison_text(against, "assuming no change")
    still = fmt.percent(row["naive_ape"], 1)
    return f"The middle of {name}'s forecast {missed}, no change by {still}: {verdict}."


def comparison_text(against: Comparison | None, rival: str) -> str:
    """Say what may be said of a comparison with ``rival``."""
    if against is None or against.verdict == "too few to tell":
        return f"too few to tell it from {rival}"
    if against.verdict == "equal by design":
        return f"the same as {rival}, by design"
    if against.verdict == "no better":
        return f"no better than {rival}"
    size = fmt.percent(abs(against.change), 1)
    return f"{size} {against.verdict} than {rival} ({format_p(against.p or 0.0)})"


def drift_sentence(drift: Drift) -> str:
    """Say whether recent forecasts drifted, and why it is called so."""
    if drift.verdict == "too few to tell":
        return "Too few recent forecasts to tell whether the ranges hold."
    if drift.verdict == "within chance":
        return "Within chance: recent prices ended inside the ranges as often as they should."
    return f"Drifted, more than chance explains: {'; '.join(drift.reasons)}."
