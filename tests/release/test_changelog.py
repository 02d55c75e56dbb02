"""One version, a dated changelog, and release notes that fit the tag."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import btc_assets

ROOT = Path(__file__).parents[2]
CHANGELOG = """# Changelog

## 0.4.0 - 2027-01-02

- What is new.

## 0.3.0 - 2026-12-01

- Older.
"""


@pytest.fixture
def release(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "release_notes.py").write_text(
        (ROOT / "scripts" / "release_notes.py").read_text()
    )
    (tmp_path / "btc_assets").mkdir()
    (tmp_path / "btc_assets" / "__init__.py").write_text('"""Docs."""\n\n__version__ = "0.4.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    return tmp_path


def notes(root: Path, tag: str) -> subprocess.CompletedProcess[str]:
    script = [sys.executable, str(root / "scripts" / "release_notes.py"), tag]
    return subprocess.run(script, capture_output=True, text=True, check=False, timeout=30)


def test_the_version_is_written_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" not in project["project"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "btc_assets.__version__"}


def test_every_released_section_is_dated_and_the_newest_is_this_version_or_the_one_before() -> None:
    heads = [line[3:] for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ")]
    assert "Unreleased" not in heads[1:], "one such section, the first"
    released = [head for head in heads if head != "Unreleased"]
    assert all(len(head.split(" - ")) == 2 for head in released), heads
    dates = [head.split(" - ")[1] for head in released]
    assert dates == sorted(dates, reverse=True)
    assert released[0].split(" - ")[0] == btc_assets.__version__


def test_the_notes_of_a_release_are_its_section(release: Path) -> None:
    said = notes(release, "v0.4.0")
    assert (said.returncode, said.stdout) == (0, "- What is new.\n"), said.stderr


@pytest.mark.parametrize("tag", ["0.4.0", "v0.4.1", "main"])
def test_a_tag_that_is_not_the_version_is_refused(release: Path, tag: str) -> None:
    said = notes(release, tag)
    assert said.returncode == 1
    assert "tag v0.4.0" in said.stderr


@pytest.mark.parametrize("head", ["## Unreleased", "## 0.4.0", "## 0.5.0 - 2027-01-02"])
def test_a_changelog_that_is_not_closed_for_the_version_is_refused(release: Path, head: str) -> None:
    text = CHANGELOG.replace("## 0.4.0 - 2027-01-02", head)
    (release / "CHANGELOG.md").write_text(text)
    said = notes(release, "v0.4.0")
    assert said.returncode == 1
    assert "'## 0.4.0 - YYYY-MM-DD'" in said.stderr
