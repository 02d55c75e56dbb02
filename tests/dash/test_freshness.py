"""The page's badge, its notice and `btc doctor` go by one rule: what one calls late the others do too."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dash_server import context_at
from dash_states import Flaky
from table_rows import fill, put, rows_of

from btc_assets.contracts import FORECASTS, RAW_KLINES
from btc_assets.health.finding import State
from btc_assets.health.missing_days import Age
from btc_assets.health.stores import examine_days
from btc_assets.market.calendar import DAY, days
from btc_assets.settings import load
from btc_assets.storage.delta.store import DeltaTables
from btc_dash.data.cache import TableCache
from btc_dash.data.context import Context
from btc_dash.pages.frame import badge, notices

LAST = dt.date(2026, 11, 21)


def at(day: int, hour: int, minute: int = 0) -> dt.datetime:
    return dt.datetime(2026, 11, day, hour, minute, tzinfo=dt.UTC)


def lose_forecasts(tables: DeltaTables) -> None:
    """The newest two days' forecasts are gone; the candles are there."""
    keys = rows_of(FORECASTS, [{"origin_date": LAST - back * DAY} for back in (0, 1)]).select(FORECASTS.key)
    tables.delete_keys(FORECASTS, keys)


def lose_a_week_ago(tables: DeltaTables) -> None:
    keys = rows_of(RAW_KLINES, [{"date": LAST - 7 * DAY}]).select(RAW_KLINES.key)
    tables.delete_keys(RAW_KLINES, keys)


def one_old_day(tables: DeltaTables) -> None:
    put(tables, RAW_KLINES, [dt.date(2019, 1, 1)], ingested_at=at(21, 12))


def nothing(_: DeltaTables) -> None:
    """All is as it should be."""


@pytest.mark.parametrize(
    ("change", "now", "age", "says"),
    [
        (nothing, at(22, 0, 1), Age.FRESH, ""),
        (nothing, at(23, 2, 59), Age.FRESH, ""),
        (nothing, at(23, 3, 0), Age.LATE, "Stale data. The newest close is of"),
        (nothing, at(25, 3, 1), Age.VERY_LATE, "Very stale data. The newest close is of"),
        (
            lose_forecasts,
            at(22, 12),
            Age.LATE,
            "Days are missing. Prices or forecasts of Fri 20 November 2026 to",
        ),
        (lose_a_week_ago, at(22, 12), Age.LATE, "Days are missing. Prices or forecasts of Sat 14 November"),
        (one_old_day, at(22, 12), Age.FRESH, ""),
    ],
)
def test_page_and_doctor_say_the_same_of_what_is_there(
    tmp_path: Path, change: Callable[[DeltaTables], None], now: dt.datetime, age: Age, says: str
) -> None:
    settings = load({}, data_dir=str(tmp_path))
    tables = DeltaTables(settings.root)
    fill(tables, list(days(LAST - 20 * DAY, LAST + DAY)))
    change(tables)
    context = context_at(settings, now=lambda: now)
    assert context.freshness().age is age
    assert shown_notices(context).startswith(says)
    assert bool(shown_notices(context)) == bool(says)
    examined: Any = Examined(settings, tables, now)
    spoken = {each.name: each.state for each in examine_days(examined)}
    late = State.LATE if age is not Age.FRESH else State.OK
    assert max(spoken["days of raw_klines"], spoken["days of forecasts"], key=list(State).index) is late


class Examined:
    """What `btc doctor` looks at, with a clock that stands still."""

    def __init__(self, settings: Any, tables: DeltaTables, now: dt.datetime) -> None:
        self.settings, self.tables, self.now = settings, tables, lambda: now


def shown_notices(context: Context) -> str:
    return " ".join(texts(notice.to_plotly_json()) for notice in notices(context))


def texts(part: Any) -> str:
    """The text of a component, in the order that a reader sees."""
    if isinstance(part, list | tuple):
        return "".join(map(texts, part))
    if hasattr(part, "to_plotly_json"):
        part = part.to_plotly_json()
    return texts(part["props"].get("children", "")) if isinstance(part, dict) else str(part)


def test_one_old_day_alone_is_not_fresh(tmp_path: Path) -> None:
    settings = load({}, data_dir=str(tmp_path))
    one_old_day(DeltaTables(settings.root))
    assert context_at(settings, now=lambda: at(22, 12)).freshness().age is Age.VERY_LATE


def test_without_data_there_is_no_age(tmp_path: Path) -> None:
    assert context_at(load({}, data_dir=str(tmp_path))).freshness().age is Age.NONE


def test_a_clock_that_runs_behind_gives_no_negative_age(tmp_path: Path) -> None:
    settings = load({}, data_dir=str(tmp_path))
    fill(DeltaTables(settings.root), [LAST - DAY, LAST])
    fresh = context_at(settings, now=lambda: at(21, 20)).freshness()
    assert fresh.since == dt.timedelta(0)
    assert fresh.missing == ()


def test_the_badge_does_not_say_that_there_is_no_data_where_nobody_can_know(tmp_path: Path) -> None:
    empty = context_at(load({}, data_dir=str(tmp_path)))
    assert "No data yet" in str(badge(empty))
    cache: Any = TableCache(Flaky(empty.cache._tables, down=True), "BTCUSDT", check_every=0)  # type: ignore[arg-type]
    down = replace(empty, cache=cache)
    assert "Data not known" in str(badge(down))
    assert "Nothing is read since" in str(notices(down))
    assert "last good page" not in str(notices(down))
