"""A real ``btc up`` in a folder of its own, over dumps that end in 2020."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
from dumps import write_dumps
from loopback import free_port

LAST = dt.date(2020, 2, 29)
START_TIMEOUT = 280.0


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


class Up:
    """A running ``btc up``."""

    def __init__(self, folder: Path, **more: str) -> None:
        self.web, self.dagster = free_port(), free_port()
        write_dumps(folder / "dumps", LAST)
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("BTC_", "DAGSTER_"))}
        self.environment = {
            **clean,
            "BTC_SOURCE": "archive",
            "BTC_ARCHIVE": str(folder / "dumps"),
            "BTC_DATA_DIR": str(folder / "data"),
            "BTC_CACHE_DIR": str(folder / "cache"),
            "BTC_REFIT_EVERY": "30",
            "BTC_RECORD_DAYS": "0",
            "COLUMNS": "160",
            **more,
        }
        self.log = folder / "up.log"
        self.start()

    def arguments(self) -> list[str]:
        return ["up", "--web-port", str(self.web), "--dagster-port", str(self.dagster)]

    def start(self) -> None:
        with self.log.open("wb") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "btc_assets.cli", *self.arguments()],
                env=self.environment,
                stdout=sink,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for(self, what: str, ready: Callable[[], object]) -> None:
        end = time.monotonic() + START_TIMEOUT
        while not ready():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < end, f"{what} took too long:\n{self.said()}"
            time.sleep(0.1)

    def stop(self) -> list[psutil.Process]:
        """Ctrl-C; returns whatever it left behind."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        return [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]

    def family(self) -> list[psutil.Process]:
        """It, and what was started for its folder, whoever the parent is now; itself first."""
        mine = self.environment["BTC_DATA_DIR"]
        found = []
        for process in psutil.process_iter():
            try:
                if process.status() != psutil.STATUS_ZOMBIE and process.environ().get("BTC_DATA_DIR") == mine:
                    found.append(process)
            except psutil.Error:
                continue
        return sorted(found, key=lambda process: process.pid != self.process.pid)

    def end(self) -> None:
        """Leave nothing running, whatever became of it."""
        if self.process.poll() is None:
            self.stop()
        for process in self.family():
            process.kill()
