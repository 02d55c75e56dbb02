"""The values for Dagster's Helm chart say what deploy/dagster.yaml says, and name what is in the image."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy" / "kubernetes" / "values.yaml"
VALUES: dict[str, Any] = yaml.safe_load(FILE.read_text())


def snake(value: Any) -> Any:
    """The chart's names as those of dagster.yaml."""
    if isinstance(value, dict):
        return {re.sub("([A-Z])", r"_\1", key).lower(): snake(each) for key, each in value.items()}
    return [snake(each) for each in value] if isinstance(value, list) else value


def test_limits_monitoring_and_retries_are_those_of_the_deployed_instance() -> None:
    deployed = yaml.safe_load((ROOT / "deploy" / "dagster.yaml").read_text())
    limits, daemon = snake(VALUES["concurrency"]), snake(VALUES["dagsterDaemon"])
    assert limits == deployed["concurrency"] | {"enabled": True}
    monitored = deployed["run_monitoring"] | daemon["run_monitoring"]
    assert monitored == deployed["run_monitoring"]
    assert daemon["run_retries"] == deployed["run_retries"]


def test_the_code_server_and_the_chart_are_of_this_version() -> None:
    (code,) = VALUES["dagster-user-deployments"]["deployments"]
    assert importlib.util.find_spec(code["codeServerArgs"][1])
    assert code["includeConfigInLaunchedRuns"]["enabled"], "else runs would lack the settings"
    assert f"--version {importlib.metadata.version('dagster')} " in FILE.read_text()
