"""A year of days through the real daily job with faults at random, against the same year undisturbed.

Forty days unless told otherwise: ``SOAK_DAYS=365 make test-faults ARGS=tests/faults/test_soak.py``;
``SOAK_SEED`` chooses other faults. The same seed gives the same plan; where exactly a kill hits is up to
the machine.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from exchange import Exchange
from soak import Operator, Year, at

from btc_assets.contracts import (
    BASELINE_FORECASTS,
    FORECAST_SCORES,
    FORECASTS,
    HYPERPARAMETERS,
    NETWORKS,
    RAW_KLINES,
    RAW_KLINES_4H,
    SUPERSEDED_KLINES,
    SUPERSEDED_KLINES_4H,
    VINTAGES_IN_FORCE,
    TableSpec,
)
from btc_assets.factory import all_tables
from btc_assets.ledger.records import ISSUE_RECORDS
from btc_assets.market.calendar import DAY, FIRST_DAY
from btc_assets.modeling.features import ENGINEERED_FEATURES
from btc_assets.modeling.hyperparameters import HyperParameters
from btc_assets.settings import Settings, load
from btc_assets.storage.delta.data_files import names_in
from btc_assets.storage.delta.store import DeltaTables

DAYS = int(os.environ.get("SOAK_DAYS", "40"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
FIRST = dt.date(2024, 2, 1)
"""With a leap day and a change to summer time within forty days."""

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120 + 30 * DAYS)]

WHEN = {"ingested_at", "superseded_at", "issued_at", "live"}
"""What says when a row was written: late days are late, and say so."""

TABLES: tuple[TableSpec, ...] = (
    RAW_KLINES,
    RAW_KLINES_4H,
    SUPERSEDED_KLINES,
    SUPERSEDED_KLINES_4H,
    ENGINEERED_FEATURES,
    VINTAGES_IN_FORCE,
    FORECASTS,
    BASELINE_FORECASTS,
    FORECAST_SCORES,
)


@dataclass
class Soaked:
    """What both runs left behind."""

    disturbed: Year
    undisturbed: Year
    scratch: Path
    """Where the disturbed run's processes kept temporary files."""


def settings_in(folder: Path, exchange: Exchange) -> Settings:
    given = {"source": "binance", "binance_url": exchange.url, "data_dir": str(folder), "refit_every": 28}
    return load({}, **given, cache_dir=folder / "cache", source_deadline=3.0)


def operator(settings: Settings, exchange: Exchange, scratch: Path) -> Operator:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("BTC_", "DAGSTER_", "TZ", "PYTEST"))}
    folder = Path(settings.data_dir)
    return Operator(
        exchange, clean | settings.environment() | {"TMPDIR": str(scratch)}, folder / "operator.log"
    )


def tiny_networks(settings: Settings) -> None:
    """Hyper-parameters with which a fit costs next to nothing, where tuning would leave them."""
    rows = []
    for kind in NETWORKS:
        tiny = HyperParameters(kind, units=2, epochs=1, seeds=1, batch=1024, window=1 if kind == "mlp" else 2)
        parameters = json.dumps(tiny.as_dict())
        rows.append(("BTCUSDT", kind, dt.date(2020, 12, 31), parameters, 1.0, 1.0, 1, "for the soak"))
    tables = DeltaTables(settings.root)
    tables.ensure_table(HYPERPARAMETERS)
    tables.upsert(HYPERPARAMETERS, pl.DataFrame(rows, schema=HYPERPARAMETERS.schema, orient="row"))


def prepared(folder: Path, exchange: Exchange) -> None:
    """The history before the first day, and the forecast of the day before it."""
    folder.mkdir()
    settings = settings_in(folder, exchange)
    tiny_networks(settings)
    loader = operator(settings, exchange, folder)
    start = FIRST_DAY
    while start < FIRST - DAY:
        end = min(start + 900 * DAY, FIRST - DAY)
        noon = at(FIRST - DAY, dt.time(12))
        reply = loader.step(noon, "range", job="market_history", start=start, end=end)
        assert reply["failed"] == []
        start = end
    reply = loader.step(at(FIRST, dt.time(0, 5)), "range", start=FIRST - DAY, end=FIRST)
    assert reply["failed"] == []
    loader.stop()


@pytest.fixture(scope="module")
def soaked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Soaked]:
    folder = tmp_path_factory.mktemp("soak")
    exchange = Exchange(clock=at(FIRST, dt.time(0, 5)), weight_limit=10**9)
    exchange.list_market(FIRST_DAY, FIRST + (DAYS + 2) * DAY)
    exchange.start()
    as_listed = dict(exchange.rows), dict(exchange.bars)
    prepared(folder / "base", exchange)
    years = []
    for name in ("undisturbed", "disturbed"):
        shutil.copytree(folder / "base", folder / name)
        (folder / f"{name}-scratch").mkdir()
        exchange.rows, exchange.bars = map(dict, as_listed)
        settings = settings_in(folder / name, exchange)
        year = Year(operator(settings, exchange, folder / f"{name}-scratch"), settings, FIRST, DAYS, SEED)
        try:
            getattr(year, name)()
        finally:
            year.operator.stop()
        years.append(year)
    yield Soaked(years[1], years[0], folder / "disturbed-scratch")
    exchange.stop()


