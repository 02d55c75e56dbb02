"""Tables and models read over plain HTTP from a real server, with a line that breaks and answers that lie."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from web_files import WebFiles, web_files

from btc_assets.contracts import VINTAGES_IN_FORCE
from btc_assets.errors import (
    BadModel,
    CorruptData,
    StorageError,
    StorageUnavailable,
    TableMissing,
    Unsupported,
)
from btc_assets.io import web_folder
from btc_assets.io.web_folder import WebFolder
from btc_assets.storage.delta.log_entries import ENTRY
from btc_assets.storage.delta.store import DeltaTables
from btc_assets.storage.delta.web_tables import WebTables
from btc_assets.storage.registry.cached_registry import CachedRegistry
from btc_assets.storage.registry.folder import FolderRegistry
from btc_assets.storage.registry.protocol import ModelRef, VintageId
from btc_assets.storage.registry.web import WebRegistry

from .conftest import SAMPLES, day, samples

Open = Callable[..., WebTables]
LOG = "tables/samples/_delta_log"


@pytest.fixture
def owner(tmp_path: Path) -> DeltaTables:
    """The store of whoever may write."""
    return DeltaTables(str(tmp_path / "store"))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WebFiles]:
    with web_files(tmp_path / "store") as running:
        yield running


@pytest.fixture
def open_web(server: WebFiles, tmp_path: Path) -> Open:
    """The owner's store on the web, each time as a process would open it; copies are shared."""

    def open_(look_every: float = 0.0) -> WebTables:
        return WebTables(server.url, tmp_path / "cache", look_every, "it is a web address")

    return open_


def copies(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "cache").rglob("*.parquet"))


def test_what_the_owner_writes_is_read_and_nothing_is_fetched_twice(
    owner: DeltaTables, open_web: Open, server: WebFiles
) -> None:
    assert not open_web().exists(SAMPLES)
    with pytest.raises(TableMissing):
        open_web().read(SAMPLES)
    for n in range(5):
        owner.upsert(SAMPLES, samples(n))
    assert_frame_equal(open_web().read(SAMPLES), samples(*range(5)))
    server.paths()
    tables = open_web()
    owner.upsert(SAMPLES, samples(3, close=7.0))
    assert_frame_equal(tables.read(SAMPLES), owner.read(SAMPLES))
    assert tables.version(SAMPLES) == owner.version(SAMPLES) == 6
    assert_frame_equal(tables.read(SAMPLES, version=2), samples(0, 1))
    asked = server.paths()
    newest = [Path(ENTRY.format(n)).name for n in (5, 6)]
    assert {Path(path).name for path in asked if path.startswith(LOG)} == set(newest), "no older entry again"
    assert len([path for path in asked if path.endswith(".parquet")]) == 1, "the new file alone"


def test_many_entries_are_fetched_in_order_and_a_checkpoint_is_not_needed(
    owner: DeltaTables, open_web: Open
) -> None:
    for n in range(25):
        owner.upsert(SAMPLES, samples(n))
    assert_frame_equal(open_web().read(SAMPLES, start=day(20)), samples(*range(20, 25)))
    assert open_web().version(SAMPLES) == owner.version(SAMPLES)


def test_between_two_looks_nothing_is_asked(owner: DeltaTables, open_web: Open, server: WebFiles) -> None:
    owner.upsert(SAMPLES, samples(1))
    tables = open_web(look_every=3600.0)
    tables.read(SAMPLES)
    owner.upsert(SAMPLES, samples(2))
    server.asked.clear()
    assert_frame_equal(tables.read(SAMPLES), samples(1))
    assert (tables.version(SAMPLES), tables.torn_entries(SAMPLES), server.asked) == (1, [], [])


def test_T14_whatever_would_write_is_refused_and_says_why(
    owner: DeltaTables, open_web: Open, server: WebFiles
) -> None:
    owner.upsert(SAMPLES, samples(1))
    before = sorted(server.folder.rglob("*"))
    for write in (
        lambda t: t.ensure_table(SAMPLES),
        lambda t: t.upsert(SAMPLES, samples(2)),
        lambda t: t.insert(SAMPLES, samples(2)),
        lambda t: t.delete_keys(SAMPLES, samples(1).select(SAMPLES.key)),
    ):
        with pytest.raises(
            Unsupported, match=r"can only be read \(it is a web address\); nothing was written"
        ):
            write(open_web())
    assert sorted(server.folder.rglob("*")) == before


def made_anew(owner: DeltaTables) -> None:
    shutil.rmtree(owner.root)
    for n in range(4):
        DeltaTables(owner.root).upsert(SAMPLES, samples(n, close=9.0))


def put_back(owner: DeltaTables) -> None:
    Path(owner.root, "tables", "samples", ENTRY.format(2)).unlink()


@pytest.mark.parametrize("happens", [made_anew, put_back])
def test_T14_a_log_that_does_not_go_on_from_what_was_seen_is_refused(
    owner: DeltaTables, open_web: Open, tmp_path: Path, happens: Callable[[DeltaTables], None]
) -> None:
    owner.upsert(SAMPLES, samples(1))
    owner.upsert(SAMPLES, samples(2))
    tables = open_web()
    tables.read(SAMPLES)
    happens(owner)
    for store in (tables, open_web()):
        with pytest.raises(StorageError, match=r"was rewritten: entry 2 .* remove .*cache/logs"):
            store.read(SAMPLES)
    shutil.rmtree(tmp_path / "cache" / "logs")
    assert_frame_equal(open_web().read(SAMPLES), DeltaTables(owner.root).read(SAMPLES))


