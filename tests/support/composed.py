"""compose.yaml started for real: podman-compose, the images as they ship, a network with names of its own.

Debian's base stands in for ``python:3.x-slim``, as in `images`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import images
import yaml
from loopback import free_port

ENGINE = """
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
"""


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


def build_databases() -> None:
    """Build the images of PostgreSQL and Redis as compose.yaml does, on the stand-in for its base."""
    for target in ("redis", "postgres"):
        name, folder = f"localhost/btc-{target}:test", images.ROOT / "deploy" / "workers"
        images.build(name, "Dockerfile", images.python_base(), "--target", target, context=folder)


def overrides(profile: str) -> dict:
    """What is other than in compose.yaml: images that are built here already, and fewer fits."""
    built = ["page", "dagster"]
    if profile:
        build_databases()
        built += ["worker", "postgres", "redis"]
    image = {"page": "dash", "worker": "dagster"}
    services: dict = {name: {"image": f"localhost/btc-{image.get(name, name)}:test"} for name in built}
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
