"""Fit one network in a second process while a run fits the other: a fit keeps one core busy, not two."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from btc_assets.errors import BtcError

if TYPE_CHECKING:
    from btc_assets.defs.partitions import Window

BESIDE = "mlp"
"""The network that a run of the graph fits last."""


def fitting_beside(window: Window) -> contextlib.AbstractContextManager[None]:
    """Fit the vintages of `BESIDE` that ``window`` needs meanwhile, with the environment's settings.

    Whoever comes first publishes a vintage: both make the same bytes. Costs the memory of a second fit; with
    one core nothing is done.
    """
    from btc_assets.modeling.worker_processes import cores, helped

    return helped(fit_vintages, window, 1) if cores() > 1 else contextlib.nullcontext()


def fit_vintages(task: object, worker: int, go_on: Callable[[], None]) -> None:
    """Fit what the window ``task`` lacks. What cannot be fitted is left to the run, which says why."""
    from btc_assets.defs.assets.networks import open_book
    from btc_assets.defs.resources import Platform

    window = cast("Window", task)
    book = open_book(Platform(), window)
    with contextlib.suppress(BtcError):
        for day in window.days:
            go_on()
            book.in_force(BESIDE, day)
    print(f"worker {worker}: {BESIDE.upper()} fitted beside the run for {window}", flush=True)
