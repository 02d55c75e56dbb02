"""The backends every contract test runs against, and small factories of tables and model folders."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from btc_assets.contracts import UTC_US, Column, TableSpec
from btc_assets.settings import Settings, load
from btc_assets.storage.delta.store import DeltaTables
from btc_assets.storage.registry.folder import FolderRegistry
from btc_assets.storage.registry.manifest import write_manifest

if TYPE_CHECKING:
    from hopsworks_emulator import Emulator

REAL_HOPSWORKS = "HOPSWORKS_API_KEY" in os.environ
"""Whether the Hopsworks tests go to a real server, in the project HOPSWORKS_PROJECT."""

TEST_PREFIX = "btc_contract_test_"

DAY0 = dt.date(2024, 2, 27)

SAMPLES = TableSpec(
    "samples",
    "One column of every type that the platform stores.",
    key=("symbol", "date"),
    day="date",
    columns=(
        Column("symbol", pl.String, "name"),
        Column("date", pl.Date, "day"),
        Column("horizon", pl.Int16, "a small number"),
        Column("trades", pl.Int64, "a large number"),
        Column("close", pl.Float64, "a price"),
        Column("live", pl.Boolean, "a flag"),
        Column("other_day", pl.Date, "another day"),
        Column("at", UTC_US, "an instant"),
        Column("note", pl.String, "words"),
    ),
)


def samples(*days: int, symbol: str = "BTC", close: float = 1.0) -> pl.DataFrame:
    """Rows for the given days after DAY0."""
    rows = [
        {
            "symbol": symbol,
            "date": DAY0 + dt.timedelta(days=d),
            "horizon": d % 90,
            "trades": 2**53 + d,
            "close": close,
            "live": d % 2 == 0,
            "other_day": DAY0,
            "at": dt.datetime(2024, 2, 29, 23, 59, 59, 999_999 - d, dt.UTC),
            "note": None if d % 3 == 0 else f"day {d}, ₿",
        }
        for d in days
    ]
    return pl.DataFrame(rows, schema=SAMPLES.schema)


def older(*unknown: str) -> TableSpec:
    """SAMPLES as a release knew it that had no columns ``unknown``."""
    return dataclasses.replace(SAMPLES, columns=tuple(c for c in SAMPLES.columns if c.name not in unknown))


def nulled(rows: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """``rows`` with nothing in ``columns``."""
    return rows.with_columns(pl.lit(None, rows.schema[name]).alias(name) for name in columns)


def day(n: int) -> dt.date:
    """The n-th day after DAY0."""
    return DAY0 + dt.timedelta(days=n)


def reopen(tables):
    """Another store object at the place of ``tables``."""
    if isinstance(tables, DeltaTables):
        return DeltaTables(tables.root, tables.options, tables.cache)
    return type(tables)(tables.project, tables.data_source, tables.prefix)


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """An S3-compatible server on loopback, with credentials for it in the environment.

    See `tests/support/s3_server.py`.
    """
    # Not at the top: children of tests import this file without tests/support on their path.
    from s3_server import CREDENTIALS, s3_server

    with s3_server() as endpoint, pytest.MonkeyPatch.context() as environment:
        for name, value in CREDENTIALS.items():
            environment.setenv(name, value)
        yield endpoint


@pytest.fixture
def bucket_url(s3_endpoint: str) -> str:
    """A fresh bucket and prefix."""
    import boto3

    name = f"bucket-{uuid.uuid4().hex}"
    boto3.client("s3", endpoint_url=s3_endpoint).create_bucket(Bucket=name)
    return f"s3://{name}/some/prefix"


@pytest.fixture
def local_tables(tmp_path: Path) -> DeltaTables:
    return DeltaTables(str(tmp_path / "store"))


@pytest.fixture(params=["local", "s3", pytest.param("hopsworks", marks=pytest.mark.hopsworks)])
def tables(request: pytest.FixtureRequest, tmp_path: Path):
    """An empty table store of each backend."""
    if request.param == "local":
        return request.getfixturevalue("local_tables")
    if request.param == "hopsworks":
        return request.getfixturevalue("hopsworks_tables")
    from btc_assets.storage.delta.s3_files import delta_options

    url, endpoint = request.getfixturevalue("bucket_url"), request.getfixturevalue("s3_endpoint")
    return DeltaTables(url, delta_options(endpoint), tmp_path / "cache")


@pytest.fixture(params=["local", "s3", pytest.param("hopsworks", marks=pytest.mark.hopsworks)])
def registry(request: pytest.FixtureRequest, tmp_path: Path):
    """An empty model registry of each backend."""
    if request.param == "local":
        return FolderRegistry(tmp_path / "store")
    if request.param == "hopsworks":
        return request.getfixturevalue("hopsworks_registry")
    from btc_assets.io.s3 import Bucket
    from btc_assets.storage.registry.cached_registry import CachedRegistry
    from btc_assets.storage.registry.s3 import S3Registry

    bucket = Bucket(request.getfixturevalue("bucket_url"), request.getfixturevalue("s3_endpoint"))
    return CachedRegistry(S3Registry(bucket), tmp_path / "cache")


@pytest.fixture(scope="session")
def hopsworks_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A Hopsworks emulator; at the end it must have known every request it got."""
    pytest.importorskip("hopsworks", reason="needs the extra btc-assets[hopsworks]")
    if REAL_HOPSWORKS:
        pytest.skip("these tests need the emulator; HOPSWORKS_API_KEY asks for a real server")
    from hopsworks_emulator import Emulator

    root = tmp_path_factory.mktemp("hopsworks")
    with Emulator(root) as emulator, pytest.MonkeyPatch.context() as environment:
        environment.setenv("HOPSWORKS_TRUST_STORE_PATH", str(emulator.authority.folder / "ca.pem"))
        environment.setenv("HOME", str(root))
        yield emulator
        assert emulator.unknown == []


