"""The command line, run as a person runs it: a process of its own."""

from __future__ import annotations

from cli_fixture import btc

__all__ = ["btc"]
