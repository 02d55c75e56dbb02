"""compose.yaml started for real: podman-compose, the images as they ship, a network with names of its own.

PostgreSQL and Redis are stood in for by Debian's own, which keep to what the official images are told.
"""

from __future__ import annotations

import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import images
import yaml

ENGINE = """
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
"""
DATABASES = """
FROM {base}
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql redis-server >/dev/null \\
 && ln -s /usr/lib/postgresql/*/bin/* /usr/local/bin/ ; install -d -o postgres /var/lib/postgresql/data
ENV PGDATA=/var/lib/postgresql/data/main
USER postgres
"""
START_POSTGRES = """
set -e
test -d $PGDATA || {
  echo $POSTGRES_PASSWORD > /tmp/password
  initdb -A scram-sha-256 --username=$POSTGRES_USER --pwfile=/tmp/password >/dev/null
  echo "host all all all scram-sha-256" >> $PGDATA/pg_hba.conf
  echo "CREATE DATABASE $POSTGRES_DB" | postgres --single postgres >/dev/null
}
exec postgres -h '*' -k /tmp
"""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@dataclass
class Composed:
    """What ``docker compose up`` started."""

    project: str
    page: str
    dagster: str

    def container(self, service: str, number: int = 1) -> images.Container:
        return images.Container(f"{self.project}_{service}_{number}")

    def services(self) -> set[str]:
        """The containers that run, as service and number."""
        names = images.run("podman", "ps", "--format", "{{.Names}}").split()
        return {name.removeprefix(f"{self.project}_") for name in names if name.startswith(self.project)}


def database_image() -> str:
    """Debian's PostgreSQL and Redis in one image."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Dockerfile").write_text(DATABASES.format(base=images.python_base()))
        name = "localhost/btc-databases:1"
        return images.build(name, "Dockerfile", images.python_base(), context=Path(folder))


def overrides(profile: str) -> dict:
    """What is other than in compose.yaml: images that are built here already, and fewer fits."""
    services: dict = {
        "page": {"image": "localhost/btc-dash:test"},
        "dagster": {"image": "localhost/btc-dagster:test"},
    }
    if profile:
        made = database_image()
        services["worker"] = {"image": "localhost/btc-dagster:test"}
        services["postgres"] = {"image": made, "command": ["sh", "-c", START_POSTGRES.replace("$", "$$")]}
        services["redis"] = {"image": made, "command": ["redis-server", "--protected-mode", "no"]}
    for name in {"page", "dagster", "worker"} & set(services):
        services[name]["environment"] = {"BTC_REFIT_EVERY": "30", "BTC_RECORD_DAYS": "0"}
    return {"services": services}


@contextmanager
def composed(folder: Path, profile: str = "") -> Iterator[Composed]:
    """Bring everything up on free ports with the simulated market; afterwards remove it, volumes too."""
    page, dagster = free_port(), free_port()
    (folder / "containers.conf").write_text(ENGINE)
    (folder / "overrides.yaml").write_text(yaml.safe_dump(overrides(profile)))
    given = {"CONTAINERS_CONF": str(folder / "containers.conf"), "COMPOSE_PROFILES": profile}
    given |= {"BTC_SOURCE": "simulated", "PAGE_PORT": str(page), "DAGSTER_PORT": str(dagster)}
    project = f"btc-test-{page}"
    files = ("-f", str(images.ROOT / "compose.yaml"), "-f", str(folder / "overrides.yaml"))
    compose = (str(Path(sys.executable).with_name("podman-compose")), "-p", project, *files)
    try:
        images.run(*compose, "up", "--detach", "--no-build", **given)
        yield Composed(project, f"http://127.0.0.1:{page}", f"http://127.0.0.1:{dagster}")
    finally:
        images.run(*compose, "down", "--volumes", **given)
