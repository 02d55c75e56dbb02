"""No file, class or function is named by a private word; each has the field's word instead."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for folder in ("btc_assets", "btc_dash", "lambda_image", "tests", "benchmarks", "scripts")
    for path in (ROOT / folder).rglob("*.py")
)

FILES = {
    "patience": "retry",
    "cooldown": "ban_memory",
    "rows": "wire_format or diff",
    "compare": "anomalies",
    "transport": "http_session",
    "telling": "notifier",
    "alarms": "notifications",
    "helpers": "worker_processes",
    "traces": "tf_memory",
    "identity": "compatibility",
    "card": "model_card",
    "realised": "realised_volatility",
    "seen": "input_checks",
    "holdings": "output_checks",
    "walk": "chain_checks",
    "sweep": "vacuum",
    "open": "factory",
    "describe": "metadata",
    "pictures": "svg",
    "crowd": "admission",
    "limits": "rate_limit",
    "guard": "middleware",
    "document": "index_page",
    "answer": "forecasting",
    "record": "track_record",
    "running": "running_day",
    "site": "context",
    "reader": "cache",
    "compute": "on_demand",
    "story": "forecast_text",
    "verdict": "record_text",
    "asking": "forecast_callbacks",
    "tracking": "track_callbacks",
    "nursery": "forked_processes",
    "post_office": "smtp_server",
    "world": "graph_environment",
}
"""Names of files that are gone, and what they became."""

CLASSES = {
    "Teller": "Notifier",
    "Patience": "RetryPolicy",
    "Cooldown": "BanMemory",
    "Told": "Notification",
    "Children": "Supervisor",
    "Child": "ManagedProcess",
    "Nursery": "ForkServer",
}

FUNCTIONS = {
    "persist": "retry",
    "within": "run_with_timeout",
    "tell": "notify",
    "last_words": "log_tail",
    "bury_dead_runs": "fail_orphaned_runs",
}


def defined(kind: type[ast.AST] | tuple[type[ast.AST], ...]) -> list[tuple[Path, str]]:
    """Every definition of a kind in the sources, with its file."""
    return [
        (path.relative_to(ROOT), node.name)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, kind) and isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
    ]


def test_no_file_has_a_private_name() -> None:
    names = [(path.relative_to(ROOT), re.sub("^test_", "", path.stem)) for path in SOURCES]
    names = [(path, name) for path, name in names if path.parts[:2] != ("tests", "docs")]
    assert [f"{path}: say {FILES[name]}" for path, name in names if name in FILES] == []


@pytest.mark.parametrize(
    ("kind", "known"),
    [(ast.ClassDef, CLASSES), ((ast.FunctionDef, ast.AsyncFunctionDef), FUNCTIONS)],
    ids=["classes", "functions"],
)
def test_no_class_or_function_has_a_private_name(
    kind: type[ast.AST] | tuple[type[ast.AST], ...], known: dict[str, str]
) -> None:
    found = [f"{path}: {name}, say {known[name]}" for path, name in defined(kind) if name in known]
    assert found == []
