"""`btc follow`: somebody else's archive, served over real HTTP, shown when it changes and only then."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import loopback
import polars as pl
import pytest
from btc_up import Up, get
from exchange import Exchange
from graph_environment import LAST, GraphEnvironment, point_settings_at

from btc_assets.backup.follow import Follower
from btc_assets.backup.make import backup
from btc_assets.contracts import FORECASTS
from btc_assets.errors import BackupError, BtcError, ConfigurationError, SourceUnavailable
from btc_assets.factory import all_tables, open_registry, open_tables
from btc_assets.launch import open_instance
from btc_assets.ledger.verification.verify import verify
from btc_assets.market.calendar import DAY
from btc_assets.modeling.features import ENGINEERED_FEATURES
from btc_assets.settings import Settings, load

SPECS = list(all_tables().values())


@dataclass
class Host:
    """A web server with one file, and what it was asked."""

    content: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    broken_off: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    def show(self, archive: Path, tag: str) -> None:
        self.content, self.headers = archive.read_bytes(), {"ETag": f'"{tag}"'} if tag else {}


class Handler(loopback.Handler):
    host: Host

    def do_GET(self) -> None:
        host = self.host
        host.asked.append({name.lower(): value for name, value in self.headers.items()})
        same = "ETag" in host.headers and self.headers["If-None-Match"] == host.headers["ETag"]
        self.send_response(304 if same and host.status == 200 else host.status)
        for name, value in host.headers.items():
            self.send_header(name, value)
        body = b"" if same else host.content
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if host.broken_off else body)


@pytest.fixture
def host() -> Iterator[Host]:
    host = Host()
    bound = type("Bound", (Handler,), {"host": host})
    with loopback.serving(bound) as url:
        host.url = f"{url}/btc.tar.gz"
        yield host


@dataclass(frozen=True)
class Archives:
    """Archives of a store after its first day, after its second, and of one whose past is another."""

    first: Path
    second: Path
    rewritten: Path


@pytest.fixture(scope="module")
def archives(
    loaded: tuple[Path, Exchange], issued: Path, tmp_path_factory: pytest.TempPathFactory
) -> Archives:
    folder = tmp_path_factory.mktemp("published")
    made = Archives(folder / "first.tar.gz", folder / "second.tar.gz", folder / "rewritten.tar.gz")
    shutil.copytree(loaded[0], folder / "data")
    with pytest.MonkeyPatch.context() as patch:
        backup(point_settings_at(patch, loaded[1], issued), made.rewritten, SPECS)
        settings = point_settings_at(patch, loaded[1], folder / "data")
        with open_instance(settings) as instance:
            graph = GraphEnvironment(loaded[1], settings, instance)
            graph.register(LAST - DAY, LAST)
            for day, archive in ((LAST - DAY, made.first), (LAST, made.second)):
                graph.run("walk_forward", day, day)
                backup(settings, archive, SPECS)
    return made


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return load({}, data_dir=str(tmp_path / "data"))


@pytest.fixture
def follower(settings: Settings, host: Host) -> Follower:
    return Follower(settings, host.url, SPECS)


def origins(settings: Settings) -> list[dt.date]:
    rows = open_tables(settings).read(FORECASTS)
    return rows.select(pl.col("origin_date").unique().sort())["origin_date"].to_list()


def test_the_store_follows_the_archive_and_verifies(
    follower: Follower, host: Host, settings: Settings, archives: Archives
) -> None:
    host.show(archives.first, "1")
    report = follower.refresh()
    assert report is not None
    assert report.ok
    assert origins(settings) == [LAST - DAY]
    host.show(archives.second, "2")
    assert follower.refresh() is not None
    assert origins(settings) == [LAST - DAY, LAST]
    assert verify(open_tables(settings), open_registry(settings), "BTCUSDT", features=ENGINEERED_FEATURES).ok


def test_an_archive_that_did_not_change_is_not_fetched_again(
    follower: Follower, host: Host, archives: Archives
) -> None:
    host.show(archives.first, "1")
    assert follower.refresh() is not None
    assert follower.refresh() is None
    assert [each.get("if-none-match") for each in host.asked] == [None, '"1"']
    host.show(archives.first, "the same bytes with another tag")
    assert follower.refresh() is None
    host.show(archives.first, "")
    assert follower.refresh() is None


def test_T15_whoever_reads_during_the_change_goes_on_with_what_was_there(
    follower: Follower, host: Host, settings: Settings, archives: Archives
) -> None:
    host.show(archives.first, "1")
    follower.refresh()
    reading = next(follower.root.resolve().glob("tables/forecasts/*.parquet"))
    host.show(archives.second, "2")
    follower.refresh()
    assert reading.is_file()
    assert len(list((follower.folder / "stores").iterdir())) == 2


def older(host: Host, archives: Archives) -> None:
    host.show(archives.first, "3")


def rewritten(host: Host, archives: Archives) -> None:
    host.show(archives.rewritten, "3")


def altered(host: Host, archives: Archives) -> None:
    content = bytearray(archives.second.read_bytes())
    content[len(content) // 2] ^= 1
    host.content, host.headers = bytes(content), {}


def cut_short(host: Host, archives: Archives) -> None:
    host.show(archives.second, "3")
    host.broken_off = True


def a_page(host: Host, archives: Archives) -> None:
    host.content, host.headers = b"<html>Just a moment...</html>", {}


def gone(host: Host, archives: Archives) -> None:
    host.status, host.headers = 404, {}


@pytest.mark.parametrize(
    ("happens", "error", "said"),
    [
        (older, BackupError, "is older than what is shown: 1 records, not 2"),
        (rewritten, BackupError, "does not go on from what was shown: record 2"),
        (altered, BackupError, "altered"),
        (cut_short, SourceUnavailable, "could not be fetched"),
        (a_page, BackupError, "torn, altered or no archive"),
        (gone, SourceUnavailable, "answered 404"),
    ],
)
def test_T15_what_is_no_continuation_is_refused_and_what_was_shown_stays(
    follower: Follower,
    host: Host,
    settings: Settings,
    archives: Archives,
    happens: Callable[[Host, Archives], None],
    error: type[BtcError],
    said: str,
) -> None:
    host.show(archives.second, "2")
    follower.refresh()
    before = follower.shown()
    happens(host, archives)
    with pytest.raises(error, match=said):
        follower.refresh()
    assert follower.shown() == before
    assert origins(settings) == [LAST - DAY, LAST]
    assert [path.name for path in follower.folder.iterdir()] == ["stores"]
    assert list((follower.folder / "stores").iterdir()) == [follower.root.resolve()]


def test_a_store_of_ones_own_is_never_hidden(settings: Settings, host: Host) -> None:
    Path(settings.root, "tables").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="is a store of its own"):
        Follower(settings, host.url, SPECS)


def test_nothing_is_run_in_a_store_that_is_followed(
    follower: Follower, host: Host, settings: Settings, archives: Archives
) -> None:
    host.show(archives.first, "1")
    follower.refresh()
    with pytest.raises(ConfigurationError, match="somebody else's store"), open_instance(settings):
        pass


def test_T15_an_archive_of_another_market_is_refused(host: Host, archives: Archives, tmp_path: Path) -> None:
    host.show(archives.first, "1")
    other = load({}, data_dir=str(tmp_path / "data"), symbol="ETHUSDT")
    with pytest.raises(BackupError, match="is of BTCUSDT"):
        Follower(other, host.url, SPECS).refresh()
    assert not Path(other.root).exists()


class Following(Up):
    """A running `btc follow`."""

    def arguments(self) -> list[str]:
        return ["follow", "--web-port", str(self.web)]


def test_T15_the_page_shows_what_is_followed_and_goes_on_when_the_address_is_gone(
    host: Host, archives: Archives, tmp_path: Path
) -> None:
    host.show(archives.second, "1")
    following = Following(tmp_path, BTC_FOLLOW=host.url, BTC_SOURCE="binance")
    try:
        for again in (False, True):
            following.wait_for("the page", lambda: get(f"http://127.0.0.1:{following.web}/health")[0] == 200)
            status, body = get(f"http://127.0.0.1:{following.web}/api/v1/forecast?days=7")
            assert status == 200
            assert json.loads(body)["origin_date"] == LAST.isoformat()
            assert ("what was shown before stays" in following.said()) is again
            assert "All is well" in following.said() or again
            assert following.stop() == []
            assert "stopped." in following.said()
            host.status = 503
            following.start()
    finally:
        following.end()


def test_T15_without_an_archive_it_says_why_and_ends(host: Host, tmp_path: Path) -> None:
    host.status = 404
    following = Following(tmp_path, BTC_FOLLOW=host.url, BTC_SOURCE="binance")
    try:
        assert following.process.wait(60) == 1
        assert following.said().endswith(f"btc: {host.url} answered 404 Not Found\n")
    finally:
        following.end()
