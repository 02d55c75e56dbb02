"""Starting the day in Dagster: a real webserver with the real graph, and one that misbehaves."""

from __future__ import annotations

import datetime as dt
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from dagster_webserver import ask, dagster_webserver
from fake_dagster import LAUNCHED, GraphQL, state

from lambda_image.launch import Dagster, DagsterError

DAY = dt.timedelta(days=1)
D = dt.date(2018, 2, 28)


@pytest.fixture
def answering() -> Iterator[Any]:
    servers: list[GraphQL] = []

    def start(*answers: Any) -> GraphQL:
        servers.append(GraphQL(*answers))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def launched_tags(server: GraphQL) -> dict[str, str]:
    tags = server.asked[-1]["variables"]["params"]["executionMetadata"]["tags"]
    return {tag["key"]: tag["value"] for tag in tags}


def test_a_day_is_launched_as_its_partition(answering: Any) -> None:
    server = answering((200, state()), (200, LAUNCHED))
    assert Dagster(server.url).start([D]) == "run-1"
    assert launched_tags(server) == {"btc/launched_by": "lambda", "dagster/partition": "2018-02-28"}
    assert server.asked[-1]["variables"]["params"]["selector"]["repositoryLocationName"] == "btc_assets"


def test_missed_days_are_launched_as_one_range(answering: Any) -> None:
    server = answering((200, state()), (200, LAUNCHED))
    Dagster(server.url).start([D, D - 2 * DAY, D - DAY])
    assert launched_tags(server) == {
        "btc/launched_by": "lambda",
        "dagster/asset_partition_range_start": "2018-02-26",
        "dagster/asset_partition_range_end": "2018-02-28",
    }


@pytest.mark.parametrize(
    "known",
    [
        {"done": [("2017-08-17", "2018-02-28")]},
        {"runs": [{"dagster/partition": "2018-02-28"}]},
        {
            "runs": [
                {
                    "dagster/asset_partition_range_start": "2018-02-01",
                    "dagster/asset_partition_range_end": "2018-03-05",
                }
            ]
        },
    ],
)
def test_L1_a_day_that_is_done_queued_or_running_is_not_launched(
    answering: Any, known: dict[str, Any]
) -> None:
    server = answering((200, state(**known)))
    assert Dagster(server.url).start([D]) is None
    assert len(server.asked) == 1


def test_a_partition_that_does_not_exist_yet_is_an_error(answering: Any) -> None:
    server = answering((200, state(newest="2018-02-27")))
    with pytest.raises(DagsterError, match="2018-02-28 is no partition yet, the newest is 2018-02-27"):
        Dagster(server.url).start([D])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((500, b"oops"), "answered 500: oops"),
        ((302, b""), "answered 302"),
        ((401, b"{}"), r"the token was refused \(401\)"),
        ((403, b"{}"), r"the token was refused \(403\)"),
        ((200, b"<html>log in</html>"), "is no GraphQL API"),
        ((200, b""), "is no GraphQL API"),
        ((200, []), r"\[\]"),
        ((200, {"data": None, "errors": [{"message": "syntax"}]}), "syntax"),
        ((200, state(job="another")), "no code location there has the job daily_partition"),
        ((200, {"data": {"repositoriesOrError": {"__typename": "PythonError", "message": "bang"}}}), "bang"),
    ],
)
def test_a_dagster_that_misbehaves_is_a_clear_error(answering: Any, answer: Any, message: str) -> None:
    server = answering(answer)
    with pytest.raises(DagsterError, match=message):
        Dagster(server.url, token="canary").start([D])


def test_a_launch_that_dagster_refuses_is_an_error(answering: Any) -> None:
    refusal = {"data": {"launchRun": {"__typename": "UnauthorizedError", "message": "not you"}}}
    server = answering((200, state()), (200, refusal))
    with pytest.raises(DagsterError, match="not you"):
        Dagster(server.url).start([D])


def test_a_dagster_that_is_down_is_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(DagsterError, match="cannot be reached"):
            Dagster(f"http://127.0.0.1:{taken.getsockname()[1]}").start([D])


def test_the_token_goes_out_as_the_deployment_expects_it(answering: Any) -> None:
    server = answering((200, state(done=[("2018-02-28", "2018-02-28")])))
    Dagster(server.url, token="t0ken").start([D])
    assert server.headers[0]["Authorization"] == "Bearer t0ken"
    assert Dagster("https://acme.dagster.cloud/prod", "t0ken")._headers == {
        "Dagster-Cloud-Api-Token": "t0ken"
    }


class TestRealWebserver:
    """`dagster-webserver` serving this project's graph."""

    @pytest.fixture(scope="class")
    def webserver(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
        with dagster_webserver(tmp_path_factory.mktemp("dagster")) as url:
            yield url

    def test_L1_twice_ordered_is_once_launched_and_the_run_is_the_day_s(self, webserver: str) -> None:
        dagster = Dagster(webserver, timeout=60)
        day = dt.date(2018, 2, 28)
        run = dagster.start([day])
        assert run is not None
        assert dagster.start([day]) is None
        assert dagster.start([day - DAY, day]) is not None
        query = "query($id: ID!) { runOrError(runId: $id) { ... on Run { jobName tags { key value } } } }"
        found = ask(webserver, query, id=run)["runOrError"]
        tags = {tag["key"]: tag["value"] for tag in found["tags"]}
        assert found["jobName"] == "daily_partition"
        assert tags["dagster/partition"] == "2018-02-28"

    def test_the_newest_partition_is_yesterday(self, webserver: str) -> None:
        found = Dagster(webserver, timeout=60).state()
        assert found.newest == dt.datetime.now(dt.UTC).date() - DAY

    def test_today_is_no_partition_yet(self, webserver: str) -> None:
        with pytest.raises(DagsterError, match="is no partition yet"):
            Dagster(webserver, timeout=60).start([dt.datetime.now(dt.UTC).date() + DAY])
