"""``btc up`` on a disk that is lost at every restart: it begins with the newest published state."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from btc_assets.settings import Settings

if TYPE_CHECKING:
    from btc_assets.backup.published import Restored


def restore_and_say(settings: Settings) -> Restored | None:
    """Put the newest published state in place and say which; None if none. Raises as `restore_newest`."""
    from btc_assets.backup.make import require_local
    from btc_assets.backup.published import restore_newest
    from btc_assets.factory import all_tables

    require_local(settings)
    restored = restore_newest(settings, list(all_tables().values()))
    found = f"{restored.state.tag} of {restored.state.made_at}" if restored else "nothing is published yet"
    typer.echo(f"{settings.published}: {found}")
    return restored


def begin_with_published(settings: Settings) -> None:
    """Restore the newest state if ``BTC_PUBLISHED`` is set and the data folder is empty."""
    root = Path(settings.root)
    if settings.published and not (root.exists() and any(root.iterdir())):
        restore_and_say(settings)
