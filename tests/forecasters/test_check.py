"""What the arena's rules let through, and what they stop: each forecaster in a real process of its own."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from btc_assets.contracts import BASELINES, QUANTILES
from btc_assets.forecasters.check import CheckReport, check
from btc_assets.forecasters.discovery import Entrant, find
from btc_assets.forecasters.market_data import MarketData
from btc_assets.forecasters.simulated_data import simulated_data
from btc_assets.forecasters.worker_process import ForecastResult, Limits, WorkerProcess
from btc_assets.market.calendar import DAY, FIRST_DAY
from btc_assets.modeling.baselines import REACH, baseline_forecasts

ORIGIN = FIRST_DAY + REACH * DAY
DATA = simulated_data([], ORIGIN + 31 * DAY)
QUICK = Limits(seconds=20.0, memory_mb=1024)


def entrant(name: str) -> Entrant:
    return find(f"odd_forecasters:{name}")


def ask(name: str, limits: Limits = QUICK, data: MarketData = DATA) -> ForecastResult:
    with WorkerProcess(entrant(name), limits) as worker:
        return worker.ask(data.observed(ORIGIN, worker.needs))


def broken(report: CheckReport) -> list[str]:
    return [result.rule for result in report.results if not result.kept]


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_gives_the_bytes_that_the_graph_gives(name: str) -> None:
    due = baseline_forecasts(DATA.candles, [ORIGIN]).filter(model=name).select(QUANTILES).to_numpy()
    with WorkerProcess(find(name)) as worker:
        answer = worker.ask(DATA.observed(ORIGIN, worker.needs))
    assert answer.quantiles is not None
    assert answer.quantiles.tobytes() == np.ascontiguousarray(due).tobytes()


def test_one_that_keeps_the_rules_passes_them_all() -> None:
    report = check(entrant("WithSeries"), QUICK)
    assert broken(report) == []
    assert {"loads", "time", "memory", "shape", "ordered", "deterministic", "reads_no_future"} <= {
        result.rule for result in report.results
    }
    assert report.seconds > 0
    assert report.peak_mb > 50


@pytest.mark.parametrize("name", ["ReadsTheStore", "Remembers"])
def test_one_that_knows_what_comes_later_is_found_out(name: str) -> None:
    assert broken(check(entrant(name), QUICK)) == ["reads_no_future"]


def test_one_that_draws_without_a_seed_is_found_out() -> None:
    assert "deterministic" in broken(check(entrant("Draws"), QUICK))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("narrow", "the shape is [90, 20], not [90, 21]"),
        ("infinite", "q975 of day +1 is inf, no number (89 more)"),
        ("negative", "USDT; a price is more than 0"),
        ("crossing", "less than the quantile before it"),
    ],
)
def test_nonsense_is_named(name: str, said: str) -> None:
    answer = ask(name)
    assert answer.outcome == "nonsense"
    assert said in answer.reason


@pytest.mark.parametrize(
    ("name", "outcome", "said"),
    [
        ("Raises", "crashed", "KeyError: 'BTCUSDT' (odd_forecasters.py, line"),
        ("SaysOddly", "crashed", "FileNotFoundError: ?[2J/data/? (odd_forecasters.py, line"),
        ("Ends", "crashed", "its process ended with exit code 3"),
        ("Eats", "out_of_memory", "memory"),
        ("Misnamed", "not_loaded", "the name 'Honest!' is not a-z, 0-9 and _"),
        ("Greedy", "not_loaded", "its days is 1000000, no whole number from 1 to 36,500"),
        ("Half", "not_loaded", "its days is 30.5, no whole number"),
        ("NoComma", "not_loaded", "its series are 'raw_klines_4h', no tuple such as ('raw_klines_4h',)"),
        ("Nobody", "not_loaded", "has no attribute 'Nobody'"),
    ],
)
def test_one_that_fails_says_why_and_costs_only_itself(name: str, outcome: str, said: str) -> None:
    answer = ask(name)
    assert (answer.outcome, said in answer.reason) == (outcome, True), answer.reason


def test_one_that_hangs_is_ended_at_its_deadline() -> None:
    with WorkerProcess(entrant("Hangs"), Limits(seconds=0.5)) as worker:
        answer = worker.ask(DATA.observed(ORIGIN, worker.needs))
        assert (answer.outcome, answer.reason) == ("timed_out", "no answer within 0.5 s")
        assert not worker.alive


def test_what_is_altered_is_everything_after_the_origin_and_nothing_before() -> None:
    altered = DATA.altered_after(ORIGIN)
    same = altered.candles["close"] == DATA.candles["close"]
    assert same.to_list() == [day <= ORIGIN for day in DATA.candles["date"]]
    rows = altered.candles
    assert ((rows["low"] <= rows["close"]) & (rows["close"] <= rows["high"])).all()


def test_only_what_was_known_at_the_origin_is_given() -> None:
    with WorkerProcess(entrant("Honest")) as worker:
        given = DATA.observed(ORIGIN, worker.needs)
    assert given.candles["date"].to_list() == [ORIGIN - dt.timedelta(n) for n in range(29, -1, -1)]
    assert "ingested_at" not in given.candles.columns
