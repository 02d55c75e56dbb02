"""The arrows between the rooms run one way, and the linter that says so notices when one does not."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = Path(sys.executable).with_name("lint-imports")


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT, "--no-cache", "--no-logo"], cwd=folder, capture_output=True, text=True, timeout=120
    )


BROKEN = {
    "btc_assets/storage/tables.py": ("import btc_assets.modeling.features", "Rooms of btc_assets"),
    "btc_assets/market/calendar.py": ("import dagster", "neither Dagster nor Dash"),
    "btc_assets/defs/checks/results.py": ("import btc_assets.defs.assets.metadata", "Dagster's room"),
    "btc_dash/app.py": ("import btc_assets.launch", "without Dagster"),
    "lambda_image/config.py": ("import polars", "The Lambda"),
}
"""By file, a line that breaks a layer, and the contract that says so."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages and the linter's configuration, to be broken."""
    folder = tmp_path_factory.mktemp("copy")
    for package in ("btc_assets", "btc_dash", "lambda_image"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_every_layer_that_is_broken_on_purpose_fails_the_linter(copy: Path) -> None:
    """That the layers are whole is said by `make lint`."""
    whole = {file: (copy / file).read_text() for file in BROKEN}
    for file, (line, _) in BROKEN.items():
        (copy / file).write_text(f"{whole[file]}\n{line}\n")
    try:
        found = lint(copy)
    finally:
        for file, text in whole.items():
            (copy / file).write_text(text)
    assert found.returncode == 1
    said = found.stdout.split("Broken contracts")[1]
    assert [contract for _, contract in BROKEN.values() if contract not in said] == []


def test_a_new_room_must_be_given_its_place(copy: Path) -> None:
    room = copy / "btc_assets" / "attic.py"
    room.write_text('"""Nobody said where this belongs."""\n')
    try:
        found = lint(copy)
    finally:
        room.unlink()
    assert found.returncode == 1
    assert "btc_assets.attic" in found.stdout


def test_the_vocabulary_imports_nothing() -> None:
    tree = ast.parse((ROOT / "btc_assets" / "vocabulary.py").read_text())
    assert not [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
