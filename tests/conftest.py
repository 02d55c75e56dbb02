"""Fixtures that more than one folder uses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from exchange import Exchange


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    """Binance on loopback; see `tests/support/exchange.py`."""
    server = Exchange().start()
    yield server
    server.stop()
