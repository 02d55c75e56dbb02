"""The Hopsworks backend against the emulator: what a day and a history cost, and what we add to the client.

Also what the backend costs those who do not use it, which must be nothing.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from benchmarks.bench_storage import candle_rows, median, ms, seconds
from btc_assets.contracts import RAW_KLINES
from btc_assets.market.calendar import DAY, FIRST_DAY
from btc_assets.settings import load

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "support"))

if TYPE_CHECKING:
    from hopsworks_emulator import Emulator

Row = tuple[str, str, str]


def run() -> list[Row]:
    """Every measurement, as rows of a table."""
    from hopsworks_emulator import Emulator

    with tempfile.TemporaryDirectory() as scratch, Emulator(Path(scratch) / "server") as server:
        os.environ["HOPSWORKS_TRUST_STORE_PATH"] = str(server.authority.folder / "ca.pem")
        return [*imports(), *against(server, Path(scratch) / "cache")]


def imports() -> list[Row]:
    """Importing and opening the local store, with polars and deltalake alone as the floor."""
    floor = "import polars, deltalake, stamina, pydantic"
    ours = (
        "from btc_assets.settings import load; from btc_assets.factory import open_tables; "
        "open_tables(load({})); import sys; assert not {'hopsworks', 'hsfs'} & sys.modules.keys()"
    )
    ratio = process_time(ours) / process_time(floor)
    return [("open the local store, Hopsworks absent from sys.modules", f"{ratio:.2f} x its libraries", "")]


def against(server: Emulator, cache: Path) -> list[Row]:
    """Writes and reads of candles through the protocol and through the client alone."""
    from btc_assets.storage.hopsworks.login import connect
    from btc_assets.storage.hopsworks.tables import HopsworksTables

    settings = load(
        {},
        hopsworks_host=server.host,
        hopsworks_project=server.project,
        hopsworks_api_key=server.api_key,
        cache_dir=cache,
    )
    login = seconds(lambda: connect(settings))
    tables = HopsworksTables(connect(settings))
    history, history_calls = counted(server, lambda: tables.upsert(RAW_KLINES, candle_rows(0, 3_000)))
    _, day_calls = counted(server, lambda: tables.upsert(RAW_KLINES, candle_rows(3_000, 1)))
    _, same_calls = counted(server, lambda: tables.upsert(RAW_KLINES, candle_rows(3_000, 1)))
    day = median(lambda n: tables.upsert(RAW_KLINES, candle_rows(3_001 + n, 1)), 5)
    group = tables.group(RAW_KLINES)
    direct = median(lambda n: insert_directly(group, candle_rows(3_101 + n, 1)), 5)
    end = FIRST_DAY + 3_000 * DAY
    read = median(lambda _: tables.read(RAW_KLINES, start=end - 30 * DAY, end=end), 5)
    query = group.select_all().filter(group.get_feature("date") >= end - 30 * DAY)
    query = query.filter(group.get_feature("date") < end)
    read_directly = median(lambda _: query.read(dataframe_type="polars"), 5)
    return [
        ("import and log in", f"{login:.1f} s", ""),
        ("history of 3,000 days, group created", f"{history:.2f} s, {history_calls} requests", ""),
        ("a new day", f"{ms(day)}, {day_calls} requests", ""),
        ("a new day: compare, send, count, against the client's insert", f"{day / direct:.1f} x", ""),
        ("the same day again", f"{same_calls} requests, no insert", ""),
        ("read 30 days, against the client's query", f"{ms(read)}, {read / read_directly:.2f} x", "<= 1.2 x"),
    ]


def insert_directly(group: Any, rows: pl.DataFrame) -> None:
    """What someone would write without our protocol."""
    group.insert(rows, write_options={"start_offline_materialization": False})


def counted(server: Emulator, work: Callable[[], object]) -> tuple[float, int]:
    """How long ``work`` takes and how many requests it makes, the query service's apart."""
    server.calls.clear()
    return seconds(work), len(server.calls)


def process_time(script: str) -> float:
    """The median time of a new interpreter that runs ``script``."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", script], check=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times)
