"""Checks of the answers to the standard questions."""

import datetime as dt

import polars as pl

from btc_assets.contracts import CHANCE_SCORES, MODELS
from btc_assets.defs.checks.results import Context, Results, contract_violations, multi_check, result, spec
from btc_assets.defs.resources import Platform

NAME = CHANCE_SCORES.name
LEAST_INDEPENDENT = 20
"""Answers about days that do not overlap without which a tenth is not judged."""


@multi_check(
    name="chance_scores_checks",
    specs=[
        spec(NAME, "follows_its_contract", "Columns, types and keys are those of the contract."),
        spec(NAME, "chances_are_coherent", "A price is reached no more rarely than a day closes beyond it."),
        spec(NAME, "follows_from_the_record", "The newest answers follow from forecasts and candles."),
        spec(NAME, "comes_true_as_said", "Touches within a week come true about as often as was said."),
    ],
)
def chance_scores_checks(_: Context, platform: Platform) -> Results:
    """Check the answers and whether they are honest."""
    scores = platform.tables.read(CHANCE_SCORES)
    yield result(NAME, "follows_its_contract", contract_violations(CHANCE_SCORES, scores))
    yield result(NAME, "chances_are_coherent", incoherent(scores))
    yield result(NAME, "follows_from_the_record", unlike_the_record(platform, scores), warn=True)
    yield result(NAME, "comes_true_as_said", dishonest(scores), warn=True)


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
    faults = target_faults(platform.tables, platform.settings.symbol, newest)
    return [fault for fault in faults if NAME in fault]


def dishonest(scores: pl.DataFrame) -> list[str]:
    """List the tenths, of enough independent answers, that came true clearly more or less often than said."""
    from btc_assets.chances.reliability import tenths

    return [
        f"{model}: {t.answers} answers said {t.said:.0%} on average and {t.happened:.0%} came true"
        for model in MODELS
        for t in tenths(scores.filter(model=model, kind="touch", horizon=7))
        if t.independent >= LEAST_INDEPENDENT and abs(t.said - t.happened) > 0.1 and not t.holds
    ]
