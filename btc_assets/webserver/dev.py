"""``python -m btc_assets.webserver.dev`` runs Dagster on one machine: code server, webserver, daemon.

It does what ``dagster dev`` does, with the filtered webserver, and in less time: the three are forked from a
process that has imported Dagster once, side by side, and there is no proxy before the code server. Code that
has changed is loaded by the next start.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from multiprocessing.process import BaseProcess
from pathlib import Path

from btc_assets.supervision.loading import loading_for_good
from btc_assets.supervision.signals import interrupted_by_signals, uninterrupted

SHARED = ("dagster._cli.api", "dagster._daemon.cli", "dagster._grpc.server", "btc_assets.event_log")
"""What all three need. Nothing here may start a thread: it would be missing in a fork. Polars would, so the
code location itself is imported by its server alone."""

START_TIMEOUT = 60.0
"""Seconds that the webserver waits for the code, and the daemon for the webserver, before either goes on."""

LOOK_EVERY = 0.5
"""Seconds between two looks at whether all of them are alive."""

GRACE = 5.0
"""Seconds after an interrupt, which most often all of them get, before they are asked to stop."""

STOP_TIMEOUT = 15.0
"""Seconds that each gets to stop by itself before it is killed."""


def main() -> None:
    """Run Dagster over one module until interrupted; exit code 1 if webserver or daemon ends by itself."""
    options = parse_options()
    with loading_for_good():
        for module in SHARED:
            import_module(module)
    with interrupted_by_signals(), tempfile.TemporaryDirectory() as folder:
        run(Services(Path(folder), options.module, options.host, options.port))


def parse_options() -> argparse.Namespace:
    """Return module, host and port, as the command line has them."""
    parser = argparse.ArgumentParser(prog="python -m btc_assets.webserver.dev", description=__doc__)
    parser.add_argument("--module", default="btc_assets.definitions", help="of the code location")
    parser.add_argument("--host", default="127.0.0.1", help="that the webserver listens on")
    parser.add_argument("--port", type=int, default=3000, help="that the webserver listens on")
    return parser.parse_args()


class Services:
    """The three processes over one module; ``folder``, which others cannot read, has the server's socket."""

    def __init__(self, folder: Path, module: str, host: str, port: int) -> None:
        """Write the workspace that names the code server."""
        self.socket, self.module, self.host, self.port = folder / "code", module, host, port
        self.workspace = folder / "workspace.yaml"
        server = {"socket": str(self.socket), "location_name": module}
        self.workspace.write_text(json.dumps({"load_from": [{"grpc_server": server}]}))

    def code_server(self) -> None:
        """Serve the code location; one that does not load is served as the error that it met."""
        from dagster._cli.api import grpc_command

        where = ["--socket", str(self.socket), "--location-name", self.module, "--log-level", "warning"]
        grpc_command([*where, "--lazy-load-user-code", "-m", self.module, "-d", str(Path.cwd())])

    def webserver(self) -> None:
        """Serve the UI behind the filter, as soon as the code can be asked for."""
        with loading_for_good():
            from btc_assets.webserver.__main__ import main as serve

        wait_until_served(self.socket)
        serve(["--host", self.host, "--port", str(self.port), "--workspace", str(self.workspace)])

    def daemon(self) -> None:
        """Run schedules, sensors and queued runs, once the UI is there: nobody waits for the first ticks."""
        from dagster._daemon.cli import run_command

        wait_until_served((self.host, self.port))
        run_command(["--workspace", str(self.workspace)])


def run(services: Services) -> None:
    """Start all three, start the code server again whenever it dies, and stop all when another one does.

    Raises:
        SystemExit: webserver or daemon ended by itself.
    """
    code = _start(services.code_server)
    servers = [_start(services.webserver), _start(services.daemon)]
    grace = 0.0
    try:
        while all(server.is_alive() for server in servers):
            time.sleep(LOOK_EVERY)
            if not code.is_alive():
                print(f"the code server ended with {code.exitcode} and is started again", file=sys.stderr)
                code = _start(services.code_server)
        ended = next(server for server in servers if not server.is_alive())
        sys.exit(f"Dagster's {ended.name} ended by itself with exit code {ended.exitcode}")
    except KeyboardInterrupt:
        grace = GRACE
    finally:
        _stop([*servers, code], grace)


def wait_until_served(address: Path | tuple[str, int]) -> None:
    """Wait until something listens on a socket's path or on host and port, ``START_TIMEOUT`` at most."""
    end = time.monotonic() + START_TIMEOUT
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if isinstance(address, Path):
                with socket.socket(socket.AF_UNIX) as probe:
                    probe.connect(str(address))
            else:
                socket.create_connection(address).close()
            return
        time.sleep(0.05)


def _start(work: Callable[[], None]) -> BaseProcess:
    """Start ``work`` in a process of its own: a fork where the system's libraries bear one."""
    linux = sys.platform == "linux"
    kind = multiprocessing.get_context("fork").Process if linux else multiprocessing.Process
    process = kind(target=work, name=work.__name__)
    process.start()
    return process


def _stop(processes: list[BaseProcess], grace: float) -> None:
    """Wait ``grace`` seconds, ask those that are left to stop, and kill what does not."""
    end = time.monotonic() + grace
    with uninterrupted():
        for process in processes:
            process.join(max(0.0, end - time.monotonic()))
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(STOP_TIMEOUT)
            process.kill()


if __name__ == "__main__":
    main()
