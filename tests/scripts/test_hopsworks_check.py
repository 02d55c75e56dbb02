"""The check for people with an account, with the emulator in the place of their server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEVER = "No real Hopsworks server was contacted."


def check(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("BTC_", "HOPSWORKS_", "PYTEST_"))}
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts/hopsworks_check.py"), *options],
        env=clean | environment,
        capture_output=True,
        text=True,
    )


def test_it_says_what_must_be_set_and_runs_nothing() -> None:
    said = check(HOPSWORKS_API_KEY="key")
    assert said.returncode == 1
    assert said.stderr.startswith("hopsworks_check: set HOPSWORKS_PROJECT, BTC_HOPSWORKS_DATA_SOURCE")
    assert said.stdout == ""


@pytest.mark.parametrize("page", ["docs/hopsworks.md", "README.md"])
def test_a_page_says_that_no_server_was_contacted_until_one_was(page: str) -> None:
    text = (ROOT / page).read_text()
    assert (NEVER in text) is not ("ran" in text and "against a real Hopsworks project" in text)


@pytest.mark.hopsworks
@pytest.mark.parametrize(
    ("chosen", "passes"), [("hopsworks and rows_come_back", True), ("nothing_like_it", False)]
)
def test_only_tests_that_ran_and_passed_change_what_the_page_says(
    tmp_path: Path, chosen: str, passes: bool
) -> None:
    pytest.importorskip("hopsworks", reason="needs the extra btc-assets[hopsworks]")
    from hopsworks_emulator import Emulator

    page = tmp_path / "page.md"
    page.write_text(f"Before. {NEVER} After.")
    with Emulator(tmp_path / "server") as server:
        said = check(
            *("--write", str(page), "-k", chosen, "-p", "no:cacheprovider"),
            HOME=str(tmp_path),
            HOPSWORKS_API_KEY=server.api_key,
            HOPSWORKS_PROJECT=server.project,
            HOPSWORKS_HOST=server.host,
            HOPSWORKS_TRUST_STORE_PATH=str(server.authority.folder / "ca.pem"),
            BTC_HOPSWORKS_DATA_SOURCE="emulated_s3",
        )
    assert (said.returncode == 0) is passes, said.stdout + said.stderr
    assert (NEVER in page.read_text()) is not passes
    assert ("against a real Hopsworks project, with client" in page.read_text()) is passes
