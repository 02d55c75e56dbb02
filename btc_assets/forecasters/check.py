"""Try a forecaster on the real rules: what ``btc forecaster check`` says, rule by rule."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from btc_assets.forecasters.discovery import Entrant
from btc_assets.forecasters.market_data import MarketData
from btc_assets.forecasters.protocol import Needs
from btc_assets.forecasters.quantile_rules import RULES, broken_rules
from btc_assets.forecasters.simulated_data import simulated_data
from btc_assets.forecasters.worker_process import LIMITS, ForecastResult, Limits, WorkerProcess
from btc_assets.io.scratch import ScratchFolder
from btc_assets.market.calendar import DAY, FIRST_DAY

LATER = 120 * DAY
"""How much there is after the origin that a forecaster could have read."""


LOOKS = "other bytes where later candles are altered: it reads past the origin, or keeps what it was told"
DRAWS = "cannot be judged of one that is not deterministic"


@dataclass(frozen=True, slots=True)
class RuleResult:
    """Whether one rule is kept, and what was seen."""

    rule: str
    kept: bool
    said: str


@dataclass(frozen=True, eq=False)
class CheckReport:
    """What a check found: the forecaster, its rules, and what asking it costs."""

    name: str
    version: str
    results: Sequence[RuleResult]
    seconds: float
    peak_mb: float

    @property
    def ok(self) -> bool:
        """Whether every rule is kept."""
        return all(result.kept for result in self.results)


def check(entrant: Entrant, limits: Limits = LIMITS) -> CheckReport:
    """Ask for forecasts of simulated candles in three processes, and judge them.

    The first is asked from an origin, from a later day, and from the origin again; the second likewise, but
    every number after the origin is altered, also in the store that ``BTC_DATA_DIR`` leads to; the third is
    asked from the origin alone. All five forecasts from the origin must be the same bytes.
    """
    with WorkerProcess(entrant, limits) as first:
        if first.failure:
            return CheckReport(first.name, "", [RuleResult("loads", False, first.failure.reason)], 0.0, 0.0)
        name, version, needs = first.name, first.version, first.needs
    origin = FIRST_DAY + max(needs.days, needs.fewest) * DAY
    real = simulated_data(needs.series, origin + LATER + DAY)
    with ScratchFolder("btc-check") as folder:
        told = _ask(entrant, limits, real, needs, origin, folder.path / "real")
        if told[-1].quantiles is not None:
            told += _ask(entrant, limits, real.altered_after(origin), needs, origin, folder.path / "altered")
            told += _ask(entrant, limits, real, needs, origin, folder.path / "alone", alone=True)
    results = [RuleResult("loads", True, f"{name} {version}, {_in_words(needs)}"), *_judge(told, limits)]
    return CheckReport(name, version, results, max(a.seconds for a in told), max(a.peak_mb for a in told))


def _ask(
    entrant: Entrant,
    limits: Limits,
    data: MarketData,
    needs: Needs,
    origin: dt.date,
    store: Path,
    *,
    alone: bool = False,
) -> list[ForecastResult]:
    """Ask in a new process: from the origin; unless ``alone``, then from the newest day and it again."""
    data.write_store(f"{store}/simulated")
    environment = {"BTC_DATA_DIR": str(store), "BTC_SOURCE": "simulated", "BTC_SYMBOL": data.symbol}
    answers: list[ForecastResult] = []
    with WorkerProcess(entrant, limits, environment) as worker:
        for day in [origin] if alone else [origin, origin + LATER, origin]:
            if not answers or worker.alive:
                answers.append(worker.ask(data.observed(day, needs)))
    return answers


def _judge(told: Sequence[ForecastResult], limits: Limits) -> Iterator[RuleResult]:
    """Judge the answers: three of the real candles, three of altered ones, one of the origin alone."""
    failed = next((answer for answer in told if answer.quantiles is None), None)
    seconds, peak = max(answer.seconds for answer in told), max(answer.peak_mb for answer in told)
    for rule, outcome, within in (
        ("time", "timed_out", f"{seconds:.2f} s a forecast, at most {limits.seconds:g} s"),
        ("memory", "out_of_memory", f"{peak:,.0f} MiB, at most {limits.memory_mb:,} MiB"),
    ):
        beyond = failed is not None and failed.outcome == outcome
        yield RuleResult(rule, not beyond, failed.reason if failed and beyond else within)
    if failed is not None:
        yield RuleResult("answers", failed.outcome not in ("crashed", "not_loaded"), failed.reason)
        return
    yield RuleResult("answers", True, f"{len(told)} forecasts")
    yield from _numbers(told)
    if len(told) == 7:
        yield from _same_bytes(told)


def _numbers(told: Sequence[ForecastResult]) -> Iterator[RuleResult]:
    broken = [broken_rules(answer.quantiles) for answer in told if answer.quantiles is not None]
    for rule in RULES:
        said = next((each[rule] for each in broken if rule in each), None)
        unjudged = rule != "shape" and any("shape" in each for each in broken)
        yield RuleResult(
            rule, said is None and not unjudged, said or ("not judged" if unjudged else "in all")
        )


def _same_bytes(told: Sequence[ForecastResult]) -> Iterator[RuleResult]:
    """Compare the forecasts from the origin."""
    bytes_of = [b"" if a.quantiles is None else a.quantiles.tobytes() for a in told]
    first, _, again, altered, _, altered_again, alone = bytes_of
    repeats = first == alone
    yield RuleResult(
        "deterministic",
        repeats,
        "the same bytes in another process" if repeats else "other bytes in another process: set every seed",
    )
    kept = altered == first == again == altered_again
    yield RuleResult(
        "reads_no_future",
        kept,
        "the same bytes whatever comes later" if kept else LOOKS if repeats else DRAWS,
    )


def _in_words(needs: Needs) -> str:
    more = f" and {', '.join(needs.series)}" if needs.series else ""
    often = "" if needs.every == 1 else f", asked every {needs.every} days"
    return f"{needs.days:,} days of candles{more}{often}"
