"""An S3 server whose line can be cut: a proxy on loopback in front of a (stand-in) server.

It is a process of its own, like the server: deltalake holds Python's lock during some requests.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import loopback

CONTROL = "/-control"
REFUSALS = {"forbidden": (403, "AccessDenied"), "busy": (503, "SlowDown")}


class FaultyS3:
    """The proxy, seen from the test."""

    def __init__(self, url: str) -> None:
        self.url = url

    def spoil(self, what: str, method: str = "", part: str = "", times: int = 10**9) -> None:
        """Let ``what`` happen to the next ``times`` requests of ``method`` whose path contains ``part``.

        ``cut``: hang up without passing the request on; ``lost``: pass it on, then hang up without an
        answer; ``half``: hang up amid the answer's body; ``forbidden``: answer 403; ``busy``: answer 503.
        """
        self._send_order({"what": what, "method": method, "part": part, "times": times})

    def heal(self) -> None:
        """Let everything through again."""
        self._send_order({"times": 0})

    def spoilt(self) -> int:
        """How many requests the last `spoil` has met so far."""
        return int(self._send_order(None))

    def _send_order(self, order: dict[str, Any] | None) -> Any:
        body = json.dumps(order).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url + CONTROL, body), timeout=30) as answer:
            return json.load(answer)


@contextmanager
def faulty_s3(endpoint: str) -> Iterator[FaultyS3]:
    """A proxy in front of the server at ``endpoint``."""
    command = [sys.executable, str(Path(__file__)), endpoint]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as proxy:
        assert proxy.stdout is not None
        try:
            yield FaultyS3(proxy.stdout.readline().strip())
        finally:
            proxy.kill()


class Handler(loopback.Handler):
    """One connection: requests are passed on, or meet the fault in force."""

    protocol_version = "HTTP/1.1"
    target = ""
    fault: dict[str, Any] = {"times": 0}  # noqa: RUF012 - one for the whole process
    met = 0

    def do_GET(self) -> None:
        body = self.body()
        if self.path == CONTROL:
            return self.control(json.loads(body))
        fault = self.next_fault()
        if fault == "cut":
            self.close_connection = True
        elif fault in REFUSALS:
            status, code = REFUSALS[fault]
            error = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
            self.reply(status, error, {"Content-Type": "application/xml"})
        else:
            self.pass_on(body, fault)
        return None

    do_PUT = do_POST = do_HEAD = do_DELETE = do_GET

    def control(self, order: dict[str, Any] | None) -> None:
        if order is not None:
            Handler.fault, Handler.met = order, 0
        self.reply(200, Handler.met)

    def next_fault(self) -> str:
        fault = Handler.fault
        meets = fault["times"] > 0 and fault["method"] in ("", self.command) and fault["part"] in self.path
        if not meets:
            return ""
        fault["times"] -= 1
        Handler.met += 1
        return str(fault["what"])

    def pass_on(self, body: bytes, fault: str) -> None:
        server = http.client.HTTPConnection(self.target, timeout=60)
        server.request(self.command, self.path, body, dict(self.headers.items()))
        answer = server.getresponse()
        content = answer.read()
        server.close()
        if fault == "lost":
            self.close_connection = True
            return
        ours = {"connection", "transfer-encoding", "content-length", "date", "server"}
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in ours}
        length = int(answer.getheader("Content-Length") or len(content))
        self.start(answer.status, length, headers)
        if fault == "half":
            self.close_connection = True
            content = content[: length // 2]
        if self.command != "HEAD":
            self.wfile.write(content)


def main() -> None:
    """Serve until killed; the address goes out as the first line."""
    Handler.target = urllib.parse.urlsplit(sys.argv[1]).netloc
    server = loopback.Server(Handler)
    print(server.url, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
