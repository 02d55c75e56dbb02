"""Folders with odd names: tables work in them, or are refused in one sentence; empty and ~ settings."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest
from candles import candle

from btc_assets.contracts import RAW_KLINES
from btc_assets.errors import ConfigurationError
from btc_assets.factory import open_tables
from btc_assets.settings import load
from btc_assets.storage.bitemporal import klines_frame
from btc_assets.storage.delta.store import DeltaTables

NOW = dt.datetime(2024, 3, 1, tzinfo=dt.UTC)
DAYS = [dt.date(2024, 1, 1), dt.date(2024, 1, 2)]


def fill(root: Path, versions: int = 22) -> None:
    """So many versions that there is a checkpoint."""
    tables = DeltaTables(str(root))
    for number in range(versions):
        frame = klines_frame([candle(day, close=100 + number) for day in DAYS], NOW)
        tables.upsert(RAW_KLINES, frame)


@pytest.mark.parametrize(
    "name",
    ["a b", "q?x", "h#x", "100%", "%zz", "ü", "*", "[x]", "a:b", "{b}", "semi;colon", "am&p", "~t", "-"],
)
def test_T10_tables_work_in_folders_with_odd_names(tmp_path: Path, name: str) -> None:
    fill(tmp_path / name / "real")
    moved = tmp_path / f"{name} moved"
    shutil.move(tmp_path / name, moved)
    tables = DeltaTables(str(moved / "real"))
    assert tables.read(RAW_KLINES)["close"].to_list() == [121.0, 121.0]
    assert tables.read(RAW_KLINES, version=tables.version(RAW_KLINES) - 5)["close"][0] < 121.0
    assert [path.name for path in tmp_path.iterdir()] == [moved.name], "nothing was written elsewhere"


@pytest.mark.parametrize("name", ["feature%2Fx", "a%20b", "back\\slash", "a%5Cb", "tab\tx", "p%20c"])
def test_T10_a_folder_that_delta_misreads_is_refused_and_not_called_damaged(
    tmp_path: Path, name: str
) -> None:
    fill(tmp_path / "plain" / "real", 2)
    shutil.move(tmp_path / "plain", tmp_path / name)
    with pytest.raises(
        ConfigurationError, match=r"with '.*' in its path; rename it.*is not damaged"
    ) as caught:
        open_tables(load({"BTC_DATA_DIR": str(tmp_path / name)}))
    assert str(tmp_path / name / "real") in str(caught.value)
    (tmp_path / "link").symlink_to(tmp_path / name)
    with pytest.raises(ConfigurationError, match="rename it"):
        DeltaTables(str(tmp_path / "link" / "real"))
    shutil.move(tmp_path / name, tmp_path / "plain")
    assert DeltaTables(str(tmp_path / "plain" / "real")).read(RAW_KLINES).height == len(DAYS)


@pytest.mark.parametrize(
    "key", ["feature%2Fx", "a%20b", "q?x", "h#x", "a//b", "a/../b", "./a", "tab\tx", "a/..", "\x7f"]
)
def test_T10_an_address_that_delta_misreads_is_refused_by_name(key: str) -> None:
    """Each was tried on an S3 server: the table went elsewhere than the models, or was called damaged."""
    with pytest.raises(ConfigurationError, match=r"an address with '.*' in it; set BTC_DATA_DIR"):
        open_tables(load({"BTC_DATA_DIR": f"s3://bucket/{key}"}))


@pytest.mark.parametrize(
    "key", ["", "a b", "100%", "%zz", "ü", "a:b", "p+q", "...", "a.", "back\\slash", "~t"]
)
def test_T10_other_addresses_are_taken(key: str) -> None:
    open_tables(load({"BTC_DATA_DIR": f"s3://bucket/{key}"}))


@pytest.mark.parametrize("below", ["", "btc", "btc/data"])
def test_K4_a_link_to_nothing_begins_no_store_elsewhere(tmp_path: Path, below: str) -> None:
    """As of a disk that is not mounted: a second store, with a chain of its own, began where it would be."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "mine")
    folder = str(tmp_path / "link" / below)
    with pytest.raises(ConfigurationError, match=r"BTC_DATA_DIR.*/link, a link to .*/mine, which is not"):
        load({"BTC_DATA_DIR": folder})
    (tmp_path / "disk" / "mine").mkdir()
    load({"BTC_DATA_DIR": folder})


@pytest.mark.parametrize("name", ["BTC_DATA_DIR", "BTC_CACHE_DIR"])
@pytest.mark.parametrize("value", ["", " ", "\t"])
def test_K4_a_folder_without_a_name_is_refused(name: str, value: str) -> None:
    with pytest.raises(
        ConfigurationError, match=f"{name}.*is empty; name a folder, or leave the variable unset"
    ):
        load({name: value})


def test_K4_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", "~/dagster")
    settings = load({"BTC_DATA_DIR": "~/x", "BTC_CACHE_DIR": "~", "BTC_ARCHIVE": "~/dumps"})
    assert settings.root == f"{tmp_path}/x/real"
    assert settings.cache_dir == tmp_path
    assert settings.archive == f"{tmp_path}/dumps"
    assert settings.dagster_home == f"{tmp_path}/dagster"
    assert load({"BTC_ARCHIVE": "https://example.org/~me"}).archive == "https://example.org/~me"
    with pytest.raises(ConfigurationError, match=r"BTC_DATA_DIR.*folder that this machine does not know"):
        load({"BTC_DATA_DIR": "~nobody-here/x"})


@pytest.mark.parametrize("value", ["file:///x", "gs://bucket/x", "ftp://example.org", "S3://bucket"])
def test_K4_an_address_that_cannot_be_read_is_refused(value: str) -> None:
    with pytest.raises(ConfigurationError, match=r"BTC_DATA_DIR.*neither a folder nor an s3:// or https://"):
        load({"BTC_DATA_DIR": value})
