"""What one examination found: in one form for `btc doctor`, Dagster's checks, messages and /metrics."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from btc_assets.settings import Settings
    from btc_assets.storage.registry.protocol import ModelRegistry
    from btc_assets.storage.tables import TableStore


class State(StrEnum):
    """From good to bad. A warning is worth reading and does not change the exit code."""

    OK = "ok"
    WARNING = "warning"
    LATE = "late"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """``name`` is one of a fixed few; ``detail`` one sentence for a person.

    ``measured`` and ``bound`` say what was compared with what, where there are such numbers.
    """

    name: str
    state: State
    detail: str
    measured: float | None = None
    bound: float | None = None
    facts: dict[str, str | float] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Whether nobody need do anything."""
        return self.state in (State.OK, State.WARNING)


class Surroundings(Protocol):
    """What is examined: the stores that the settings name, and the clock."""

    @property
    def settings(self) -> Settings:
        """The validated settings."""

    @property
    def tables(self) -> TableStore:
        """The table store."""

    @property
    def registry(self) -> ModelRegistry:
        """The model registry."""

    def now(self) -> dt.datetime:
        """Read the wall clock (UTC)."""


def exit_code(findings: Iterable[Finding]) -> int:
    """0: all is there and fresh. 1: something is broken. 2: nothing is broken, but days are late."""
    states = {finding.state for finding in findings}
    return 1 if State.BROKEN in states else 2 if State.LATE in states else 0
