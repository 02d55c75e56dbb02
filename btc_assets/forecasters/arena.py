"""Ask every entrant from every origin, each in a process of its own; what one does costs nobody else."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import polars as pl

from btc_assets.contracts import ARENA_ATTEMPTS, ARENA_FORECASTS
from btc_assets.forecasters.discovery import Entrant
from btc_assets.forecasters.market_data import MarketData
from btc_assets.forecasters.worker_process import LIMITS, ForecastResult, Limits, WorkerProcess
from btc_assets.io.scratch import ScratchFolder
from btc_assets.modeling.baselines import forecast_rows
from btc_assets.modeling.worker_processes import cores

MOST_DEATHS = 3
"""How often the process of an entrant may end before it is not asked any more in a run."""

Key = tuple[str, str, dt.date]
"""Model, version and origin."""


@dataclass(frozen=True, eq=False)
class Attempt:
    """What came of asking one version of one entrant from one origin."""

    model: str
    version: str
    origin: dt.date
    result: ForecastResult

    @property
    def ok(self) -> bool:
        """Whether there is a forecast that can stand."""
        return self.result.outcome == "ok"

    def refused(self) -> Attempt:
        """Return the attempt where a record says that something else was issued before."""
        said = "other numbers were issued from this day, as a record says, and stay; their rows are gone"
        return replace(self, result=replace(self.result, outcome="unlike_issued", reason=said))


@dataclass(frozen=True, eq=False)
class Arena:
    """Where entrants compete.

    Attributes:
        data: candles and series, also of days after the origins: a spot check alters those.
        settings: the variables that lead to the store, which an entrant's process gets.
        stored: what there are forecasts of already; nobody is asked for them again.
        limits: of each process.
    """

    data: MarketData
    settings: Mapping[str, str]
    stored: Collection[Key] = ()
    limits: Limits = LIMITS

    def compete(self, entrants: Sequence[Entrant], origins: Sequence[dt.date]) -> list[Attempt]:
        """Ask all ``entrants`` from all ``origins``, as many at a time as there are cores."""
        with ThreadPoolExecutor(max_workers=cores()) as pool:
            found = pool.map(lambda entrant: self._judged(entrant, origins), entrants)
            return [attempt for attempts in found for attempt in attempts]

    def _judged(self, entrant: Entrant, origins: Sequence[dt.date]) -> list[Attempt]:
        """Ask one entrant, and let none of its forecasts stand if it looks ahead."""
        attempts = self._ask(entrant, origins)
        said = self._spot_check(entrant, [attempt for attempt in attempts if attempt.ok])
        if not said:
            return attempts
        caught = [replace(a.result, outcome="looked_ahead", reason=said, quantiles=None) for a in attempts]
        return [replace(a, result=c) if a.ok else a for a, c in zip(attempts, caught, strict=True)]

    def _ask(self, entrant: Entrant, origins: Sequence[dt.date]) -> list[Attempt]:
        attempts: list[Attempt] = []
        left, deaths = sorted(origins), 0
        name, version = entrant.name, ""
        while left and deaths < MOST_DEATHS:
            with WorkerProcess(entrant, self.limits, self.settings) as worker:
                name, version = worker.name, worker.version
                if worker.failure:
                    return attempts + [Attempt(name, "", day, worker.failure) for day in left]
                for attempt in self._answers(worker, left):
                    attempts.append(attempt)
                    left = [day for day in left if day > attempt.origin]
                left, deaths = ([], deaths) if worker.alive else (left, deaths + 1)
        given_up = ForecastResult("crashed", f"not asked: its process had ended {MOST_DEATHS} times")
        return attempts + [Attempt(name, version, day, given_up) for day in left]

    def _answers(self, worker: WorkerProcess, origins: Sequence[dt.date]) -> Iterator[Attempt]:
        """Ask from each origin that is due, until the process is gone."""
        for origin in origins:
            if not worker.alive:
                return
            if (worker.name, worker.version, origin) in self.stored or not worker.needs.is_due(origin):
                continue
            there, fewest = self.data.count(origin), worker.needs.fewest
            if there < fewest:
                early = ForecastResult("too_early", f"it needs {fewest:,} candles, there are {there:,}")
                yield Attempt(worker.name, worker.version, origin, early)
            else:
                result = worker.ask(self.data.observed(origin, worker.needs))
                yield Attempt(worker.name, worker.version, origin, result)

    def _spot_check(self, entrant: Entrant, attempts: Sequence[Attempt]) -> str:
        """Ask again from one origin in a world whose later candles are others; say whether bytes differ."""
        last = self.data.candles["date"].max()
        past = [attempt for attempt in attempts if attempt.origin != last]
        if not past:
            return ""
        drawn = min(past, key=lambda a: hashlib.sha256(f"{a.model} {a.origin}".encode()).digest())
        altered = self.data.altered_after(drawn.origin)
        with ScratchFolder("btc-arena") as folder:
            for kind in ("real", "simulated"):
                altered.write_store(str(folder.path / kind))
            settings = {**self.settings, "BTC_DATA_DIR": str(folder.path)}
            with WorkerProcess(entrant, self.limits, settings) as worker:
                again = worker.ask(altered.observed(drawn.origin, worker.needs))
        first = drawn.result.quantiles
        if again.quantiles is not None and first is not None and again.quantiles.tobytes() == first.tobytes():
            return ""
        why = f" ({again.outcome}: {again.reason})" if again.quantiles is None else ""
        return (
            f"with candles after {drawn.origin} altered it forecasts something else from there{why}: it "
            "reads past the origin, or is not deterministic; try `btc forecaster check`"
        )


def forecasts_frame(symbol: str, attempts: Sequence[Attempt]) -> pl.DataFrame:
    """Build rows of ARENA_FORECASTS, without ``issued_at``, of the attempts that can stand."""
    names = [name for name in ARENA_FORECASTS.schema if name != "issued_at"]
    parts = [ARENA_FORECASTS.empty().select(names)]
    for a in attempts:
        if a.ok and a.result.quantiles is not None:
            rows = forecast_rows(
                symbol, [a.origin], {a.model: a.result.quantiles[None]}, {a.model: [a.origin]}
            )
            parts.append(rows.with_columns(version=pl.lit(a.version)).select(names))
    return pl.concat(parts)


def attempts_frame(symbol: str, attempts: Sequence[Attempt], tried_at: dt.datetime) -> pl.DataFrame:
    """Build rows of ARENA_ATTEMPTS."""
    rows = [
        (
            symbol,
            a.model,
            a.version,
            a.origin,
            a.result.outcome,
            a.result.reason,
            a.result.seconds,
            a.result.peak_mb,
            tried_at,
        )
        for a in attempts
    ]
    return pl.DataFrame(rows, schema=ARENA_ATTEMPTS.schema, orient="row")
