"""How Dagster's runs of the last day went, asked of its webserver."""

from __future__ import annotations

import datetime as dt

from btc_assets.health.metrics import Snapshot
from btc_assets.health.services import address_of, ask
from btc_assets.settings import Settings
from btc_assets.vocabulary import BACKTEST_JOB, DAILY_JOB, HISTORY_JOB, TUNING_JOB

JOBS = (DAILY_JOB, HISTORY_JOB, BACKTEST_JOB, TUNING_JOB)
ENDED = ("SUCCESS", "FAILURE", "CANCELED")
QUERY = """query($filter: RunsFilter!) { runsOrError(filter: $filter, limit: 200) { ... on Runs { results {
  jobName status startTime endTime } } } }"""


def read_runs(settings: Settings, snapshot: Snapshot) -> None:
    """Add to ``snapshot`` the runs that ended within a day; a job or state without any counts 0.

    Raises:
        OSError: the webserver does not answer.
    """
    since = (snapshot.at - dt.timedelta(days=1)).timestamp()
    query = {"statuses": list(ENDED), "updatedAfter": since}
    found = ask(address_of(settings), QUERY, filter=query)["runsOrError"]["results"]
    snapshot.runs = {(job, state.lower()): 0.0 for job in JOBS for state in ENDED}
    for run in reversed(found):
        key = run["jobName"], run["status"].lower()
        if key in snapshot.runs:
            snapshot.runs[key] += 1
            if run["startTime"] and run["endTime"]:
                snapshot.durations[run["jobName"]] = run["endTime"] - run["startTime"]
