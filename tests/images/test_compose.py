"""``docker compose up``, with and without the profile that has PostgreSQL and two workers."""

from __future__ import annotations

import datetime as dt
import json
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import images
import pytest
from composed import composed
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_START_TAG

from btc_assets.defs.partitions import Window
from btc_assets.defs.runs import run_tags
from btc_assets.market.calendar import DAY

pytestmark = [pytest.mark.images, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    images.require_tools()
    for target in ("dash", "dagster"):
        name = f"localhost/btc-{target}:test"
        images.build(name, "Dockerfile", images.python_base(), "--target", target)


def status_of_run(dagster: str, first: dt.date) -> str:
    """The status that Dagster's UI shows of the run whose days begin on ``first``."""
    tag = f'{{key: "{ASSET_PARTITION_RANGE_START_TAG}", value: "{first}"}}'
    runs = f"{{ runsOrError(filter: {{tags: [{tag}]}}) {{ ... on Runs {{ results {{ status }} }} }} }}"
    header = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{dagster}/graphql", json.dumps({"query": runs}).encode(), header)
    with urllib.request.urlopen(request, timeout=60) as answer:
        (run,) = json.load(answer)["data"]["runsOrError"]["results"]
    return str(run["status"])


def wait_for(what: str, is_there: Callable[[], object], container: images.Container) -> None:
    deadline = time.monotonic() + 900
    while not is_there():
        assert time.monotonic() < deadline, f"no {what}:\n{container.logs()[-4000:]}"
        time.sleep(1)


def test_page_and_dagster_come_up_on_one_volume(tmp_path: Path) -> None:
    with composed(tmp_path) as up:
        assert up.services() == {"page_1", "dagster_1"}
        dagster = up.container("dagster")
        assert "<title>" in up.container("page").wait_for(f"{up.page}/").decode()
        wait_for("Ready", lambda: "Ready:" in dagster.logs(), dagster)
        said = json.loads(dagster.wait_for(f"{up.page}/api/v1/forecast?days=7"))
        assert said["simulated"]
        assert not said["computed"], "the page shows what Dagster has issued, on the same volume"
        doctor = dagster.execute("sh", "-c", "btc doctor --json || true")
        found = {each["name"]: each["state"] for each in json.loads(doctor)["findings"]}
        assert {found[name] for name in ("page", "dagster", "code_location", "models")} == {"ok"}


def test_two_workers_take_the_runs_that_postgresql_holds(tmp_path: Path) -> None:
    with composed(tmp_path, "postgres") as up:
        assert up.services() == {"page_1", "dagster_1", "worker_1", "worker_2", "postgres_1", "redis_1"}
        dagster = up.container("dagster")
        dagster.wait_for(f"{up.dagster}/server_info", seconds=600)
        starts = (dt.date(2020, 1, 1), dt.date(2020, 1, 6))
        for first in starts:  # while the whole history is being loaded
            tags = json.dumps(run_tags(Window(first, first + 5 * DAY)))
            launch = ("dagster", "job", "launch", "-m", "btc_assets.definitions", "-j", "market_history")
            dagster.execute(*launch, "--tags", tags)
        took = [up.container("worker", number) for number in (1, 2)]
        wait_for("two runs", lambda: sum(each.logs().count("succeeded") for each in took) == 2, took[0])
        assert [status_of_run(up.dagster, first) for first in starts] == ["SUCCESS", "SUCCESS"]
