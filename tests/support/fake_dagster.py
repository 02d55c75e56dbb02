"""A GraphQL endpoint on loopback that answers what a test tells it to: Dagster when it misbehaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from loopback import Handler, Server


class GraphQL:
    """Answers each POST with the next of ``answers`` (the last one again and again)."""

    def __init__(self, *answers: tuple[int, Any] | Callable[[dict[str, Any]], Any]) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        outer = self

        class Routes(Handler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                question = json.loads(self.body())
                outer.asked.append(question)
                outer.headers.append(dict(self.headers.items()))
                answer = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                status, body = (200, answer(question)) if callable(answer) else answer
                self.reply(status, body, {"Location": "http://elsewhere.invalid/"})

        server = Server(Routes).start()
        self.url, self.close = server.url, server.stop


def state(
    newest: str = "2018-02-28",
    *,
    done: list[tuple[str, str]] | None = None,
    runs: list[dict[str, str]] | None = None,
    job: str = "daily_partition",
) -> dict[str, Any]:
    """Dagster's answer to the question about days: what is materialised, what is queued."""
    home = {"name": "__repository__", "location": {"name": "btc_assets"}, "jobs": [{"name": job}]}
    ranges = [{"startKey": a, "endKey": b, "status": "MATERIALIZED"} for a, b in done or ()]
    tags = [[{"key": key, "value": value} for key, value in run.items()] for run in runs or ()]
    return {
        "data": {
            "repositoriesOrError": {"__typename": "RepositoryConnection", "nodes": [home]},
            "runsOrError": {
                "__typename": "Runs",
                "results": [{"runId": str(number), "tags": run} for number, run in enumerate(tags)],
            },
            "assetNodeOrError": {
                "__typename": "AssetNode",
                "partitionKeyConnection": {"results": [newest]},
                "assetPartitionStatuses": {"ranges": ranges},
            },
        }
    }


LAUNCHED = {"data": {"launchRun": {"__typename": "LaunchRunSuccess", "run": {"runId": "run-1"}}}}
