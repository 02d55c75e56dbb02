"""Moving tables and models between stores: complete, verified, resumable."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from btc_assets.contracts import RAW_KLINES
from btc_assets.errors import CorruptData, StorageError
from btc_assets.io.s3 import Bucket
from btc_assets.storage.bitemporal import klines_frame
from btc_assets.storage.delta.s3_files import delta_options
from btc_assets.storage.delta.store import DeltaTables
from btc_assets.storage.migrate import content_sha256, copy_table, migrate
from btc_assets.storage.registry.cached_registry import CachedRegistry
from btc_assets.storage.registry.folder import FolderRegistry
from btc_assets.storage.registry.protocol import VintageId
from btc_assets.storage.registry.s3 import S3Registry

from .conftest import SAMPLES, nulled, older, samples

VINTAGES = [VintageId(dt.date(2024, 6, 1), n) for n in range(3)]


@pytest.fixture
def source(tmp_path, make_model):
    tables, registry = DeltaTables(str(tmp_path / "source")), FolderRegistry(tmp_path / "source")
    tables.upsert(SAMPLES, samples(*range(0, 1_000, 2)))
    for n, vintage in enumerate(VINTAGES):
        registry.publish("mlp", vintage, make_model(bytes([n])))
    return tables, registry


@pytest.fixture(params=["local", "s3", pytest.param("hopsworks", marks=pytest.mark.hopsworks)])
def destination(request, tmp_path):
    """An empty store of each backend: tables and models."""
    if request.param == "hopsworks":
        return request.getfixturevalue("hopsworks_tables"), request.getfixturevalue("hopsworks_registry")
    if request.param == "local":
        return DeltaTables(str(tmp_path / "to")), FolderRegistry(tmp_path / "to")
    url, endpoint = request.getfixturevalue("bucket_url"), request.getfixturevalue("s3_endpoint")
    registry = CachedRegistry(S3Registry(Bucket(url, endpoint)), tmp_path / "cache")
    return DeltaTables(url, delta_options(endpoint), tmp_path / "cache"), registry


def run(source, tables, registry, progress=lambda step: None) -> None:
    migrate(source[0], tables, source[1], registry, progress, [RAW_KLINES, SAMPLES], ["mlp", "lstm"])


def test_everything_arrives_and_is_counted(source, destination) -> None:
    tables, registry = destination
    steps = []
    run(source, tables, registry, steps.append)
    assert_frame_equal(tables.read(SAMPLES), source[0].read(SAMPLES))
    assert registry.versions("mlp") == source[1].versions("mlp")
    assert not tables.exists(RAW_KLINES)
    rows = [step for step in steps if step.what == "samples"]
    assert (rows[-1].done, rows[-1].total) == (500, 500)
    assert sum(step.written for step in rows) == 500
    models = [(step.done, step.total) for step in steps if step.what == "model mlp"]
    assert models == [(1, 3), (2, 3), (3, 3)]


def test_and_back_again_without_loss(source, destination, tmp_path) -> None:
    tables, registry = destination
    run(source, tables, registry)
    home = DeltaTables(str(tmp_path / "home")), FolderRegistry(tmp_path / "home")
    run((tables, registry), *home)
    assert_frame_equal(home[0].read(SAMPLES), source[0].read(SAMPLES))
    assert home[1].versions("mlp") == source[1].versions("mlp")


def test_tables_of_an_older_release_arrive_with_the_new_columns_null(source, destination, tmp_path) -> None:
    tables, registry = DeltaTables(str(tmp_path / "older")), source[1]
    tables.upsert(older("close"), samples(*range(400)).drop("close"))
    before = tables.version(SAMPLES)
    destination[0].ensure_table(older("close"))
    run((tables, registry), *destination)
    assert_frame_equal(destination[0].read(SAMPLES), nulled(samples(*range(400)), "close"))
    assert tables.version(SAMPLES) == before


def test_a_migration_that_was_cut_short_goes_on_where_it_stopped(source, tmp_path) -> None:
    tables, registry = DeltaTables(str(tmp_path / "to")), FolderRegistry(tmp_path / "to")

    def stop(step) -> None:
        if step.done > 200:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(source, tables, registry, stop)
    before = tables.read(SAMPLES).height
    steps = []
    run(source, tables, registry, steps.append)
    assert sum(step.written for step in steps if step.what == "samples") == 500 - before
    version = tables.version(SAMPLES)
    run(source, tables, registry)
    assert tables.version(SAMPLES) == version


@pytest.mark.parametrize("extra", [1, 5_000])
def test_a_destination_with_rows_of_its_own_is_refused(source, tmp_path, extra) -> None:
    tables, registry = DeltaTables(str(tmp_path / "to")), FolderRegistry(tmp_path / "to")
    tables.upsert(SAMPLES, samples(extra))
    with pytest.raises(StorageError, match="rows of its own"):
        run(source, tables, registry)


def test_another_model_under_the_same_name_is_refused(source, tmp_path, make_model) -> None:
    tables, registry = DeltaTables(str(tmp_path / "to")), FolderRegistry(tmp_path / "to")
    registry.publish("mlp", VINTAGES[0], make_model(b"other"))
    with pytest.raises(StorageError, match="another model"):
        run(source, tables, registry)


def test_a_copy_that_reads_back_differently_is_found(source, tmp_path) -> None:
    class Lossy(DeltaTables):
        def read(self, *args, **kwargs):
            rows = super().read(*args, **kwargs)
            return rows.with_columns(pl.col("close") + 1e-9) if "close" in rows.columns else rows

    with pytest.raises(CorruptData, match="read back differ"):
        copy_table(source[0], Lossy(str(tmp_path / "to")), SAMPLES, lambda step: None)


def test_the_content_hash_sees_every_value_and_no_order() -> None:
    rows = samples(*range(20))
    sha = content_sha256(SAMPLES, rows)
    assert content_sha256(SAMPLES, rows.reverse()) == sha
    for name in SAMPLES.schema:
        other = rows.with_columns(pl.col(name).shift(1).fill_null(strategy="backward"))
        assert other.equals(rows) == (content_sha256(SAMPLES, other) == sha), name
    nulled = rows.with_columns(trades=pl.when(pl.col("trades") != 2**53).then("trades"))
    zeroed = nulled.with_columns(pl.col("trades").fill_null(0))
    assert content_sha256(SAMPLES, nulled) != content_sha256(SAMPLES, zeroed)


@pytest.mark.hopsworks
def test_the_command_moves_a_store_to_hopsworks_and_back(
    hopsworks_tables, hopsworks_registry, hopsworks_settings, tmp_path, make_model, monkeypatch, capsys
) -> None:
    from btc_assets.cli.migrate import migrate_stores
    from btc_assets.market.sources.simulated import Simulated

    first = dt.date(2024, 12, 20)
    rows = klines_frame(Simulated().klines("BTCUSDT", first, dt.date(2025, 1, 10)), dt.datetime.now(dt.UTC))
    DeltaTables(str(tmp_path / "from" / "real")).upsert(RAW_KLINES, rows)
    FolderRegistry(tmp_path / "from" / "real").publish("mlp", VINTAGES[0], make_model())
    for name in ("hopsworks_host", "hopsworks_project", "cache_dir"):
        monkeypatch.setenv(f"BTC_{name.upper()}", str(getattr(hopsworks_settings, name)))
    monkeypatch.setenv("BTC_HOPSWORKS_API_KEY", hopsworks_settings.hopsworks_api_key.get_secret_value())
    monkeypatch.setenv("BTC_DATA_DIR", str(tmp_path / "from"))
    migrate_stores("local", "hopsworks")
    monkeypatch.setenv("BTC_DATA_DIR", str(tmp_path / "back"))
    migrate_stores("hopsworks", "local")
    assert_frame_equal(DeltaTables(str(tmp_path / "back" / "real")).read(RAW_KLINES), rows)
    back = FolderRegistry(tmp_path / "back" / "real")
    (ref,) = back.versions("mlp")
    assert (back.model_folder(ref) / "model.onnx").read_bytes() == b"weights"
    assert "copied hopsworks to local" in capsys.readouterr().out
