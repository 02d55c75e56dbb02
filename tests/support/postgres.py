"""A real PostgreSQL server of Debian's package, in a folder of its own, on loopback."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loopback import free_port


@contextmanager
def postgres() -> Iterator[dict[str, str]]:
    """The environment variables by which deploy/dagster.yaml finds the server."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    assert binaries, "no PostgreSQL in /usr/lib/postgresql; install it with: make test-images"
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    # The server refuses to run as root; Debian's package brings the user it runs as.
    owner = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if owner:
        shutil.chown(folder, "postgres")
    port = free_port()
    settings = (
        f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c fsync=off"
    )
    control = [*owner, str(binaries[-1] / "pg_ctl"), "-D", f"{folder}/data", "-l", f"{folder}/log", "-w"]
    try:
        subprocess.run(
            [*control, "initdb", "-o", "--auth=trust --username=dagster --encoding=UTF8"],
            check=True,
            capture_output=True,
            cwd=folder,
        )
        subprocess.run([*control, "-o", settings, "start"], check=True, stdout=subprocess.DEVNULL, cwd=folder)
        yield {
            "DAGSTER_PG_HOST": "127.0.0.1",
            "DAGSTER_PG_PORT": str(port),
            "DAGSTER_PG_USER": "dagster",
            "DAGSTER_PG_PASSWORD": "canary",
            "DAGSTER_PG_DB": "postgres",
        }
        subprocess.run(
            [*control, "-m", "immediate", "stop"], check=True, stdout=subprocess.DEVNULL, cwd=folder
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
