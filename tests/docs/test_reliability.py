"""The fault matrix: every row has a test, and the page of results names only tests that exist."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


writer = script("write_reliability")


def test_every_row_of_the_fault_matrix_has_a_test() -> None:
    covered = {row for test in writer.tests() for row in test.ids}
    assert covered == {row.id for row in writer.ROWS}


def test_the_page_lists_every_row_and_only_tests_that_exist() -> None:
    text = writer.PAGE.read_text()
    there = {f"{test.path}::{test.name}" for test in writer.tests()}
    listed = set(re.findall(r"`(tests/[^`]+::[^`]+)`", text))
    assert listed - there == set(), "gone or renamed: run `make test test-faults`, then `make reliability`"
    for row in writer.ROWS:
        assert f"| [{row.id}]" in text, f"{row.id} is not on the page: run `make reliability`"


def test_a_row_passes_only_if_all_its_cases_did(tmp_path: Path) -> None:
    (tmp_path / "unit.xml").write_text(
        """<testsuites><testsuite timestamp="2026-11-24T00:00:00">
        <testcase classname="tests.x.test_y" name="test_T1_a[one]">
          <properties><property name="trials" value="150"/></properties></testcase>
        <testcase classname="tests.x.test_y" name="test_T1_a[two]"><failure/></testcase>
        <testcase classname="tests.x.test_y.TestOnTheWeb" name="test_T2_T3_b"/>
        <testcase classname="tests.x.test_y" name="test_T3_c"><skipped/></testcase>
        </testsuite></testsuites>"""
    )
    names = ("test_T1_a", "test_T2_T3_b", "test_T2_e", "test_T3_c", "test_T4_d")
    found = [writer.Test("tests/x/test_y.py", name) for name in names]
    text = writer.page(found, writer.results([tmp_path / "unit.xml"]))

    def last_result(row: str) -> str:
        (line,) = re.findall(rf"^\| \[{row}\].*$", text, re.MULTILINE)
        return line.split("|")[-2].strip()

    assert last_result("T1") == "**1 of 2 cases failed**, 150 trials"
    assert last_result("T2") == "passed, 1 cases; 1 tests not run"
    assert last_result("T3") == "passed, 1 cases; 1 skipped"
    assert last_result("T4") == "not run"
    assert last_result("T5") == "**no test**"
    partly = "1 more as far as their tests were run"
    assert f"**1 of {len(writer.ROWS)} rows pass**, {partly}; reports of 2026-11-24" in text


def test_marks_say_what_runs_a_test() -> None:
    runs_in = {test.name: test.runs_in for test in writer.tests()}
    assert runs_in["test_T5_no_flipped_bit_is_believed"] == "`make test-faults`"
    layers = "test_K2_no_layer_holds_a_secret_a_cache_or_a_path_of_the_build_machine"
    assert runs_in[layers] == "`make test-images`"
    assert runs_in["test_S4_a_truncated_body_is_retried"] == "`make test`"


@pytest.mark.parametrize("name", ["test_S1_S2_x", "test_D11_y"])
def test_a_test_may_be_named_for_several_rows(name: str) -> None:
    assert writer.Test("", name).ids == re.findall(r"[SD]\d+", name)
