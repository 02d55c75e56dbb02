"""Keep slow clients away from the threads that answer: one gets a request once all of it is here.

gunicorn gives a connection to a thread with its first byte, and the thread then waits for the rest. A few
hundred clients that send a byte every few seconds would take every thread, and nobody, not even a load
balancer that asks for /health, would be answered.
"""

from __future__ import annotations

import contextlib
import re
import selectors
import socket
import struct
import time
from collections import deque
from functools import partial
from typing import Any

from gunicorn import util
from gunicorn.workers.gthread import ThreadWorker

from btc_dash.server.problems import problem

READ_SECONDS = 10.0
"""Seconds that a client has for sending a request."""

WRITE_SECONDS = 20
"""Seconds after which a client that takes nothing of its answer is given up."""

LARGEST = 96 * 1024
"""Bytes of a request that are waited for: more than middleware.MAX_BODY and gunicorn's largest head."""

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,9})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_LATE = 408, "Request Timeout", f"The request was not here whole within {READ_SECONDS:.0f} seconds."


def missing(received: bytes) -> int:
    """Return how many bytes at least a request lacks of which ``received`` is the beginning; 0 if none.

    Examples:
        >>> missing(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n")
        1
        >>> missing(b"POST / HTTP/1.1\\r\\nContent-Length: 3\\r\\n\\r\\na")
        2
        >>> missing(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
        0
    """
    head, end, body = received.partition(b"\r\n\r\n")
    if len(received) >= LARGEST:
        return 0  # too long for us; gunicorn or the app refuses it
    if not end:
        return 1
    if _CHUNKED.search(head + b"\r\n"):
        return 0 if body.endswith(b"0\r\n\r\n") else 1
    length = _LENGTH.search(head + b"\r\n")
    wanted = int(length[1]) if length else 0
    return max(0, wanted - len(body)) if wanted < LARGEST else 0


def write_problem(sock: socket.socket, status: int, title: str, detail: str) -> None:
    """Write a whole answer to a request that never reached the app."""
    answer = problem(status, title, detail)
    head = f"HTTP/1.1 {status} {title}\r\nConnection: close\r\n{answer.headers}"
    util.write_nonblock(sock, head.encode("latin-1") + answer.get_data())


class BufferingWorker(ThreadWorker):
    """gunicorn's threaded worker, in which incomplete requests wait in the poller, for a bounded time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        util.write_error = write_problem  # gunicorn's own refusals are HTML
        self.waiting: deque[tuple[float, Any]] = deque()
        """Deadlines, ascending, and connections; one that is no longer in ``seen`` was taken care of."""
        self.seen: dict[Any, int] = {}
        """How much of its request each waiting connection had sent when it was looked at last."""

    def enqueue_req(self, conn: Any) -> None:
        """Hand ``conn`` to a thread if its request is complete, else wait for the rest."""
        if conn.parser is not None and conn.parser.unreader.buf.getvalue():
            super().enqueue_req(conn)  # the rest of this request was read with the one before
        elif not self._is_complete(conn):
            self.waiting.append((time.monotonic() + READ_SECONDS, conn))
            conn.sock.setblocking(False)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._on_more, conn))
        else:
            self._hand_over(conn)

    def murder_pending(self) -> None:
        """Close the connections whose time is up; gunicorn calls this once a second."""
        super().murder_pending()
        while self.waiting and self.waiting[0][0] <= time.monotonic():
            _, conn = self.waiting.popleft()
            if conn in self.seen:
                if self.seen[conn]:
                    with contextlib.suppress(OSError):
                        write_problem(conn.sock, *_LATE)
                self._close(conn)

    def _is_complete(self, conn: Any) -> bool:
        """Look at what has come, and have the poller wake us with the next byte that matters."""
        try:
            received = conn.sock.recv(LARGEST, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            self.seen[conn] = 0
            return False
        except OSError:
            return True  # gunicorn will meet the same error and close it
        lacking = missing(received)
        if not received or not lacking or len(received) == self.seen.get(conn):
            return True  # complete, or closed by the client before it was
        self.seen[conn] = len(received)
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, len(received) + lacking)
        return False

    def _on_more(self, conn: Any, _sock: Any) -> None:
        if self._is_complete(conn):
            self.poller.unregister(conn.sock)
            self._hand_over(conn)

    def _hand_over(self, conn: Any) -> None:
        self.seen.pop(conn, None)
        conn.data_ready = True
        with contextlib.suppress(OSError):
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
            for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
                conn.sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", WRITE_SECONDS, 0))
        super().enqueue_req(conn)

    def _close(self, conn: Any) -> None:
        self.seen.pop(conn, None)
        with contextlib.suppress(OSError, KeyError, ValueError):
            self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()
