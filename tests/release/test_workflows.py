"""Workflows, issue forms and pins: valid by their schemas, no known weakness, no moving tag."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = [path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config"]
SCHEMAS = {
    "vendor.github-workflows": WORKFLOWS,
    "vendor.github-issue-forms": FORMS,
    "vendor.github-issue-config": [ROOT / ".github" / "ISSUE_TEMPLATE" / "config.yml"],
    "vendor.compose-spec": [ROOT / "compose.yaml"],
    "vendor.renovate": [ROOT / ".github" / "renovate.json"],
}


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = Path(sys.executable).with_name(program)
    return subprocess.run(
        [str(path), *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )


def jobs(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text())["jobs"])


def dockerfiles() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.splitlines() if "Dockerfile" in Path(name).name]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_files_for_github_renovate_and_compose_are_valid(schema: str) -> None:
    said = run("check-jsonschema", "--builtin-schema", schema, *map(str, SCHEMAS[schema]))
    assert said.returncode == 0, said.stdout + said.stderr


def test_no_workflow_has_a_known_weakness() -> None:
    said = run("zizmor", "--offline", "--quiet", "--persona", "pedantic", ".github/workflows")
    assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_to_a_commit_and_says_its_version(path: Path) -> None:
    for line in re.findall(r"uses:.*", path.read_text()):
        assert re.fullmatch(r"uses: [\w-]+/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_one_action_has_one_version() -> None:
    used = {use for path in WORKFLOWS for use in re.findall(r"uses: (\S+)", path.read_text())}
    assert len({use.split("@")[0] for use in used}) == len(used), sorted(used)


@pytest.mark.parametrize("path", dockerfiles(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_base_image_is_pinned_by_digest(path: Path) -> None:
    text = path.read_text()
    arguments = dict(re.findall(r"^ARG (\w+)=(\S+)$", text, re.MULTILINE))
    stages = set(re.findall(r"^FROM .* AS (\S+)$", text, re.MULTILINE))
    for image in re.findall(r"^FROM (?:--\S+ )?(\S+)", text, re.MULTILINE):
        name = re.sub(r"\$\{(\w+)\}", lambda match: arguments[match[1]], image)
        assert name in stages or re.search(r":[\w.-]+@sha256:[0-9a-f]{64}$", name), f"{path}: {name}"


def test_continuous_integration_runs_its_script_on_every_python_that_is_promised() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    promised = [name.split(":: ")[-1] for name in project["classifiers"] if ":: Python :: 3." in name]
    test = jobs(ROOT / ".github" / "workflows" / "ci.yml")["test"]
    assert test["strategy"]["matrix"]["python"] == promised
    assert ".ci/run" in [step.get("run") for step in test["steps"]]
    low, high = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", project["requires-python"]).groups()  # type: ignore[union-attr]
    assert promised == [f"3.{minor}" for minor in range(int(low), int(high))]


def test_a_release_is_tested_before_it_is_built_and_only_its_last_job_may_write() -> None:
    release = jobs(ROOT / ".github" / "workflows" / "release.yml")
    runs = [step.get("run") for step in release["build"]["steps"]]
    assert runs.index(".ci/run") < runs.index("make dist")
    assert release["build"]["permissions"] == {"contents": "read"}
    assert release["publish"]["needs"] == "build"


def test_the_daily_record_is_off_until_its_variable_is_set_and_only_publishing_has_a_token() -> None:
    (job,) = jobs(ROOT / ".github" / "workflows" / "daily.yml").values()
    assert job["if"] == "vars.BTC_SOURCE != ''"
    assert job["permissions"] == {"contents": "write"}
    *before, publish = job["steps"]
    assert "github.token" not in str(before)
    assert before[0]["with"]["persist-credentials"] is False
    assert publish["env"]["GH_TOKEN"] == "${{ github.token }}"


def test_renovate_renews_what_is_pinned_here() -> None:
    managers = json.loads((ROOT / ".github" / "renovate.json").read_text())["enabledManagers"]
    assert {"dockerfile", "github-actions"} <= set(managers)
