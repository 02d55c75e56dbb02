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
    "tracking": "question_form",
    "nursery": "forked_processes",
    "post_office": "smtp_server",
    "world": "graph_environment",
    "words": "formatting or sentences",
}
"""Names of files that are gone, and what they became."""

CLASSES = {
    "Alarm": "Notification",
    "Answer": "ForecastResult or ChanceAnswer",
    "Budget": "RateLimiter",
    "Card": "ModelCard",
    "Child": "ManagedProcess",
    "Children": "Supervisor",
    "Cooldown": "BanMemory",
    "Crowd": "AdmissionControl or LoadResult",
    "Gate": "AdmissionControl",
    "Glimpse": "Quote",
    "Guard": "CrossSiteFilter",
    "Landed": "LandedVersion, LandedDay or LandingReport",
    "Landing": "LandingZone",
    "Nursery": "ForkServer",
    "Patience": "RetryPolicy",
    "Reader": "TableCache",
    "Record": "IssueRecord",
    "Site": "Context",
    "Told": "Notification",
    "Teller": "Notifier",
    "Trial": "what is tried",
    "Walk": "WalkForward",
    "World": "LedgerStore",
}

FUNCTIONS = {
    "answer": "what is answered: answer_question, reply",
    "asking": "the callback or what is measured",
    "bury_dead_runs": "fail_orphaned_runs",
    "card": "read or what is drawn",
    "compare": "what is compared",
    "compute": "what is computed",
    "describe": "in_words",
    "document": "openapi_document",
    "fetch": "fetch_candles, fetch_bars: what is fetched",
    "holdings": "output_checks",
    "identity": "fingerprint or key",
    "land": "put",
    "landed": "LandedVersion",
    "last_words": "log_tail",
    "limits": "what is limited",
    "persist": "retry",
    "pictures": "what is done with them",
    "realised": "realised_volatility",
    "record": "what is recorded",
    "running": "running_candle, is_running",
    "seen": "input_checks",
    "site": "context",
    "story": "forecast_text",
    "tell": "notify",
    "told": "what was said",
    "tracking": "the callback",
    "verdict": "record_text",
    "walk": "walk_forward",
    "within": "run_with_timeout or is_between",
    "words": "in_words",
    "world": "store",
}
"""Names of functions, methods and fixtures, with or without a leading underscore."""

ONE_MEANING = {
    "DAILY": "btc_assets/market/calendar.py",
    "History": "btc_assets/modeling/history.py",
    "InForce": "btc_assets/modeling/vintages.py",
    "PATIENCE": None,
}
"""Words that stood for several things: by name, the one file that may define it, if any."""


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
    names = [(path, name.lstrip("_")) for path, name in defined(kind)]
    assert [f"{path}: {name}, say {known[name]}" for path, name in names if name in known] == []


def test_a_word_that_meant_several_things_is_defined_once() -> None:
    for name, place in ONE_MEANING.items():
        pattern = re.compile(rf"^(?:class {name}\b|_?{name}\b[^=\n]*= )", re.MULTILINE)
        places = [str(path.relative_to(ROOT)) for path in SOURCES if pattern.search(path.read_text())]
        assert places == ([place] if place else []), name
