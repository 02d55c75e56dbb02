"""Nothing that we read can make us run code: no loader that could is called anywhere."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(
    f for part in ("btc_assets", "btc_dash", "lambda_image", "scripts") for f in (ROOT / part).rglob("*.py")
)

FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "h5py"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "system", "popen"}


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            yield name, node


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_loader_that_runs_code_is_used(path: Path) -> None:
    """M4: models are opened by ONNX Runtime, or by Keras in its safe mode."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert not FORBIDDEN_MODULES & {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert (node.module or "").partition(".")[0] not in FORBIDDEN_MODULES
    for name, call in calls(tree):
        plain = isinstance(call.func, ast.Name) or name in {"system", "popen"}
        # `model.compile` of Keras takes an optimiser, not code.
        assert not (plain and name in FORBIDDEN_CALLS), f"{name} in line {call.lineno}"
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        if name == "load_model":
            assert ast.unparse(given["safe_mode"]) == "True"
        if name in {"run", "Popen", "check_call", "check_output", "call"}:
            assert "shell" not in given or ast.unparse(given["shell"]) == "False"
        if (
            name == "load"
            and isinstance(call.func, ast.Attribute)
            and ast.unparse(call.func.value) in {"np", "numpy"}
        ):
            assert ast.unparse(given["allow_pickle"]) == "False"
        if name in {"extractall", "unpack_archive"}:
            raise AssertionError(f"{name} in line {call.lineno} writes wherever the archive says")


def test_models_are_opened_in_two_places_alone_and_verified_first() -> None:
    """Whoever adds one must verify its bytes against the manifest before; see docs/security.md."""
    found = {
        path.relative_to(ROOT).as_posix()
        for path in FILES
        for name, _ in calls(ast.parse(path.read_text()))
        if name in {"InferenceSession", "load_model"}
    }
    assert found == {
        "btc_assets/modeling/inference.py",  # after manifest.verify
        "btc_assets/modeling/training.py",  # the graph it has just made, in memory
    }


def test_no_certificate_check_is_switched_off() -> None:
    for path in FILES:
        for _, call in calls(ast.parse(path.read_text())):
            for keyword in call.keywords:
                if keyword.arg in {"verify", "hostname_verification", "check_hostname"}:
                    assert ast.unparse(keyword.value) != "False", f"{path.name} line {call.lineno}"
