"""`dagster-webserver` with this project's graph on a free port, as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from loopback import free_port, wait_for
from processes import end_session


@contextmanager
def dagster_webserver(folder: Path) -> Iterator[str]:
    """Its address while it runs; its instance and a simulated market are in ``folder``."""
    (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    given = {"DAGSTER_HOME": str(folder), "BTC_SOURCE": "simulated", "BTC_DATA_DIR": str(folder / "data")}
    with serve_code(folder, "-m", "btc_assets.definitions", **given) as url:
        yield url


@contextmanager
def serve_code(folder: Path, *code: str, **given: str) -> Iterator[str]:
    """The address of a webserver over ``code``, started in ``folder`` with more variables."""
    port = free_port()
    command = [sys.executable, "-m", "dagster_webserver", "-h", "127.0.0.1", "-p", str(port), *code]
    with (folder / "webserver.log").open("w") as log:
        server = subprocess.Popen(
            command, env=os.environ | given, stdout=log, stderr=log, cwd=folder, start_new_session=True
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{url}/server_info", server)
        yield url
    finally:
        end_session(server)


def ask(url: str, query: str, **variables: Any) -> dict[str, Any]:
    """The data of the answer to a GraphQL query."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"{url}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return dict(json.load(response)["data"])
