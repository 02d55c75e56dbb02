"""The command line, as in `tests/cli`."""

from __future__ import annotations

from cli_fixture import btc

__all__ = ["btc"]
