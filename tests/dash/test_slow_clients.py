"""Hundreds of clients that send a byte every few seconds keep nobody else from the page."""

from __future__ import annotations

import http.client
import json
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

sys.path.append(str(Path(__file__).parents[2]))

from benchmarks.bench_web import serving

SLOW = 400
HEAD = b"POST /_dash-update-component HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("BTC_WEB_HOST", "PORT"):
            patch.delenv(name, raising=False)
        patch.setenv("WEB_CONCURRENCY", "1")
        patch.setenv("SCRIPT_NAME", "/elsewhere")
        with serving(str(tmp_path_factory.mktemp("served"))) as (number, _, _process):
            yield number


def connected(port: int, first: bytes) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=30)
    client.sendall(first)
    return client


def ask(port: int, path: str, **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    found = answer.status, answer.headers, answer.read()
    connection.close()
    return found


BEGINNINGS = [
    b"GET / HTTP/1.1\r\nHost: a\r\n",
    HEAD + b"Content-Length: 50\r\n\r\n{",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n5",
]


def test_W8_the_page_and_health_answer_while_400_clients_dawdle(port: int) -> None:
    """A third of them in the head, in the body, in a chunk."""
    ask(port, "/")
    began = time.monotonic()
    clients = [connected(port, BEGINNINGS[number % len(BEGINNINGS)]) for number in range(SLOW)]
    try:
        for _ in range(3):
            for client in clients:
                client.send(b"x")
            for path in ("/health", "/"):
                asked = time.monotonic()
                assert ask(port, path)[0] == 200
                assert time.monotonic() - asked < 5
        for client in clients[: len(BEGINNINGS)]:
            with client.makefile("rb") as late:
                assert refused(late) == 408
        assert time.monotonic() - began < 40
    finally:
        for client in clients:
            client.close()


def refused(stream: BinaryIO) -> int:
    """Read a refusal off a connection; it is a problem that says the status of the answer."""
    status = int(stream.readline().split()[1])
    headers = http.client.parse_headers(stream)
    assert headers["Content-Type"] == "application/problem+json"
    problem = json.loads(stream.read(int(headers["Content-Length"])))
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    return status


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1 x\r\n\r\n", 400),
        (b"GET /api/v1/forecast?days=" + b"1" * 5000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: a\r\n" % n for n in range(70)) + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"1" * 9000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", 400),
    ],
)
def test_what_the_server_refuses_before_the_page_sees_it_is_a_problem(
    port: int, request_: bytes, status: int
) -> None:
    with connected(port, request_) as client, client.makefile("rb") as answer:
        assert refused(answer) == status


def status_of(stream: BinaryIO) -> int:
    """Read one answer off a connection, however many pieces it arrives in."""
    status = int(stream.readline().split()[1])
    stream.read(int(http.client.parse_headers(stream)["Content-Length"]))
    return status


def test_W8_a_request_in_pieces_is_answered_and_the_connection_kept(port: int) -> None:
    with connected(port, b"GET /health HTTP/1.1\r\n") as client, client.makefile("rb") as stream:
        for piece in (b"Host: a\r\n", b"\r", b"\n"):
            time.sleep(0.05)
            client.sendall(piece)
        assert status_of(stream) == 200
        client.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n" * 2)
        assert [status_of(stream), status_of(stream)] == [200, 200]
        body = b'{"output": 1}'
        client.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body))
        time.sleep(0.05)
        client.sendall(body)
        assert status_of(stream) == 400


def test_W8_a_client_that_closes_in_the_middle_is_forgotten(port: int) -> None:
    for _ in range(50):
        connected(port, b"GET / HTTP/1.1\r\nHo").close()
    assert ask(port, "/health")[0] == 200


def test_W9_forwarded_headers_and_paths_are_not_believed_without_a_proxy(port: int) -> None:
    headers = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-For": "1.2.3.4",
        "SCRIPT_NAME": "/x",
        "Script-Name": "/x",
    }
    status, said, _ = ask(port, "/health", **headers)
    assert status == 200
    assert "Strict-Transport-Security" not in said


@pytest.mark.parametrize("name", ["os", "sys", "btc_dash", "nothing"])
def test_W9_a_file_of_a_library_that_no_page_uses_is_not_found(port: int, name: str) -> None:
    assert ask(port, f"/_dash-component-suites/{name}/foo.js")[0] == 404
