"""The sizes that keep the code readable: short files, and functions that fit on a screen."""

from __future__ import annotations

import ast
import statistics
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILES = [p for folder in ("btc_assets", "btc_dash", "lambda_image") for p in (ROOT / folder).rglob("*.py")]


def functions() -> list[tuple[int, str]]:
    """Lines of each function without its docstring, and its name."""
    found = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                said = ast.get_docstring(node, clean=False)
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                lines -= said.count("\n") + 1 if said else 0
                found.append((lines, f"{path.relative_to(ROOT)}: {node.name}"))
    return found


def test_no_function_is_longer_than_a_screen() -> None:
    assert [name for lines, name in functions() if lines > 60] == []


def test_files_and_functions_are_short() -> None:
    assert statistics.median(path.read_text().count("\n") for path in FILES) <= 100
    assert statistics.median(lines for lines, _ in functions()) <= 10