@pytest.fixture(scope="session")
def hopsworks_settings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings that lead to the emulator, or to a real server if HOPSWORKS_API_KEY is set."""
    cache = tmp_path_factory.mktemp("cache")
    where: dict[str, Any] = {"store": "hopsworks", "registry": "hopsworks", "cache_dir": cache}
    if REAL_HOPSWORKS:
        where |= {"hopsworks_host": os.environ.get("HOPSWORKS_HOST", "")}
        where |= {"hopsworks_data_source": os.environ.get("BTC_HOPSWORKS_DATA_SOURCE", "")}
        return load({}, **where, hopsworks_project=os.environ["HOPSWORKS_PROJECT"])
    server: Emulator = request.getfixturevalue("hopsworks_server")
    where |= {"hopsworks_host": server.host, "hopsworks_project": server.project}
    return load({}, **where, hopsworks_api_key=server.api_key)


@pytest.fixture
def hopsworks_project(request: pytest.FixtureRequest, hopsworks_settings: Settings) -> object:
    """The client's handle to an emptied project; the client's import and login are paid for once."""
    from btc_assets.storage.hopsworks.login import connect

    project = connect(hopsworks_settings)
    if REAL_HOPSWORKS:
        _remove_what_tests_left(project)
    else:
        request.getfixturevalue("hopsworks_server").reset()
    return project


def _remove_what_tests_left(project: Any) -> None:
    """On a real server only what begins with the tests' prefix is ever touched."""
    store, models = project.get_feature_store(), project.get_model_registry()
    for name in ("samples", "forecasts"):
        for group in store.get_feature_groups(TEST_PREFIX + name):
            group.delete()
    for name in ("mlp", "lstm"):
        for model in models.get_models(TEST_PREFIX + name):
            model.delete()


@pytest.fixture
def hopsworks_tables(
    hopsworks_project: object, hopsworks_settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    from btc_assets.storage.hopsworks.tables import HopsworksTables

    # The client's progress display makes each read last half a second at least.
    monkeypatch.setattr("hopsworks_common.util._loading_animation", lambda *_: None)
    return HopsworksTables(hopsworks_project, hopsworks_settings.hopsworks_data_source, TEST_PREFIX)


@pytest.fixture
def hopsworks_registry(hopsworks_project: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from btc_assets.storage.hopsworks.registry import HopsworksRegistry
    from btc_assets.storage.registry.cached_registry import CachedRegistry

    # After an upload the client sleeps five seconds before it asks whether the model is there.
    monkeypatch.setattr("hsml.engine.model_engine.time", SimpleNamespace(sleep=lambda _: None))
    return CachedRegistry(HopsworksRegistry(hopsworks_project, prefix=TEST_PREFIX), tmp_path / "cache")


@pytest.fixture
def make_model(tmp_path: Path) -> Callable[..., Path]:
    """A factory of model folders with files in subfolders."""
    made = 0

    def make(content: bytes = b"weights", pinball: float = 0.97, **fields: object) -> Path:
        nonlocal made
        made += 1
        folder = tmp_path / "made" / str(made)
        (folder / "pictures" / "loss").mkdir(parents=True)
        (folder / "model.onnx").write_bytes(content)
        (folder / "card.md").write_text("# A model\n")
        (folder / "pictures" / "loss" / "curve.png").write_bytes(b"\x89PNG" + content[:10])
        write_manifest(folder, {"metrics": {"pinball": pinball}} | fields)
        return folder

    return make
