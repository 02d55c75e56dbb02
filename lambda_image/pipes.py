"""Reporting back to Dagster when it is Dagster that invoked the function (Dagster Pipes)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_CONTEXT, _MESSAGES = "DAGSTER_PIPES_CONTEXT", "DAGSTER_PIPES_MESSAGES"


def is_from_pipes(event: object) -> bool:
    """Return whether ``event`` was sent by `PipesLambdaClient`."""
    return isinstance(event, dict) and _CONTEXT in event


def report_to_pipes(event: dict[str, Any], work: Callable[[object], dict[str, Any]]) -> dict[str, Any]:
    """Do ``work`` on the event without Pipes' own keys, and send its report to the invoking run.

    The report goes out last and small: Dagster reads it from the last 4 KB of the log.
    """
    from dagster_pipes import PipesContext, PipesMappingParamsLoader, open_dagster_pipes

    # The library keeps one context a process, and closes it with the first invocation; a warm
    # environment that served one before would fail with "Cannot send message after pipes context is
    # closed" (dagster-io/dagster#22094).
    PipesContext._instance = None
    with open_dagster_pipes(params_loader=PipesMappingParamsLoader(event)) as pipes:
        report = work({key: value for key, value in event.items() if key not in (_CONTEXT, _MESSAGES)})
        pipes.report_custom_message(report)
    return report
