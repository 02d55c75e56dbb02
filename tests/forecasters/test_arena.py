"""Entrants side by side: what one does to its process costs nobody else."""

from __future__ import annotations

import datetime as dt

import polars as pl

from btc_assets.contracts import ARENA_FORECASTS, UTC_US
from btc_assets.forecasters.arena import MOST_DEATHS, Arena, Attempt, forecasts_frame
from btc_assets.forecasters.discovery import Entrant
from btc_assets.forecasters.protocol import FEWEST_DAYS
from btc_assets.forecasters.simulated_data import simulated_data
from btc_assets.forecasters.worker_process import Limits
from btc_assets.market.calendar import DAY, FIRST_DAY
from btc_assets.scoring.scores import first_issued

ORIGIN = FIRST_DAY + 600 * DAY
ORIGINS = [ORIGIN + n * DAY for n in range(5)]
DATA = simulated_data([], ORIGIN + 40 * DAY)
SETTINGS = {"BTC_SOURCE": "simulated"}


def entrant(name: str, attribute: str) -> Entrant:
    return Entrant(name, f"odd_forecasters:{attribute}", "odd")


def outcomes(attempts: list[Attempt], name: str) -> list[str]:
    return [attempt.result.outcome for attempt in attempts if attempt.model == name]


def test_whoever_hangs_dies_or_talks_nonsense_costs_only_itself() -> None:
    entrants = [
        entrant("honest", "Honest"),
        entrant("hangs", "Hangs"),
        entrant("ends", "Ends"),
        entrant("crossing", "crossing"),
        Entrant("nobody", "", "", "no installed package registers it"),
    ]
    attempts = Arena(DATA, SETTINGS, limits=Limits(seconds=1.0)).compete(entrants, ORIGINS)
    assert outcomes(attempts, "honest") == ["ok"] * 5
    assert outcomes(attempts, "hangs") == ["timed_out"] * MOST_DEATHS + ["crashed"] * 2
    assert outcomes(attempts, "ends") == ["crashed"] * 5
    assert outcomes(attempts, "crossing") == ["nonsense"] * 5
    assert outcomes(attempts, "nobody") == ["not_loaded"] * 5
    reasons = [attempt.result.reason for attempt in attempts if attempt.model == "hangs"]
    assert reasons[-1] == f"not asked: its process had ended {MOST_DEATHS} times"


def test_memory_is_that_of_the_forecaster_and_not_of_who_asks() -> None:
    ballast = b"x" * (300 * 2**20)
    (attempt,) = Arena(DATA, SETTINGS).compete([entrant("honest", "Honest")], [ORIGIN])
    assert 20 < attempt.result.peak_mb < 250 < len(ballast) / 2**20


def test_what_is_stored_is_not_asked_for_again_and_too_little_history_is_said() -> None:
    stored = {("honest", "1", day) for day in ORIGINS[1:]}
    early = FIRST_DAY + (FEWEST_DAYS - 2) * DAY
    attempts = Arena(DATA, SETTINGS, stored).compete([entrant("honest", "Honest")], [early, *ORIGINS])
    assert [(attempt.origin, attempt.result.outcome) for attempt in attempts] == [
        (early, "too_early"),
        (ORIGIN, "ok"),
    ]
    assert attempts[0].result.reason == "it needs 500 candles, there are 499"


def test_the_version_that_was_issued_first_counts() -> None:
    (attempt,) = Arena(DATA, SETTINGS).compete([entrant("honest", "Honest")], [ORIGIN])
    now = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    stamp = pl.lit(now).cast(UTC_US)
    rows = forecasts_frame("BTCUSDT", [attempt]).with_columns(issued_at=stamp)
    assert rows.schema == ARENA_FORECASTS.schema
    later = rows.with_columns(version=pl.lit("0"), issued_at=pl.lit(now + DAY).cast(UTC_US), q500=1.0)
    counts = first_issued(pl.concat([later, rows]))
    assert counts.equals(rows.drop("version"))
