"""Write docs/reliability.md: every row of the fault matrix, its tests, and how they ended when last run.

Results come from the reports that `make test`, `make test-faults` and `make test-images` leave in
build/reports; tests without one are shown as not run.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from fault_matrix import GROUPS, ROWS, YEAR, Row

ROOT = Path(__file__).resolve().parents[1]
REPORTS = ROOT / "build" / "reports"
PAGE = ROOT / "docs" / "reliability.md"
BY_MARK = {"faults": "`make test-faults`", "images": "`make test-images`"}
IDS = re.compile(r"test_((?:[A-Z]\d+_)+)")


@dataclass(frozen=True)
class Test:
    """One test function: where it is, what it is called, and what runs it."""

    path: str
    name: str
    runs_in: str = "`make test`"

    @property
    def ids(self) -> list[str]:
        """The rows it is named for."""
        match = IDS.match(self.name)
        return match[1].rstrip("_").split("_") if match else []


@dataclass
class Result:
    """How the cases of a test ended; ``trials`` as the test itself counted them."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    trials: int = 0
    days: set[str] = field(default_factory=set)


def tests() -> list[Test]:
    """Every test function that is named for a row."""
    found = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text())
        whole = next((m for node in tree.body for m in _marks_of_module(node)), None)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and IDS.match(node.name):
                own = next((m for d in node.decorator_list for m in _marks(d)), whole)
                where = BY_MARK.get(own or "", "`make test`")
                found.append(Test(path.relative_to(ROOT).as_posix(), node.name, where))
    return found


def _marks_of_module(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.Assign) and any(getattr(t, "id", "") == "pytestmark" for t in node.targets):
        yield from _marks(node.value)


def _marks(node: ast.expr) -> Iterator[str]:
    """The marks in BY_MARK that ``node`` mentions."""
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and part.attr in BY_MARK:
            yield part.attr


def results(reports: Iterable[Path]) -> dict[tuple[str, str], Result]:
    """How each test ended, by path and name, as pytest's reports say."""
    found: dict[tuple[str, str], Result] = defaultdict(Result)
    for report in reports:
        for suite in ET.parse(report).getroot().iter("testsuite"):  # noqa: S314 - our own report
            for case in suite.iter("testcase"):
                result = found[_path_of(case.get("classname", "")), case.get("name", "").partition("[")[0]]
                result.days.add(suite.get("timestamp", "")[:10])
                if case.find("failure") is not None or case.find("error") is not None:
                    result.failed += 1
                elif case.find("skipped") is not None:
                    result.skipped += 1
                else:
                    result.passed += 1
                trials = case.findall("properties/property[@name='trials']")
                result.trials += sum(int(p.get("value", "0")) for p in trials)
    return found


def _path_of(classname: str) -> str:
    """The file of a report's ``tests.market.test_archive.TestWeb``."""
    parts = classname.split(".")
    module = next((i for i, part in enumerate(parts) if part.startswith("test_")), len(parts) - 1)
    return "/".join(parts[: module + 1]) + ".py"


def page(found: list[Test], ended: Mapping[tuple[str, str], Result]) -> str:
    """The page, from the tests there are and how they ended."""
    by_row = {row.id: [test for test in found if row.id in test.ids] for row in ROWS}
    said = {row.id: _said(by_row[row.id], ended) for row in ROWS}
    passing = [text for text in said.values() if text.startswith("passed")]
    partly = sum("not run" in text for text in passing)
    days = sorted({day for result in ended.values() for day in result.days if day})
    lines = [
        "# Reliability",
        "",
        "What can go wrong, what must happen then, and the tests that make it go wrong. Written by "
        "`make reliability` from `scripts/fault_matrix.py`, the tests and their last reports.",
        "",
        f"**{len(passing) - partly} of {len(ROWS)} rows pass**"
        + (f", {partly} more as far as their tests were run" if partly else "")
        + f"; reports of {_span(days)}, written at commit {_commit()}. "
        "A test that injects many faults counts its trials.",
        "",
        YEAR,
        "",
    ]
    for group, rows in GROUPS.items():
        lines += [f"## {group}", "", "| row | fault | what must happen | tests | last result |"]
        lines += ["|---|---|---|---|---|"]
        lines += [_line(row, by_row[row.id], said[row.id]) for row in rows]
        lines += [""]
    lines += ["## The tests, by row", ""]
    lines += [line for row in ROWS for line in _listing(row, by_row[row.id])]
    return "\n".join(lines) + "\n"


def _line(row: Row, found: list[Test], said: str) -> str:
    return f"| [{row.id}](#{row.id.lower()}) | {row.fault} | {row.outcome} | {len(found)} | {said} |"


def _said(found: list[Test], ended: Mapping[tuple[str, str], Result]) -> str:
    """One row's last result in words."""
    got = [ended.get((test.path, test.name)) for test in found]
    there = [result for result in got if result is not None]
    if not there:
        return "not run" if found else "**no test**"
    failed, passed = sum(r.failed for r in there), sum(r.passed for r in there)
    text = f"**{failed} of {failed + passed} cases failed**" if failed else f"passed, {passed} cases"
    trials = sum(result.trials for result in there)
    text += f", {trials:,} trials" if trials else ""
    skipped, missing = sum(r.skipped for r in there), len(got) - len(there)
    text += f"; {skipped} skipped" if skipped else ""
    return text + (f"; {missing} tests not run" if missing else "")


def _listing(row: Row, found: list[Test]) -> Iterator[str]:
    yield f'<a id="{row.id.lower()}"></a>**{row.id}**\n'
    for test in found:
        more = "" if test.runs_in == "`make test`" else f" ({test.runs_in})"
        yield f"- `{test.path}::{test.name}`{more}"
    yield ""


def _span(days: list[str]) -> str:
    if not days:
        return "no run"
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    PAGE.write_text(page(tests(), results(sorted(REPORTS.glob("*.xml")))), encoding="utf-8")
