"""The asset graph against Dagster's own floor: the same partitions through assets that do nothing.

The history comes from the simulated market through a real HTTP exchange on loopback, in a process of its own:
requests count, what the exchange does to answer them does not.
"""

from __future__ import annotations

import datetime as dt
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import dagster as dg

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests" / "support"))

from exchange import Exchange  # noqa: E402 - the tests' own server
from graph_environment import GraphEnvironment, point_settings_at  # noqa: E402

from btc_assets.defs.partitions import DAILY_PARTITIONS, IN_ONE_RUN, Window  # noqa: E402
from btc_assets.defs.runs import run_tags  # noqa: E402
from btc_assets.launch import QUIET, open_instance  # noqa: E402
from btc_assets.market.calendar import DAY, FIRST_DAY, last_closed_day  # noqa: E402
from btc_assets.vocabulary import MARKET_ASSETS  # noqa: E402

Row = tuple[str, str, str]
"""What, measured, aim."""

REPEATS = 5


def run() -> list[Row]:
    """All measurements of the graph."""
    return [*imports(), *graph()]


def imports() -> list[Row]:
    """Processor time of importing the code location against ``import dagster``, the least of five processes.

    They take turns, since how fast a shared machine is changes. The first compile what is not compiled yet,
    and are not counted.
    """
    pairs = [
        (_python("import dagster"), _python("import btc_assets.definitions")) for _ in range(REPEATS + 1)
    ]
    floor, ours = (min(seconds) for seconds in zip(*pairs[1:], strict=True))
    return [
        ("import btc_assets.definitions / import dagster", f"{ours / floor:.2f} x ({ours:.2f} s)", "<= 1.4 x")
    ]


def graph() -> list[Row]:
    """History and one daily partition against assets that do nothing."""
    import pytest

    newest = last_closed_day(dt.datetime.now(dt.UTC))
    rows = []
    with (
        remote_exchange() as exchange,
        tempfile.TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        settings = point_settings_at(patch, exchange, Path(folder))
        with open_instance(settings) as instance:
            graph_ = GraphEnvironment(exchange, settings, instance)
            everything = Window(FIRST_DAY, newest + DAY)
            floor = _timed(lambda: idle(instance, len(MARKET_ASSETS), everything))
            ours = _timed(lambda: graph_.run("market_history", FIRST_DAY, newest))
            days = len(everything.days)
            rows.append(
                (
                    f"history of {days:,} days, candles and features / no-op",
                    f"{ours / floor:.2f} x ({ours:.1f} s)",
                    "<= 1.5 x",
                )
            )
            asked, pages = exchange.asked_for_candles(), -(-days // 1000) - (-days // 166)
            rows.append(("requests to the exchange for it", f"{asked}", f"{pages}"))
            graph_.register(newest - 2 * DAY, newest)
            graph_.run("walk_forward", newest - 2 * DAY, newest)
            day = Window(newest, newest + DAY)
            assets, tested, results = shape()
            floor = best(lambda: idle(instance, assets + tested, day))
            checked = best(lambda: idle(instance, assets, day, tested, results))
            ours = best(lambda: graph_.run("daily_partition", newest, newest))
            what = f"one day, models carried / no-op of {assets + tested} assets"
            rows.append((what, f"{ours / floor:.2f} x ({ours:.2f} s)", ""))
            what = f"the same / no-op of {assets} assets and {tested} steps of {results} checks"
            rows.append((what, f"{ours / checked:.2f} x", "<= 2 x"))
            loaded = "tensorflow" in sys.modules
            rows.append(("tensorflow imported by a carried day", "yes" if loaded else "no", "no"))
    return rows


class RemoteExchange(Exchange):
    """The tests' exchange in another process: its address, and how many requests for candles it saw."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._url: str = pipe.recv()

    @property
    def url(self) -> str:
        """Return its address."""
        return self._url

    def asked_for_candles(self) -> int:
        """Ask how many requests there were so far."""
        self._pipe.send("asked")
        count: int = self._pipe.recv()
        return count


@contextmanager
def remote_exchange() -> Iterator[RemoteExchange]:
    """Run the exchange in a process of its own meanwhile."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=serve_exchange, args=(theirs,), daemon=True)
    process.start()
    try:
        yield RemoteExchange(ours)
    finally:
        process.terminate()
        process.join()


def serve_exchange(pipe: Connection) -> None:
    """Answer requests until terminated; whatever is sent is answered with the number of requests so far."""
    exchange = Exchange(clock=dt.datetime.now(dt.UTC)).start()
    pipe.send(exchange.url)
    while pipe.recv():
        pipe.send(len(exchange.asked()))


def shape() -> tuple[int, int, int]:
    """Return how many assets the daily job has, how many steps of checks, and how many checks."""
    from btc_assets.definitions import defs

    job = defs.resolve_job_def("daily_partition")
    assets = len(job.asset_layer.executable_asset_keys)
    return assets, len(job.graph.nodes) - assets, len(job.asset_layer.asset_graph.asset_check_keys)


def idle(
    instance: dg.DagsterInstance, assets: int, window: Window, tested: int = 0, results: int = 0
) -> None:
    """Run a chain of ``assets`` that do nothing over ``window``, and ``tested`` steps of checks that pass.

    The steps of checks yield ``results`` together.
    """

    def nothing(i: int) -> dg.AssetsDefinition:
        @dg.asset(
            name=f"idle_{i}",
            partitions_def=DAILY_PARTITIONS,
            backfill_policy=IN_ONE_RUN,
            deps=[f"idle_{i - 1}"] if i else [],
        )
        def asset() -> dg.MaterializeResult[None]:
            return dg.MaterializeResult()

        return asset

    def passing(i: int) -> dg.AssetChecksDefinition:
        names = [f"check_{n}" for n in range(i, results, tested)]

        @dg.multi_asset_check(
            name=f"checks_{i}", specs=[dg.AssetCheckSpec(name, asset=f"idle_{i % assets}") for name in names]
        )
        def check() -> Iterator[dg.AssetCheckResult]:
            for name in names:
                yield dg.AssetCheckResult(check_name=name, passed=True, asset_key=f"idle_{i % assets}")

        return check

    defs = dg.Definitions(
        assets=[nothing(i) for i in range(assets)],
        asset_checks=[passing(i) for i in range(tested)],
        jobs=[dg.define_asset_job("idle")],
        executor=dg.in_process_executor,
    )
    job = defs.resolve_job_def("idle")
    done = job.execute_in_process(instance=instance, tags=run_tags(window), run_config={"loggers": QUIET})
    counted = len(done.get_step_success_events()), len(done.get_asset_check_evaluations())
    if counted != (assets + tested, results):
        raise RuntimeError(f"{counted} steps and checks ran, not {assets} + {tested} with {results} checks")


def best(work: Callable[[], object]) -> float:
    """Return the seconds of the quickest of so many repeats."""
    return min(_timed(work) for _ in range(REPEATS))


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _python(code: str) -> float:
    """Return the seconds of processor time of a process that runs ``code`` and keeps what it compiles."""
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": ""}
    before = os.times()
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, env=environment)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system
