"""``btc migrate``: copy tables and models between the local store and Hopsworks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from btc_assets.cli.options import one_of
from btc_assets.errors import ConfigurationError
from btc_assets.settings import load
from btc_assets.vocabulary import NETWORKS, STORES

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from btc_assets.storage.migrate import Step


def migrate_stores(
    source: Annotated[str, typer.Option("--from", help="local or hopsworks.")],
    target: Annotated[str, typer.Option("--to", help="local or hopsworks.")],
) -> None:
    """Copy every table and every vintage, and verify counts and hashes on both sides.

    Nothing at the source changes. It can be interrupted and started again: what is equal is not copied twice.
    """
    one_of(source, STORES, "place")
    one_of(target, STORES, "place")
    if source == target:
        raise ConfigurationError(f"--from and --to are both {source}; nothing to copy")
    from rich.progress import Progress as Bars

    from btc_assets.factory import all_tables, open_registry, open_tables
    from btc_assets.storage.migrate import migrate

    src, dst = (load(None, store=place, registry=place) for place in (source, target))
    with Bars() as bars:
        migrate(
            open_tables(src), open_tables(dst), open_registry(src), open_registry(dst),
            ProgressBars(bars), list(all_tables().values()), NETWORKS,
        )  # fmt: skip
    typer.echo(f"copied {source} to {target}; every row and file verified on both sides")


class ProgressBars:
    """Shows each step of a migration as a progress bar."""

    def __init__(self, bars: Bars) -> None:
        self.bars = bars
        self.tasks: dict[str, TaskID] = {}

    def __call__(self, step: Step) -> None:
        """Move the bar of what is being copied."""
        if step.what not in self.tasks:
            self.tasks[step.what] = self.bars.add_task(step.what, total=step.total)
        self.bars.update(self.tasks[step.what], completed=step.done)
