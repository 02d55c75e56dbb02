"""The commit hooks refuse what `make lint` refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PREK = str(Path(sys.executable).with_name("prek"))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with our hooks and Makefile, and one module."""
    for name in (".pre-commit-config.yaml", "Makefile", "pyproject.toml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    for package in ("btc_assets", "btc_dash", "lambda_image"):
        (tmp_path / package).symlink_to(ROOT / package)
    (tmp_path / "module.py").write_text('"""A module."""\n')
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "module.py", ".pre-commit-config.yaml"], cwd=tmp_path, check=True)
    return tmp_path


def lint(repository: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PREK, "run", "lint"], cwd=repository, capture_output=True, text=True, check=False, timeout=120
    )


def test_a_clean_commit_passes_and_one_that_lint_refuses_does_not(repository: Path) -> None:
    passed = lint(repository)
    assert passed.returncode == 0, passed.stdout + passed.stderr
    (repository / "module.py").write_text('"""A module."""\n\nimport os\n')
    subprocess.run(["git", "add", "module.py"], cwd=repository, check=True)
    refused = lint(repository)
    assert refused.returncode != 0
    assert "F401" in refused.stdout


def test_the_hooks_run_the_static_targets_of_make_test_and_need_no_network() -> None:
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert local["repo"] == "local"
    assert [hook["entry"] for hook in local["hooks"]] == ["make lint", "make types"]
    assert "\ntest: setup-dev lint types " in (ROOT / "Makefile").read_text()
