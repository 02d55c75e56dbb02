"""The fixture that runs ``btc`` as a person does, in a process of its own.

The process is forked from one that has imported the libraries, which takes a second. A new interpreter runs
what depends on variables that one or a library reads as it starts, and `btc up`, a family of processes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from forked_processes import ForkServer

RunBtc = Callable[..., subprocess.CompletedProcess[str]]
"""``btc(*arguments, **environment)`` runs the command line in a process of its own."""

LIBRARIES = """
import alembic.command, dagster, dagster._core.execution.execute_in_process, dagster._core.instance.factory
import dagster._core.storage.local_compute_log_manager, deltalake, numpy, polars, requests, sqlalchemy
"""
"""None of ours: what it imports depends on settings."""

COMMAND = """
os.close(_to)
os.chdir(folder)
os.environ.clear()
os.environ.update(environment)
writing = os.O_WRONLY | os.O_CREAT
for number, (path, flags) in enumerate([(os.devnull, os.O_RDONLY), (out, writing), (errors, writing)]):
    os.dup2(os.open(path, flags), number)
sys.argv = ["btc", *arguments]
code = 1
try:
    from btc_assets.cli import main
    main()
except SystemExit as end:
    code = end.code
    if isinstance(code, str):
        code = print(code, file=sys.stderr) or 1
except BaseException:
    traceback.print_exc()
sys.stdout.flush()
sys.stderr.flush()
os._exit(code or 0)
"""


EARLY = ("PYTHON", "LD_", "POLARS_")
"""How the variables begin that an interpreter or a library reads as it starts."""


@pytest.fixture(scope="session")
def prepared_btc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    """A process that has imported the libraries."""
    with ForkServer(LIBRARIES, tmp_path_factory.mktemp("btc") / "log") as server:
        yield server


@pytest.fixture
def btc(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> RunBtc:
    """Run ``btc ARGS`` with a data folder of its own; keyword arguments are environment variables."""

    def run(*arguments: str, **given: str) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("BTC_", "DAGSTER_"))} | {
            "BTC_DATA_DIR": str(tmp_path / "data"),
            "BTC_CACHE_DIR": str(tmp_path / "cache"),
            "COLUMNS": "200",
            **given,
        }
        if arguments[0] == "up" or any(name.startswith(EARLY) for name in given):
            command = [sys.executable, "-m", "btc_assets.cli", *arguments]
            return subprocess.run(command, env=environment, capture_output=True, text=True)
        said = tmp_path_factory.mktemp("said")
        names = {"arguments": arguments, "environment": environment, "folder": str(Path.cwd())}
        names |= {"out": str(said / "out"), "errors": str(said / "errors")}
        end = request.getfixturevalue("prepared_btc").run(COMMAND, names)
        texts = ((said / name).read_text() for name in ("out", "errors"))
        return subprocess.CompletedProcess(arguments, end.status, *texts)

    return run
