"""dagster_cloud.yaml and deploy/: what can be checked without the platforms they are for."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import yaml
from lambda_runtime import ROOT

from btc_assets import settings


def location() -> dict:
    (only,) = yaml.safe_load((ROOT / "dagster_cloud.yaml").read_text())["locations"]
    return only


def test_the_code_location_exists() -> None:
    assert location()["location_name"] == "btc_assets"
    assert importlib.util.find_spec(location()["code_source"]["module_name"]) is not None


def test_its_environment_holds_known_settings_and_no_secret() -> None:
    pairs = dict(entry.split("=", 1) for entry in location()["container_context"]["ecs"]["env_vars"])
    assert settings.load(pairs).source == "landing"
    assert not [name for name in pairs if "KEY" in name or "TOKEN" in name or "SECRET" in name]


def test_the_context_is_what_dagster_s_ecs_integration_understands() -> None:
    from dagster_aws.ecs.container_context import EcsContainerContext

    context = EcsContainerContext.create_from_config(location()["container_context"])
    assert context.run_resources == {"cpu": "2048", "memory": "8192"}


def test_the_deployed_instance_is_configured_as_dagster_s_schema_wants() -> None:
    code = (
        "import sys, yaml\n"
        "from dagster._core.instance.config import dagster_instance_config_schema\n"
        "from dagster._config import validate_config\n"
        "from dagster import Shape\n"
        "config = yaml.safe_load(open(sys.argv[1]))\n"
        "result = validate_config(Shape(dagster_instance_config_schema()), config)\n"
        "print(result.success, [error.message for error in result.errors or []])\n"
    )
    command = [sys.executable, "-c", code, str(ROOT / "deploy/dagster.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("True"), done.stdout
