"""Fixtures that more than one folder uses."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from exchange import Exchange


def pytest_configure() -> None:
    """Give TensorFlow's logger a stream of which pytest's capture knows nothing.

    It closes the stream that it began with when logging is configured anew while ``sys.stderr`` is another,
    as in a test that captures. With pytest's own stream closed, every later test of the process fails.
    """
    from absl import logging

    logging.get_absl_handler().python_handler.stream = sys.__stderr__


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    """Binance on loopback; see `tests/support/exchange.py`."""
    server = Exchange().start()
    yield server
    server.stop()
