"""A load on the web app: a few keep-alive connections that post forecast callbacks, and their times."""

from __future__ import annotations

import http.client
import json
import threading
import time
from dataclasses import dataclass
from typing import Any

FORM = {
    "days": "14",
    "model": "ensemble",
    "as-of": "",
    "span": "50",
    "view": "line",
}


@dataclass(frozen=True, slots=True)
class Load:
    """Requests a second and the times of each (seconds)."""

    per_second: float
    times: list[float]


class Client:
    """One keep-alive connection that plays a browser on the forecast page."""

    def __init__(self, host: str, port: int) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=30)
        self._callback = self._find("headline.children")

    def ask(self, days: int, model: str) -> float:
        """Ask for a forecast as the form does; the seconds it took.

        Raises:
            AssertionError: the answer is not a forecast.
        """
        body = self.body(days, model)
        began = time.perf_counter()
        answer = self.request("POST", "/_dash-update-component", json.dumps(body))
        took = time.perf_counter() - began
        assert f"forecast?days={days}&".encode() in answer, answer[:200]
        return took

    def body(self, days: int, model: str) -> dict[str, Any]:
        """What the form posts."""
        values = FORM | {"days": str(days), "model": model}
        inputs = [
            {"id": i["id"], "property": i["property"], "value": values.get(i["id"], "")}
            for i in self._callback["inputs"]
        ]
        return {
            "output": self._callback["output"],
            "outputs": self._outputs(),
            "inputs": inputs,
            "state": [],
            "changedPropIds": ["days.value"],
        }

    def request(self, method: str, path: str, body: str | None = None) -> bytes:
        """One request on the kept connection; the body of its answer."""
        headers = {"Content-Type": "application/json"} if body else {}
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        content = response.read()
        assert response.status == 200, (response.status, content[:200])
        return content

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _find(self, output: str) -> dict[str, Any]:
        known = json.loads(self.request("GET", "/_dash-dependencies"))
        found: dict[str, Any] = next(c for c in known if output in c["output"])
        return found

    def _outputs(self) -> list[dict[str, str]]:
        parts = [part.rsplit(".", 1) for part in self._callback["output"].strip(".").split("...")]
        return [{"id": name, "property": prop} for name, prop in parts]


def load(host: str, port: int, requests: int, connections: int) -> Load:
    """``requests`` callbacks with changing questions over ``connections`` connections at once."""
    times: list[float] = []

    def work(number: int) -> None:
        client = Client(host, port)
        for step in range(requests // connections):
            model = ("ensemble", "mlp", "lstm")[step % 3]
            times.append(client.ask(1 + (7 * step + number) % 90, model))
        client.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(connections)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Load(len(times) / (time.perf_counter() - began), times)
