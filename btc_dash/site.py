"""What every page and every API answer is made from: settings, tables, clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field

from btc_assets.settings import Settings
from btc_dash.reader import Reader


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True)
class Site:
    """One running web app's surroundings; tests put their own clock and tables in."""

    settings: Settings
    reader: Reader
    now: Callable[[], dt.datetime] = field(default=_utc_now)
