"""Runs of `btc up`, `backfill` and `backtest`, asked for as Dagster's UI asks, of a real webserver."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dagster_webserver import serve_code
from exchange import Exchange, status
from graph_environment import GraphEnvironment

from btc_assets.health.services import ask
from btc_assets.launch import RunFailed
from btc_assets.market.calendar import DAY, FIRST_DAY

LOCATION = {"repositoryName": "__repository__", "repositoryLocationName": "btc_assets.definitions"}

JOBS = """query($job: String!, $repo: String!, $location: String!) {
  pipelineOrError(params: {
    pipelineName: $job, repositoryName: $repo, repositoryLocationName: $location}) {
    ... on Pipeline { runs { runId status tags { key value } } } } }"""

TIMELINE = """query($filter: RunsFilter!) { runsOrError(filter: $filter) { ... on Runs { results {
  runId status jobName repositoryOrigin { repositoryName repositoryLocationName } } } } }"""


def serve(graph: GraphEnvironment, folder: Path) -> Iterator[str]:
    home = str(Path(graph.settings.dagster_home).resolve())
    with serve_code(folder, "-m", "btc_assets.definitions", DAGSTER_HOME=home) as address:
        yield address


def runs_of(address: str, job: str) -> list[dict[str, Any]]:
    names = {"repo": LOCATION["repositoryName"], "location": LOCATION["repositoryLocationName"]}
    return list(ask(address, JOBS, job=job, **names)["pipelineOrError"]["runs"])


def test_runs_of_the_command_line_are_in_jobs_and_timeline_and_say_their_days(
    empty: GraphEnvironment, exchange: Exchange, tmp_path: Path
) -> None:
    empty.run("market_history", FIRST_DAY, FIRST_DAY + 9 * DAY)
    exchange.spoil(status(451, {}))
    with pytest.raises(RunFailed):
        empty.run("market_history", FIRST_DAY + 10 * DAY, FIRST_DAY + 12 * DAY)
    for address in serve(empty, tmp_path):
        found = runs_of(address, "market_history")
        assert [run["status"] for run in found] == ["FAILURE", "SUCCESS"]
        tags = [{tag["key"]: tag["value"] for tag in run["tags"]} for run in found]
        assert tags[0]["btc/days"] == f"{FIRST_DAY + 10 * DAY} to {FIRST_DAY + 12 * DAY}"
        assert tags[1]["btc/days"] == f"{FIRST_DAY} to {FIRST_DAY + 9 * DAY}"
        everything = ask(address, TIMELINE, filter={"statuses": ["SUCCESS", "FAILURE"]})
        origins = [run["repositoryOrigin"] for run in everything["runsOrError"]["results"]]
        assert origins == [LOCATION, LOCATION]
    assert "dagster/will_retry" not in tags[0] or tags[0]["dagster/will_retry"] == "false"
