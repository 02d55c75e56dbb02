from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import dash_data
import pytest

from btc_assets.contracts import FORECASTS, RAW_KLINES
from btc_assets.errors import StorageError
from btc_assets.storage.delta.store import DeltaTables
from btc_dash.data import market
from btc_dash.data.cache import TableCache


class Broken:
    """A store whose disk is gone for a while; everything else goes to the real one."""

    def __init__(self, tables: DeltaTables) -> None:
        self._tables = tables
        self.broken = False

    def __getattr__(self, name: str) -> object:
        if self.broken:
            raise StorageError("the disk is gone")
        return getattr(self._tables, name)


@pytest.fixture
def tables(tmp_path: Path) -> DeltaTables:
    store = DeltaTables(str(tmp_path))
    store.upsert(RAW_KLINES, dash_data.klines(count=30))
    return store


def test_a_value_is_loaded_once_a_version(tables: DeltaTables) -> None:
    cache = TableCache(tables, dash_data.SYMBOL, check_every=0)
    loads: list[int] = []
    for _ in range(3):
        cache.keep(RAW_KLINES, "x", lambda: loads.append(1))
    assert len(loads) == 1
    tables.upsert(RAW_KLINES, dash_data.klines(count=31).head(1))
    cache.keep(RAW_KLINES, "x", lambda: loads.append(1))
    assert len(loads) == 2


def test_new_candles_show_up(tables: DeltaTables) -> None:
    cache = TableCache(tables, dash_data.SYMBOL, check_every=0)
    assert market.history(cache).newest == dash_data.NEWEST
    newer = dash_data.klines(last=dash_data.TODAY, count=31).tail(1)
    tables.upsert(RAW_KLINES, newer)
    assert market.history(cache).newest == dash_data.TODAY


def test_through_an_outage_the_last_good_value_stays_and_the_outage_is_known(tables: DeltaTables) -> None:
    store = Broken(tables)
    cache = TableCache(store, dash_data.SYMBOL, check_every=0)  # type: ignore[arg-type]
    before = market.history(cache)
    store.broken = True
    assert market.history(cache) is before
    assert cache.outage is not None
    store.broken = False
    assert market.history(cache) is before
    assert cache.outage is None


def test_an_outage_before_anything_was_read_is_an_error(tables: DeltaTables) -> None:
    store = Broken(tables)
    store.broken = True
    cache = TableCache(store, dash_data.SYMBOL)  # type: ignore[arg-type]
    with pytest.raises(StorageError):
        market.history(cache)


def test_T11_a_table_that_vanishes_is_an_outage_and_not_a_table_never_written(
    tmp_path: Path, tables: DeltaTables, caplog: pytest.LogCaptureFixture
) -> None:
    tables.upsert(FORECASTS, dash_data.forecasts(dash_data.klines(count=30), [dash_data.NEWEST]))
    cache = TableCache(tables, dash_data.SYMBOL, check_every=0)
    before = market.history(cache), market.newest_origin(cache)
    shutil.move(tmp_path / "tables", tmp_path / "away")
    for _ in range(3):
        assert (market.history(cache), market.newest_origin(cache)) == before
        assert cache.outage is not None
    with pytest.raises(StorageError):
        cache.read(RAW_KLINES)
    assert sum("table raw_klines was there and is gone" in r.message for r in caplog.records) <= 2
    assert "what was read before is shown: table raw_klines was there and is gone" in caplog.text

    shutil.move(tmp_path / "away" / "raw_klines", tmp_path / "tables" / "raw_klines")
    assert market.history(cache).dates == before[0].dates
    assert market.newest_origin(cache) == before[1]
    assert cache.outage is not None, "one table is still gone"
    shutil.move(tmp_path / "away" / "forecasts", tmp_path / "tables" / "forecasts")
    assert market.newest_origin(cache) == before[1]
    assert cache.outage is None


def test_T11_a_key_first_asked_for_while_the_table_is_gone_is_not_taken_for_empty(
    tmp_path: Path, tables: DeltaTables
) -> None:
    cache = TableCache(tables, dash_data.SYMBOL, check_every=3600)
    market.history(cache)
    shutil.rmtree(tmp_path / "tables")
    with pytest.raises(StorageError):
        market.candles(cache)
    assert cache.outage is not None


def test_T11_a_table_made_anew_replaces_what_was_shown(tmp_path: Path, tables: DeltaTables) -> None:
    cache = TableCache(tables, dash_data.SYMBOL, check_every=0)
    assert len(market.history(cache).dates) == 30
    shutil.rmtree(tmp_path / "tables")
    assert len(market.history(cache).dates) == 30
    DeltaTables(str(tmp_path)).upsert(RAW_KLINES, dash_data.klines(count=7))
    assert len(market.history(cache).dates) == 7
    assert cache.outage is None


def test_T11_a_newer_schema_keeps_the_last_good_page_and_the_log_says_why(
    tmp_path: Path, tables: DeltaTables, caplog: pytest.LogCaptureFixture
) -> None:
    cache = TableCache(tables, dash_data.SYMBOL, check_every=0)
    before = market.history(cache)
    newer = replace(RAW_KLINES, columns=(*RAW_KLINES.columns, replace(RAW_KLINES.columns[-1], name="new")))
    DeltaTables(str(tmp_path)).ensure_table(newer)
    for _ in range(3):
        assert market.history(cache) is before
        assert cache.outage is not None
    said = [record.message for record in caplog.records if "raw_klines" in record.message]
    assert len(said) == 1, "once, not with every request"
    assert "It was written by a newer release: update this one" in said[0]


def test_a_table_that_was_never_written_is_empty(tables: DeltaTables) -> None:
    cache = TableCache(tables, dash_data.SYMBOL)
    assert market.newest_origin(cache) is None
    assert cache.read(FORECASTS, ["model"]).is_empty()


def test_other_symbols_stay_out(tables: DeltaTables) -> None:
    assert market.history(TableCache(tables, "ETHUSDT")).dates == []


def test_what_is_kept_is_bounded(tables: DeltaTables) -> None:
    cache = TableCache(tables, dash_data.SYMBOL, limit=5)
    for number in range(50):
        cache.keep(RAW_KLINES, number, lambda: 1)
    assert len(cache._entries) == 5


def test_many_threads_load_a_thing_once(tables: DeltaTables) -> None:
    cache = TableCache(tables, dash_data.SYMBOL)
    loads: list[int] = []

    def load() -> int:
        loads.append(1)
        return len(market.history(cache).closes)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: cache.keep(RAW_KLINES, "slow", load), range(64)))
    assert answers == [30] * 64
    assert len(loads) == 1


def test_a_slow_store_holds_up_one_thread_only(tables: DeltaTables) -> None:
    class Slow(Broken):
        def version(self, spec: object) -> int:
            if entered.is_set():
                return self._tables.version(spec)  # type: ignore[arg-type]
            entered.set()
            assert release.wait(30)
            return self._tables.version(spec)  # type: ignore[arg-type]

    entered, release = threading.Event(), threading.Event()
    cache = TableCache(tables, dash_data.SYMBOL, check_every=0)
    before = market.history(cache)
    cache._tables = Slow(tables)  # type: ignore[assignment]
    waiting = threading.Thread(target=lambda: market.history(cache))
    waiting.start()
    assert entered.wait(30)
    assert market.history(cache) is before
    release.set()
    waiting.join()
