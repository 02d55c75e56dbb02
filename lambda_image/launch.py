"""Starting a day in Dagster through its GraphQL API, unless somebody has: OSS webserver or Dagster+."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from btc_assets.errors import BtcError
from btc_assets.vocabulary import DAILY_JOB, ISSUING_ASSET, LAUNCHED_BY_TAG
from lambda_image.config import DagsterAccess

if TYPE_CHECKING:
    from requests import Response

_CLOUD_HOSTS = (".dagster.cloud", ".dagster.plus")
_PARTITION, _RANGE = "dagster/partition", "dagster/asset_partition_range_"
_UNFINISHED = ["QUEUED", "NOT_STARTED", "MANAGED", "STARTING", "STARTED", "CANCELING"]
_CAUGHT_UP = ("MATERIALIZED", "MATERIALIZING")

_STATE = """
query DayState($asset: AssetKeyInput!, $unfinished: RunsFilter!) {
  repositoriesOrError {
    __typename
    ... on RepositoryConnection { nodes { name location { name } jobs { name } } }
    ... on Error { message }
  }
  runsOrError(filter: $unfinished, limit: 500) {
    __typename
    ... on Runs { results { runId tags { key value } } }
    ... on Error { message }
  }
  assetNodeOrError(assetKey: $asset) {
    __typename
    ... on AssetNode {
      partitionKeyConnection(limit: 1, ascending: false) { results }
      assetPartitionStatuses {
        ... on TimePartitionStatuses { ranges { startKey endKey status } }
      }
    }
    ... on Error { message }
  }
}
"""

_LAUNCH = """
mutation LaunchDay($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on Error { message }
  }
}
"""


class DagsterError(BtcError):
    """Dagster could not be reached or did not launch the day; the candle is landed all the same."""


@dataclass(frozen=True, slots=True)
class DayState:
    """What Dagster knows: where the job lives, its newest partition, and the days taken care of."""

    repository: str
    location: str
    newest: dt.date
    taken: tuple[tuple[dt.date, dt.date], ...]
    """Ranges (first, last) of days whose forecasts exist or are being made."""

    def missing(self, days: Iterable[dt.date]) -> list[dt.date]:
        """Return those of ``days`` that nobody has taken care of."""
        return [day for day in days if not any(first <= day <= last for first, last in self.taken)]


class Dagster:
    """One deployment's API."""

    def __init__(self, url: str, token: str = "", timeout: float = 20.0) -> None:
        """Open nothing yet.

        Args:
            url: address of the webserver or of the Dagster+ deployment, without ``/graphql``.
            token: Dagster+ user token, or a bearer token for the proxy in front of a webserver.
            timeout: seconds a call may take to connect and between bytes.
        """
        self._url = url.rstrip("/")
        self._timeout = timeout
        cloud = (urlsplit(url).hostname or "").endswith(_CLOUD_HOSTS)
        name = "Dagster-Cloud-Api-Token" if cloud else "Authorization"
        self._headers = {name: token if cloud else f"Bearer {token}"} if token else {}

    def start(self, days: Iterable[dt.date]) -> str | None:
        """Launch one run over those of ``days`` that need it; its id, or None if none does.

        Raises:
            DagsterError: whatever stood in the way.
        """
        state = self.state()
        missing = state.missing(sorted(days))
        if not missing:
            return None
        if missing[-1] > state.newest:
            raise DagsterError(
                f"{self._url}: {missing[-1]} is no partition yet, the newest is {state.newest}; "
                "is the clock of Dagster's host behind?"
            )
        return self._launch(state, missing[0], missing[-1])

    def state(self) -> DayState:
        """Return what Dagster knows about the days of the job ``DAILY_JOB``."""
        unfinished = {"pipelineName": DAILY_JOB, "statuses": _UNFINISHED}
        data = self._ask(_STATE, {"asset": {"path": [ISSUING_ASSET]}, "unfinished": unfinished})
        nodes = self._expect(data, "repositoriesOrError", "RepositoryConnection")["nodes"]
        homes = [node for node in nodes if any(job["name"] == DAILY_JOB for job in node["jobs"])]
        if not homes:
            raise DagsterError(f"{self._url}: no code location there has the job {DAILY_JOB}; is it loaded?")
        asset = self._expect(data, "assetNodeOrError", "AssetNode")
        runs = self._expect(data, "runsOrError", "Runs")["results"]
        done = [
            (_day(span["startKey"]), _day(span["endKey"]))
            for span in asset["assetPartitionStatuses"].get("ranges", ())
            if span["status"] in _CAUGHT_UP
        ]
        return DayState(
            repository=homes[0]["name"],
            location=homes[0]["location"]["name"],
            newest=max(map(_day, asset["partitionKeyConnection"]["results"]), default=dt.date.min),
            taken=(*done, *(span for run in runs if (span := _span(run["tags"])))),
        )

    def _launch(self, state: DayState, first: dt.date, last: dt.date) -> str:
        tags = {LAUNCHED_BY_TAG: "lambda"} | (
            {_PARTITION: f"{last}"}
            if first == last
            else {f"{_RANGE}start": f"{first}", f"{_RANGE}end": f"{last}"}
        )
        params = {
            "selector": {
                "repositoryName": state.repository,
                "repositoryLocationName": state.location,
                "jobName": DAILY_JOB,
            },
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }
        launched = self._expect(self._ask(_LAUNCH, {"params": params}), "launchRun", "LaunchRunSuccess")
        return str(launched["run"]["runId"])

    def post(self, path: str, body: dict[str, Any]) -> Response:
        """Send ``body`` as JSON to ``path``; returns an answer of status 200.

        Raises:
            DagsterError: Dagster cannot be reached, refuses the token, or answers otherwise.
        """
        import requests

        url = f"{self._url}/{path}"
        try:
            response = requests.post(
                url, json=body, headers=self._headers, timeout=self._timeout, allow_redirects=False
            )
        except requests.RequestException as error:
            raise DagsterError(f"{url}: cannot be reached ({error})") from error
        if response.status_code in (401, 403):
            raise DagsterError(f"{url}: the token was refused ({response.status_code})")
        if response.status_code != 200:
            raise DagsterError(f"{url}: answered {response.status_code}: {response.text[:200]}")
        return response

    def _ask(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Return the ``data`` of the answer to ``query``."""
        response = self.post("graphql", {"query": query, "variables": variables})
        try:
            body = response.json()
        except ValueError:
            raise DagsterError(f"{response.url}: is no GraphQL API: {response.text[:200]!r}") from None
        data = body.get("data") if isinstance(body, dict) else None
        if not isinstance(data, dict) or body.get("errors"):
            raise DagsterError(f"{response.url}: {body!r:.300}")
        return data

    def _expect(self, data: dict[str, Any], field: str, kind: str) -> dict[str, Any]:
        """Return ``data[field]`` if it is of GraphQL type ``kind`` and not one of Dagster's errors."""
        part = data.get(field)
        if not isinstance(part, dict) or part.get("__typename") != kind:
            said = part.get("message", part) if isinstance(part, dict) else part
            raise DagsterError(f"{self._url}: {field}: {said!r:.300}")
        return part


def connect(access: DagsterAccess) -> Dagster:
    """Return the deployment's API, with the token from Secrets Manager where a secret is named."""
    token = _secret(access.token_secret) if access.token_secret else access.token
    return Dagster(access.url, token)


@cache
def _secret(name: str) -> str:
    import boto3

    return str(boto3.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]).strip()


def _day(key: str) -> dt.date:
    return dt.date.fromisoformat(key)


def _span(tags: list[dict[str, str]]) -> tuple[dt.date, dt.date] | None:
    """Return the days a run was launched for, by its tags."""
    given = {tag["key"]: tag["value"] for tag in tags}
    first = given.get(f"{_RANGE}start") or given.get(_PARTITION)
    last = given.get(f"{_RANGE}end") or first
    return (_day(first), _day(last)) if first and last else None
