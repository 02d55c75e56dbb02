"""Trying again: stamina, made to log as the rest of us does."""

from __future__ import annotations

import logging
from functools import cache
from types import ModuleType

log = logging.getLogger(__name__)


@cache
def retrying() -> ModuleType:
    """Import stamina; left alone it prints each try to stdout, amid what programs read there."""
    import stamina
    from stamina.instrumentation import RetryDetails, set_on_retry_hooks

    def warn(details: RetryDetails) -> None:
        log.warning("%s; trying again in %.1f s", details.caused_by, details.wait_for)

    set_on_retry_hooks([warn])
    return stamina