def rows_of(year: Year, spec: TableSpec) -> pl.DataFrame:
    rows = DeltaTables(year.settings.root).read(spec)
    return rows.drop([c for c in rows.columns if c in WHEN]).sort([c for c in spec.key if c not in WHEN])


def test_T1_T2_C2_days_of_kills_and_outages_give_the_tables_of_undisturbed_ones(
    soaked: Soaked, record_property: Callable[[str, object], None]
) -> None:
    operator = soaked.disturbed.operator
    print(f"\n{DAYS} days, {operator.starts} processes:", dict(soaked.disturbed.happened))
    record_property("trials", soaked.disturbed.faults)
    print("seconds:", {what: round(took) for what, took in operator.took.items()})
    for spec in TABLES:
        found, expected = rows_of(soaked.disturbed, spec), rows_of(soaked.undisturbed, spec)
        assert found.equals(expected), spec.name
    assert rows_of(soaked.disturbed, FORECASTS)["origin_date"].max() == FIRST + (DAYS - 1) * DAY


def test_C2_C6_every_forecast_is_vouched_for_by_what_undisturbed_days_record(soaked: Soaked) -> None:
    said = ["origin_date", "rows_sha256", "candles_sha256", "features_sha256", "vintages"]
    found, expected = (
        DeltaTables(year.settings.root)
        .read(ISSUE_RECORDS)
        .filter(pl.col("kind") != "genesis")
        .sort("seq")
        .unique("origin_date", keep="last")
        .sort("origin_date")
        for year in (soaked.disturbed, soaked.undisturbed)
    )
    assert found.select(said).equals(expected.select(said))
    late = soaked.disturbed.happened["days the host was down"]
    assert found.filter(pl.col("kind") == "live").height >= DAYS - late


def test_T1_C2_the_ledger_verifies_after_all_faults(soaked: Soaked) -> None:
    settings = soaked.disturbed.settings
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("BTC_", "DAGSTER_"))}
    command = [sys.executable, "-m", "btc_assets.cli", "verify"]
    done = subprocess.run(command, env=clean | settings.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All is well" in done.stdout


def test_T9_no_file_is_orphaned_after_all_kills(soaked: Soaked) -> None:
    """What a kill leaves is swept up by a later write, at most twenty versions and a day on."""
    root = Path(soaked.disturbed.settings.root)
    now = at(FIRST + DAYS * DAY, dt.time(1)).timestamp()
    too_old = [p for p in orphans(root) if now - p.stat().st_mtime > 25 * 86_400]
    assert too_old == []
    assert len(orphans(root)) < 40
    # A killed fit's folder goes with the next fit, at most 28 days later.
    assert [p for p in soaked.scratch.iterdir() if now - p.stat().st_mtime > 35 * 86_400] == []


def orphans(root: Path) -> list[Path]:
    """Files that no version of a table and no vintage names."""
    found = []
    for table in (root / "tables").iterdir():
        log = table / "_delta_log"
        named = {name for entry in log.glob("*.json") for name in names_in(entry.read_text())}
        if not all_tables()[table.name].irreplaceable:  # of the chain no data file is ever removed
            found += [p for p in table.glob("*.parquet") if p.name not in named]
        found += [*table.glob(".*.tmp"), *log.glob("*.tmp"), *log.glob("*#*")]
    return [*found, *(root / "models").glob("*/.*"), *root.glob("*progress*.tmp")]


def test_T9_disk_use_is_bounded_and_old_versions_stay(soaked: Soaked) -> None:
    """Merging by itself keeps a table in dozens of files; every version stays, at a few times its size."""
    for spec in (
        FORECASTS,
        FORECAST_SCORES,
        BASELINE_FORECASTS,
        RAW_KLINES,
        RAW_KLINES_4H,
        ENGINEERED_FEATURES,
    ):
        tables = DeltaTables(soaked.disturbed.settings.root)
        folder = Path(tables.root) / "tables" / spec.name
        live = tables._log(spec).open().files
        assert len(live) < 50, spec.name
        size = sum((folder / file.name).stat().st_size for file in live)
        kept = sum(path.stat().st_size for path in folder.glob("*.parquet"))
        print(f"{spec.name}: {len(live)} files, {size / 1e6:.1f} MB; every version: {kept / 1e6:.1f} MB")
        assert kept < 8 * size + 20_000 * tables.version(spec), spec.name
        assert tables.read(spec, version=tables.version(spec) // 2).height > 0
    home = Path(soaked.disturbed.settings.root) / "dagster"
    print(f"Dagster's records: {sum(p.stat().st_size for p in home.rglob('*') if p.is_file()) / 1e6:.0f} MB")


def test_C2_what_the_operator_said_names_no_error_of_python(soaked: Soaked) -> None:
    """A fault is one sentence, of Dagster's own database too."""
    said = soaked.disturbed.operator.log.read_text()
    assert "btc: " in said, "no process ended with a sentence, so this shows nothing"
    last = re.findall(r"^(?!\s)(\S*(?:Error|Exception))\b", said, re.MULTILINE)
    ours = [name for name in last if not name.startswith(("sqlalchemy", "sqlite3", "OSError", "Exception"))]
    assert not [name for name in ours if "Dagster" not in name], set(ours)
