"""What the documentation says must be so."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def reference() -> dict[str, str]:
    return {name: write() for name, write in script("write_reference").PAGES.items()}


def test_the_reference_pages_are_what_the_code_says() -> None:
    for name, text in reference().items():
        assert (ROOT / "docs" / name).read_text() == text, (
            f"run `python scripts/write_reference.py` for {name}"
        )


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_link_and_picture_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if "://" not in target and not target.startswith("data:"):
            assert (page.parent / target).exists(), f"{page.name} points at {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_row_stands_in_a_table_with_a_head(page: Path) -> None:
    for table in re.findall(r"(?:^\|.*\n)+", page.read_text(), re.MULTILINE):
        assert re.match(r".*\n\|[-:| ]+\n", table), f"{page.name}: no head over {table[:60]}"


def test_every_command_of_the_readme_exists() -> None:
    from btc_assets.cli.app import app

    text = (ROOT / "README.md").read_text()
    for command in set(re.findall(r"^btc (\w+)", text, re.MULTILINE)):
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0, command
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`?make ([a-z-]+)", text)):
        assert f"\n{target}:" in makefile, target


def test_a_decision_is_a_short_dated_record_in_the_list() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = (folder / "README.md").read_text()
    for number, page in enumerate(sorted(folder.glob("0*.md")), 1):
        title, _, dated, *_ = lines = page.read_text().splitlines()
        assert page.name.startswith(f"{number:04}-")
        assert title.startswith(f"# {number}. ")
        assert f"[{number}]({page.name}) | {title.partition('. ')[2]} | {dated.split(' · ')[0]} |" in listed
        assert len(lines) <= 25
        for part in ("**Context.**", "**Decision.**", "**Consequences.**"):
            assert sum(line.startswith(part) for line in lines) == 1, f"{page.name}: {part}"
