"""Checks of the answers to the standard questions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from btc_assets.contracts import CHANCE_SCORES, MODELS
from btc_assets.defs.checks.forecasting import RECENT_ORIGINS
from btc_assets.defs.checks.ledger import verifies_whole_chain
from btc_assets.defs.checks.results import Context, Results, contract_result, multi_check, result
from btc_assets.defs.resources import Platform
from btc_assets.defs.runs import window_of_run
from btc_assets.market.calendar import DAY
from btc_assets.storage.tables import TableReader

if TYPE_CHECKING:
    from btc_assets.chances.reliability import Tenth

NAME = CHANCE_SCORES.name
_JUDGED = ["model", "origin_date", "kind", "horizon", "chance", "happened"]
LEAST_INDEPENDENT = 20
"""Answers about days that do not overlap without which a tenth is not judged."""

MOST_APART = 0.1
"""How far what was said and what happened may be apart; beyond it, chance must be ruled out too."""


@multi_check(
    "chance_scores_checks",
    NAME,
    {
        "chances_are_coherent": "A price is reached no more rarely than a day closes beyond it. Daily for "
        "the newest month; on Sundays and after a range for all.",
        "follows_from_the_record": "The newest answers follow from forecasts and candles.",
        "comes_true_as_said": "Touches within a week come true about as often as was said.",
    },
    contract=True,
)
def chance_scores_checks(context: Context, platform: Platform) -> Results:
    """Check the answers and whether they are honest."""
    touches = platform.tables.read(CHANCE_SCORES, _JUDGED).filter(kind="touch", horizon=7)
    whole = verifies_whole_chain(window_of_run(context.run))
    scores = recent_answers(platform.tables, platform.now().date(), whole)
    rows = scores.height
    yield contract_result(CHANCE_SCORES, scores)
    yield result(NAME, "chances_are_coherent", incoherent(scores), checked=rows)
    newest = scores.filter(pl.col("target_date") == pl.col("target_date").max()).height
    unlike = unlike_the_record(platform, scores)
    yield result(NAME, "follows_from_the_record", unlike, warn=True, checked=newest)
    judged = judged_tenths(touches)
    answers = sum(t.answers for _, t in judged)
    wrong, name, gap = dishonest(judged), "comes_true_as_said", "largest gap of what was said and happened"
    apart = max((abs(t.said - t.happened) for _, t in judged), default=0.0)
    yield result(
        NAME, name, wrong, warn=True, checked=answers, measured=apart, bound=MOST_APART, quantity=gap
    )


def recent_answers(tables: TableReader, today: dt.date, whole: bool) -> pl.DataFrame:
    """Read all answers, or those of the newest month where there are any."""
    recent = tables.read(CHANCE_SCORES, start=today - RECENT_ORIGINS * DAY)
    return tables.read(CHANCE_SCORES) if whole or recent.is_empty() else recent


def incoherent(scores: pl.DataFrame) -> list[str]:
    """List answers that are no chances, or touches said to be rarer than a close beyond the same price."""
    key = ["symbol", "model", "origin_date", "horizon", "move"]
    beyond = scores.filter(kind="beyond").select(*key, beyond="chance")
    both = scores.filter(kind="touch").join(beyond, on=key)
    wrong = both.filter(~pl.col("chance").is_between(0, 1) | (pl.col("chance") < pl.col("beyond")))
    return [f"{r['model']} {r['origin_date']} +{r['horizon']} {r['move']:+.0%}" for r in wrong.to_dicts()]


def unlike_the_record(platform: Platform, scores: pl.DataFrame) -> list[str]:
    """List why answers about the newest day do not follow from stored forecasts and candles."""
    from btc_assets.ledger.verification.score_checks import target_faults

    newest = scores["target_date"].max()
    if not isinstance(newest, dt.date):
        return []
    return target_faults(platform.tables, platform.settings.symbol, newest, [CHANCE_SCORES])


def judged_tenths(touches: pl.DataFrame) -> list[tuple[str, Tenth]]:
    """Return by model the tenths of touches within a week (rows of CHANCE_SCORES) that can be judged.

    Those have enough independent answers. Their bands are joint ones: of ten tenths that are honest one would
    often lie outside a band of its own.
    """
    from btc_assets.chances.reliability import joint_limit, tenths

    asked = {model: touches.filter(model=model) for model in MODELS}
    return [
        (model, tenth)
        for model, rows in asked.items()
        for tenth in tenths(rows, limit=joint_limit(rows))
        if tenth.independent >= LEAST_INDEPENDENT
    ]


def dishonest(judged: Sequence[tuple[str, Tenth]]) -> list[str]:
    """List the tenths that came true clearly more or less often than said."""
    return [
        f"{model}: {t.answers} answers said {t.said:.0%} on average and {t.happened:.0%} came true"
        for model, t in judged
        if abs(t.said - t.happened) > MOST_APART and not t.holds
    ]
