"""`dagster-webserver` with this project's graph on a free port, as a process of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from processes import end_session


@contextmanager
def dagster_webserver(folder: Path) -> Iterator[str]:
    """Its address while it runs; its instance and a simulated market are in ``folder``."""
    (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    given = {"DAGSTER_HOME": str(folder), "BTC_SOURCE": "simulated", "BTC_DATA_DIR": str(folder / "data")}
    command = ["-m", "dagster_webserver", "-h", "127.0.0.1", "-p", str(port), "-m", "btc_assets.definitions"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, *command],
            env=os.environ | given,
            stdout=log,
            stderr=log,
            cwd=folder,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, server)
        yield url
    finally:
        end_session(server)


def ask(url: str, query: str, **variables: Any) -> dict[str, Any]:
    """The data of the answer to a GraphQL query."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"{url}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return dict(json.load(response)["data"])


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/server_info", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError("the webserver did not start")
