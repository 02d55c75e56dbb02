"""A SAM template as CloudFormation gets it once the transform has run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def expand(template: Path, image: str) -> dict[str, Any]:
    """What ``template`` becomes with ``image``, as plain JSON."""
    from samtranslator.translator.transform import transform
    from samtranslator.yaml_helper import yaml_parse

    class NoManagedPolicies:
        def load(self) -> dict[str, str]:
            return {}

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        return dict(transform(yaml_parse(template.read_text()), {"ImageUri": image}, NoManagedPolicies()))


def of_type(resources: dict[str, Any], kind: str) -> dict[str, Any]:
    """The properties of all resources of ``kind``, by name."""
    return {name: r["Properties"] for name, r in resources.items() if r["Type"] == kind}


def lint(template: Path) -> tuple[int, str]:
    """What cfn-lint says of it: exit code and complaints."""
    command = [str(Path(sys.executable).with_name("cfn-lint")), str(template)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout
