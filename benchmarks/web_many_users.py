"""Many users on the web app: ``python -m benchmarks.web_many_users --users 100 --seconds 300``.

Every user asks again as soon as the answer is there, so as many requests are under way as there are users.
The askers run on the machine that serves, so every number carries their cost as well.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import os
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.bench_web import serving
from benchmarks.web_load import Client

PATHS = ("/", "/api/v1/forecast?days=30&model=mlp", "/api/v1/scores?days=7", "/api/v1/health")
"""Asked beside the forecast page's callback, which is every second request."""


@dataclass
class LoadResult:
    """What the users saw."""

    statuses: Counter[int] = field(default_factory=Counter)
    """Answers by status; 0: no answer."""
    times: dict[int, list[float]] = field(default_factory=dict)
    """Seconds of each answer, by status."""
    wrong: list[str] = field(default_factory=list)
    """Answers that were for somebody else."""
    seconds: float = 0.0

    def percentile(self, share: float, status: int = 200) -> float:
        """Seconds that ``share`` of the answers took at most."""
        ordered = sorted(self.times.get(status, [0.0]))
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


class User(threading.Thread):
    """One user on one keep-alive connection."""

    def __init__(
        self, port: int, number: int, body: dict[str, object], until: float, result: LoadResult
    ) -> None:
        super().__init__(daemon=True)
        self.port, self.number, self.body, self.until, self.result = port, number, body, until, result
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def run(self) -> None:
        """Ask until the time is up."""
        for step in itertools.count(self.number):
            if time.monotonic() > self.until:
                break
            began = time.monotonic()
            status = self._callback(1 + step % 90) if step % 2 else self._get(PATHS[step // 2 % len(PATHS)])
            self.result.statuses[status] += 1
            self.result.times.setdefault(status, []).append(time.monotonic() - began)
        self.connection.close()

    def _callback(self, days: int) -> int:
        inputs = [i | {"value": str(days)} if i["id"] == "days" else i for i in self.body["inputs"]]  # type: ignore[attr-defined]
        status, content = self._ask(
            "POST", "/_dash-update-component", json.dumps(self.body | {"inputs": inputs})
        )
        if status == 200 and f"forecast?days={days}&".encode() not in content:
            self.result.wrong.append(f"{days} days: {content[:80]!r}")
        return status

    def _get(self, path: str) -> int:
        return self._ask("GET", path)[0]

    def _ask(self, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
        try:
            self.connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            answer = self.connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            return 0, b""


def press(port: int, users: int, seconds: float) -> LoadResult:
    """Let ``users`` ask for ``seconds``."""
    client = Client("127.0.0.1", port)
    body = client.body(14, "ensemble")
    client.close()
    result, began = LoadResult(), time.monotonic()
    threads = [User(port, number, body, began + seconds, result) for number in range(users)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    result.seconds = time.monotonic() - began
    return result


def memory(process: psutil.Process) -> float:
    """Resident memory of the largest worker, MB."""
    return max(float(child.memory_info().rss) for child in process.children()) / 1e6


def main() -> None:
    """Serve a filled store, warm it, press it, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=300)
    given = parser.parse_args()
    import dash_data

    with tempfile.TemporaryDirectory() as scratch:
        dash_data.fill(Path(scratch) / "real")
        with serving(scratch) as (port, _, process):
            press(port, given.users, min(60.0, given.seconds / 3))
            marks = [memory(process)]
            result = LoadResult()
            for _ in range(5):
                part = press(port, given.users, given.seconds / 5)
                result.statuses += part.statuses
                for status, times in part.times.items():
                    result.times.setdefault(status, []).extend(times)
                result.wrong += part.wrong
                result.seconds += part.seconds
                marks.append(memory(process))
    total = sum(result.statuses.values())
    print(f"{given.users} users, {result.seconds:.0f} s, load average {os.getloadavg()[1]:.1f}")
    print(f"{total:,} answers, {total / result.seconds:.0f} a second, by status {dict(result.statuses)}")
    print(f"for somebody else: {len(result.wrong)}")
    print(
        "p50 / p95 / p99: " + " / ".join(f"{result.percentile(p) * 1000:.0f} ms" for p in (0.5, 0.95, 0.99))
    )
    print("memory of the largest worker: " + " ".join(f"{mark:.0f}" for mark in marks) + " MB")


if __name__ == "__main__":
    main()
