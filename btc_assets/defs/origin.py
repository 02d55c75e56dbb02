"""Where a run comes from, as Dagster's UI asks: which job of which code location.

A run that a process executes itself has none by default, and its Overview, timeline and Jobs leave it out.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial

import dagster as dg
from dagster._core.remote_origin import RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.storage.tags import MAX_RETRIES_TAG, REPOSITORY_LABEL_TAG
from dagster._core.workspace.load_target import ModuleTarget

MODULE = "btc_assets.definitions"
REPOSITORY = "__repository__"


def repository_origin(instance: dg.DagsterInstance) -> RemoteRepositoryOrigin:
    """Return the repository that serves this instance's sensors; before there is one, that of `btc up`."""
    for state in instance.all_instigator_state() if instance.schedule_storage else ():  # ephemeral: none
        found = state.origin.repository_origin
        if found.repository_name == REPOSITORY:
            return found
    (location,) = ModuleTarget(MODULE, None, None, None).create_origins()
    return RemoteRepositoryOrigin(location, REPOSITORY)


@contextlib.contextmanager
def visible_runs(instance: dg.DagsterInstance, job: str) -> Iterator[dict[str, str]]:
    """Let runs of ``job`` that are created meanwhile appear like launched ones; yields the tags they need.

    Dagster's daemon must not launch them again when they fail: whoever executes them sees to that.
    """
    repository = repository_origin(instance)
    create = instance.create_run_for_job
    vars(instance)["create_run_for_job"] = partial(create, remote_job_origin=RemoteJobOrigin(repository, job))
    try:
        yield {REPOSITORY_LABEL_TAG: repository.get_label(), MAX_RETRIES_TAG: "0"}
    finally:
        del vars(instance)["create_run_for_job"]
