"""Many visitors at once: a hundred are served without an error, many more are sent away quickly."""

from __future__ import annotations

import os
import sys
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from dash import Dash, html
from flask import Flask

from btc_dash.server import middleware
from btc_dash.server.admission import MAX_CONCURRENT, MAX_QUEUED, AdmissionControl, Overloaded

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))

from benchmarks.bench_web import serving  # noqa: E402
from benchmarks.web_many_users import LoadResult, memory, press  # noqa: E402

SECONDS = float(os.environ.get("LOAD_SECONDS", "30"))


def test_a_gate_lets_some_through_and_some_wait_and_sends_the_rest_away() -> None:
    admission_control = AdmissionControl(max_concurrent=1, max_queued=1, max_wait=30)
    admission_control.acquire()
    turn = threading.Event()
    waiting = threading.Thread(target=lambda: (admission_control.acquire(), turn.set()))
    waiting.start()
    while admission_control._room._value:  # until the other one waits
        pass
    with pytest.raises(Overloaded) as refused:
        admission_control.acquire()
    assert refused.value.retry_after == 2
    assert not turn.is_set()
    admission_control.release()
    waiting.join(10)
    assert turn.is_set()
    admission_control.release()
    admission_control.acquire()


def test_nobody_waits_for_ever() -> None:
    admission_control = AdmissionControl(max_concurrent=1, max_queued=5, max_wait=0.01)
    admission_control.acquire()
    for _ in range(20):
        with pytest.raises(Overloaded):
            admission_control.acquire()
    admission_control.release()
    admission_control.acquire()


@contextmanager
def slow_app(admission_control: AdmissionControl) -> Iterator[tuple[Flask, threading.Event]]:
    """An app behind our guard whose page takes until the event is set."""
    app, release = Dash("slow"), threading.Event()
    app.layout = html.Div()

    def page() -> str:
        release.wait(30)
        return "done"

    def broken() -> str:
        raise RuntimeError

    app.server.add_url_rule("/slow", "slow", page)
    app.server.add_url_rule("/broken", "broken", broken)
    app.server.add_url_rule("/health", "health", lambda: "OK")
    middleware.install(app, 0, admission_control)
    yield app.server, release
    release.set()


def test_more_visitors_than_there_is_room_for_get_503_at_once_with_when_to_come_again() -> None:
    admission_control = AdmissionControl(max_concurrent=2, max_queued=3, max_wait=30)
    with slow_app(admission_control) as (server, release), ThreadPoolExecutor(5) as pool:
        inside = [pool.submit(lambda: server.test_client().get("/slow").status_code) for _ in range(5)]
        while admission_control._room._value:  # until all five are in
            pass
        answers = [server.test_client().get("/slow") for _ in range(20)]
        assert {answer.status_code for answer in answers} == {503}
        assert answers[0].headers["Retry-After"] == "2"
        assert answers[0].mimetype == "application/problem+json"
        assert "default-src 'none'" in answers[0].headers["Content-Security-Policy"]
        assert server.test_client().get("/health").status_code == 200
        release.set()
        assert [future.result() for future in inside] == [200] * 5
        assert server.test_client().get("/slow").status_code == 200


def test_every_kind_of_answer_gives_its_place_back() -> None:
    admission_control = AdmissionControl(max_concurrent=1, max_queued=0, max_wait=1)
    with slow_app(admission_control) as (server, release):
        release.set()
        client = server.test_client()
        answers = (("/slow", 200), ("/broken", 500), ("/assets/nowhere.css", 404), ("/slow", 200))
        for path, status in answers * 3:
            assert client.get(path).status_code == status
        assert client.post("/slow").status_code == 405
        assert client.post("/slow", data=b"x" * (middleware.MAX_BODY + 1)).status_code == 413
        assert client.post(middleware.CALLBACK, data=b"{}").status_code == 400
        assert client.get("/slow").status_code == 200


@contextmanager
def server(
    filled: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> Iterator[tuple[int, psutil.Process]]:
    """gunicorn as in production."""
    monkeypatch.setenv("WEB_CONCURRENCY", str(workers))
    monkeypatch.delenv("PORT", raising=False)
    with serving(str(filled)) as (port, _, process):
        yield port, process


def test_overload_is_answered_quickly_and_passes(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half as many again as one process has room for, all at once: nobody hangs, nothing falls over."""
    with server(filled, monkeypatch, 1) as (port, process):
        result = press(port, (MAX_CONCURRENT + MAX_QUEUED) * 3 // 2, 4)
        assert set(result.statuses) == {200, 503}, result.statuses
        assert result.wrong == []
        assert result.percentile(0.5, 503) < 1.0
        assert result.percentile(1.0) < 15.0
        assert process.is_running()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/health", timeout=30) as answer:
            assert answer.status == 200
        again = press(port, 20, 1)
        assert set(again.statuses) == {200}


@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_W4_a_hundred_users_see_no_error_and_the_server_does_not_grow(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For 30 s, or LOAD_SECONDS."""
    with server(filled, monkeypatch, 2) as (port, process):
        press(port, 100, SECONDS / 2)
        before = memory(process)
        result: LoadResult = press(port, 100, SECONDS)
        grown = memory(process) - before
    print(f"{sum(result.statuses.values())} answers, p95 {result.percentile(0.95):.3f} s, {grown:+.1f} MB")
    assert set(result.statuses) == {200}
    assert result.wrong == []
    assert result.percentile(0.95) < 3.0
    assert grown < 15
