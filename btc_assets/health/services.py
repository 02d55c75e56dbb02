"""Examines what serves on this machine: the page, Dagster's webserver, its daemon, its code location."""

from __future__ import annotations

import contextlib
import fcntl
import json
from pathlib import Path
from typing import Any

from btc_assets.health.finding import Finding, State, Surroundings
from btc_assets.settings import Settings
from btc_assets.supervision.lock import LOCK

SECONDS = 5.0
PORTS = ("web_port", "dagster_port")
QUERY = """{
  instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } }
  workspaceOrError { ... on Workspace { locationEntries { name loadStatus locationOrLoadError {
    __typename ... on PythonError { message } } } } ... on PythonError { message } }
}"""


def is_up(settings: Settings) -> bool:
    """Whether a `btc up` holds this data folder, so that page and Dagster must be there."""
    path = Path(settings.dagster_home) / LOCK
    with contextlib.suppress(OSError), path.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def note_ports(settings: Settings) -> None:
    """Write into the lock's file where this `btc up` serves, for who was not told its ``--web-port``."""
    ports = {name: getattr(settings, name) for name in PORTS}
    (Path(settings.dagster_home) / LOCK).write_text(json.dumps(ports))


def as_served(settings: Settings) -> Settings:
    """Return ``settings`` with the ports of the `btc up` that holds this data folder."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        noted = json.loads((Path(settings.dagster_home) / LOCK).read_text())
        return settings.model_copy(update={name: int(noted[name]) for name in PORTS})
    return settings


def examine_page(site: Surroundings) -> list[Finding]:
    """Examine the web page: finding ``page``."""
    import requests

    address = f"http://{_host(site.settings.web_host)}:{site.settings.web_port}/health"
    try:
        status = requests.get(address, timeout=SECONDS, allow_redirects=False).status_code
    except requests.RequestException as error:
        return [Finding("page", State.BROKEN, f"{address} does not answer ({type(error).__name__})", 0, 200)]
    state = State.OK if status == 200 else State.BROKEN
    return [Finding("page", state, f"{address} answers {status}", status, 200)]


def examine_dagster(site: Surroundings) -> list[Finding]:
    """Examine Dagster: findings ``dagster`` (answers), ``daemon`` (alive), ``code_location`` (loaded)."""
    address = address_of(site.settings)
    try:
        data = ask(address, QUERY)
    except OSError as error:
        detail = f"Dagster's webserver at {address} does not answer ({type(error).__name__})"
        return [Finding("dagster", State.BROKEN, detail)]
    answers = Finding("dagster", State.OK, f"the webserver at {address} answers")
    return [answers, _daemon(data["instance"]), _code_location(data["workspaceOrError"])]


def address_of(settings: Settings) -> str:
    """Return where Dagster's webserver listens."""
    return f"http://{_host(settings.dagster_host)}:{settings.dagster_port}"


def ask(address: str, query: str, **variables: Any) -> Any:
    """Return the data of one GraphQL answer of Dagster's webserver.

    Raises:
        OSError: it cannot be reached, or answers with something else.
    """
    import requests

    body = {"query": query, "variables": variables}
    answer = requests.post(f"{address}/graphql", json=body, timeout=SECONDS, allow_redirects=False)
    try:
        return answer.json()["data"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise OSError(f"{address} answers with something that is not Dagster's") from error


def _daemon(instance: Any) -> Finding:
    statuses = instance["daemonHealth"]["allDaemonStatuses"]
    dead = [s["daemonType"].lower() for s in statuses if s["required"] and not s["healthy"]]
    detail = (
        f"no heartbeat of {', '.join(dead)}: no schedule, sensor or queued run works" if dead else "alive"
    )
    return Finding("daemon", State.BROKEN if dead else State.OK, detail, len(dead), 0)


def _code_location(workspace: Any) -> Finding:
    entries = workspace.get("locationEntries")
    if entries is None:
        return Finding(
            "code_location", State.BROKEN, workspace.get("message", "the workspace cannot be read")
        )
    for entry in entries:
        loaded = entry["locationOrLoadError"] or {}
        if loaded.get("__typename") == "PythonError":
            first = loaded["message"].strip().splitlines()[0]
            return Finding("code_location", State.BROKEN, f"{entry['name']} does not load: {first}")
        if not loaded or entry["loadStatus"] != "LOADED":
            return Finding("code_location", State.WARNING, f"{entry['name']} is loading")
    if not entries:
        return Finding("code_location", State.BROKEN, "the workspace has no code location")
    return Finding("code_location", State.OK, f"{', '.join(e['name'] for e in entries)} loaded")


def _host(host: str) -> str:
    """Return the address to ask: where a server listens everywhere, this machine."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
