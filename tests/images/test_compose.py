"""``docker compose up``, with and without the profile that has PostgreSQL and two workers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import images
import pytest
from composed import composed

pytestmark = [pytest.mark.images, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    images.require_tools()
    for target in ("dash", "dagster"):
        name = f"localhost/btc-{target}:test"
        images.build(name, "Dockerfile", images.python_base(), "--target", target)


def wait_for(what: str, is_there: Callable[[], object], container: images.Container) -> None:
    deadline = time.monotonic() + 900
    while not is_there():
        assert time.monotonic() < deadline, f"no {what}:\n{container.logs()[-4000:]}"
        time.sleep(1)


def test_page_and_dagster_come_up_on_one_volume(tmp_path: Path) -> None:
    with composed(tmp_path) as up:
        assert up.services() == {"page_1", "dagster_1"}
        dagster = up.container("dagster")
        assert "<title>" in up.container("page").wait_for(f"{up.page}/").decode()
        wait_for("Ready", lambda: "Ready:" in dagster.logs(), dagster)
        said = json.loads(dagster.wait_for(f"{up.page}/api/v1/forecast?days=7"))
        assert said["simulated"]
        assert not said["computed"], "the page shows what Dagster has issued, on the same volume"
        doctor = dagster.execute("sh", "-c", "btc doctor --json || true")
        found = {each["name"]: each["state"] for each in json.loads(doctor)["findings"]}
        assert {found[name] for name in ("page", "dagster", "code_location", "models")} == {"ok"}