@pytest.mark.parametrize(
    ("fault", "part", "error", "said"),
    [
        ("hang up", "", StorageUnavailable, "could not be read"),
        ("503", "", StorageUnavailable, "answered 503"),
        ("page", LOG, StorageUnavailable, "is no entry of a table's log, it begins b'<!doctype html>"),
        ("half", LOG, StorageUnavailable, "could not be read"),
        ("403", LOG, StorageError, "readable for all, and what is not there answered with 404"),
        ("page", "parquet", CorruptData, "is damaged"),
        ("half", "parquet", StorageUnavailable, "could not be read"),
        ("404", "parquet", CorruptData, "is missing"),
    ],
)
def test_T14_a_fault_of_the_server_is_said_and_leaves_no_copy(
    owner: DeltaTables,
    open_web: Open,
    server: WebFiles,
    tmp_path: Path,
    fault: str,
    part: str,
    error: type[StorageError],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(web_folder, "ATTEMPTS", 2)
    owner.upsert(SAMPLES, samples(1))
    server.spoil_always(fault, part)
    with pytest.raises(error, match=said) as caught:
        open_web().read(SAMPLES)
    assert isinstance(caught.value, StorageUnavailable) is (error is StorageUnavailable)
    assert copies(tmp_path) == []
    server.spoil()
    assert_frame_equal(open_web().read(SAMPLES), samples(1))


@pytest.fixture
def content(server: WebFiles) -> bytes:
    """What ``file`` holds, a megabyte."""
    content = bytes(range(256)) * 4096
    server.folder.mkdir()
    (server.folder / "file").write_bytes(content)
    return content


def test_T14_a_download_that_breaks_off_goes_on_from_there(server: WebFiles, content: bytes) -> None:
    server.spoil("half", "half")
    assert WebFolder(server.url).get("file") == content
    assert [asked for _, asked in server.asked] == ["", "bytes=524288-", "bytes=786432-"]


@pytest.mark.parametrize(
    ("lies", "then"),
    [
        (["other range"], ["bytes=524288-", ""]),
        (["other version"], ["bytes=524288-"]),
        (["416"], ["bytes=524288-", ""]),
        (["503", "half"], ["bytes=524288-", "bytes=524288-", "bytes=786432-"]),
    ],
)
def test_T14_a_rest_that_does_not_fit_is_thrown_away_and_an_error_page_is_not_taken_for_it(
    server: WebFiles, content: bytes, lies: list[str], then: list[str]
) -> None:
    server.spoil("half", *lies)
    assert WebFolder(server.url).get("file") == content
    assert [asked for _, asked in server.asked] == ["", *then]


def test_an_odd_name_is_asked_for_as_it_is(server: WebFiles) -> None:
    server.folder.mkdir()
    (server.folder / "50% #1? ü").write_bytes(b"odd")
    assert WebFolder(server.url + "/").get("50% #1? ü") == b"odd"


def test_T14_a_damaged_copy_of_the_log_is_named(owner: DeltaTables, open_web: Open, tmp_path: Path) -> None:
    for n in range(3):
        owner.upsert(SAMPLES, samples(n))
    open_web().read(SAMPLES)
    (tmp_path / "cache/logs/samples" / ENTRY.format(1)).write_bytes(b"damaged")
    with pytest.raises(CorruptData, match="is sound, remove that copy"):
        open_web().read(SAMPLES)


def on_s3(model: Path, root: Path, sha256: str) -> None:
    """Put the files as a bucket has them, below the hash of the manifest."""
    moved = root / sha256
    moved.mkdir()
    for path in list(model.iterdir()):
        if path != moved and path.name != "manifest.json":
            path.rename(moved / path.name)


@pytest.mark.parametrize("layout", ["folder", "bucket"])
def test_models_are_read_as_they_lie_in_a_folder_or_a_bucket(
    owner: DeltaTables, open_web: Open, server: WebFiles, make_model: Callable[..., Path], tmp_path: Path,
    layout: str,
) -> None:  # fmt: skip
    first, second = VintageId(dt.date(2024, 3, 1)), VintageId(dt.date(2024, 6, 1), 2)
    rows = []
    for vintage in (second, first):
        ref = FolderRegistry(owner.root).publish("mlp", vintage, make_model(str(vintage).encode()))
        row = {"symbol": "BTC", "model": "mlp", "vintage": vintage.cutoff, "revision": vintage.revision}
        rows += [row | {"date": vintage.cutoff + n * dt.timedelta(days=1)} for n in (1, 2)]
        if layout == "bucket":
            folder = Path(owner.root, "models", "mlp", str(vintage))
            on_s3(folder, folder, ref.manifest_sha256)
    frame = pl.DataFrame(rows).with_columns(
        manifest_sha256=pl.lit("-"), action=pl.lit("-"), reason=pl.lit("-")
    )
    schema = VINTAGES_IN_FORCE.schema
    owner.upsert(VINTAGES_IN_FORCE, frame.select(schema.names()).cast(dict(schema)))

    registry = CachedRegistry(WebRegistry(WebFolder(server.url), open_web()), tmp_path / "cache")
    refs = registry.versions("mlp")
    assert [ref.vintage for ref in refs] == [first, second]
    by_hash = ModelRef("mlp", first, refs[0].manifest_sha256)  # as tables and the ledger know it
    assert (registry.model_folder(by_hash) / "pictures/loss/curve.png").read_bytes()[:4] == b"\x89PNG"
    assert registry.get("mlp", VintageId(dt.date(2025, 1, 1))) is None
    with pytest.raises(StorageError, match="can only be read"):
        registry.publish("mlp", VintageId(dt.date(2025, 1, 1)), make_model())
    server.spoil_always("page", "model.onnx")
    with pytest.raises(BadModel, match=r"model\.onnx"):
        registry.model_folder(refs[1])
    server.spoil_always("503")
    assert registry.get("lstm", first) is None
