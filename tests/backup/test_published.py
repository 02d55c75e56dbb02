"""A published state: gone on from when it is whole and verifies, refused in one sentence when not."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from exchange import Exchange
from graph_environment import point_settings_at
from loopback import free_port, serve_folder
from typer.testing import CliRunner

from btc_assets.backup.make import backup
from btc_assets.backup.published import (
    ARCHIVE,
    STATE,
    State,
    newest_state,
    next_state,
    require_continued,
    require_unchanged,
    restore_newest,
)
from btc_assets.cli.app import app
from btc_assets.cli.published import begin_with_published
from btc_assets.contracts import FORECASTS
from btc_assets.errors import BackupError, BtcError, SourceUnavailable
from btc_assets.factory import all_tables, open_tables
from btc_assets.ledger.records import head
from btc_assets.settings import Settings, load

SPECS = list(all_tables().values())


@pytest.fixture(scope="module")
def store(issued: Path, loaded: tuple[Path, Exchange]) -> Settings:
    """A store with three forecasts; for reading only."""
    with pytest.MonkeyPatch.context() as patch:
        return point_settings_at(patch, loaded[1], issued)


def publish(store: Settings, place: Path, **given: bool) -> State:
    """Write the store's first state to ``place``."""
    place.mkdir()
    manifest = backup(store, place / ARCHIVE, SPECS, with_dagster=False, **given)
    newest = head(open_tables(store), store.symbol)
    assert newest is not None
    state = next_state(None, manifest, newest, place / ARCHIVE)
    (place / STATE).write_bytes(state.encode())
    return state


@pytest.fixture(scope="module")
def first(store: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("first") / "place"
    publish(store, place)
    return place


@pytest.fixture
def place(first: Path, tmp_path: Path) -> Path:
    """A folder with a state, to change at will."""
    shutil.copytree(first, tmp_path / "place")
    return tmp_path / "place"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return load({}, data_dir=str(tmp_path / "data"), published=str(tmp_path / "place"))


def refused(settings: Settings, message: str) -> None:
    """It is refused with ``message``, and nothing is in place."""
    with pytest.raises(BackupError, match=message):
        restore_newest(settings, SPECS)
    assert not Path(settings.root).exists()


def test_the_newest_state_is_put_in_place_without_records_of_the_machine(
    settings: Settings, place: Path
) -> None:
    found = restore_newest(settings, SPECS)
    assert found is not None
    assert found.state.tag == "state-000001"
    newest = head(open_tables(settings), "BTCUSDT")
    assert newest is not None
    assert newest.record_sha256 == found.state.head
    assert not (Path(settings.root) / "dagster").exists()


def test_T16_over_http_it_is_the_same_and_nothing_published_is_told_from_a_server_that_is_down(
    settings: Settings, place: Path
) -> None:
    with serve_folder(place.parent) as address:
        there = settings.model_copy(update={"published": f"{address}/place"})
        found = restore_newest(there, SPECS)
        assert found is not None
        assert newest_state(f"{address}/nothing") is None
    with pytest.raises(SourceUnavailable, match="could not be fetched"):
        newest_state(f"http://127.0.0.1:{free_port()}")


def test_T16_an_archive_that_was_torn_while_it_was_uploaded_is_refused(
    settings: Settings, place: Path
) -> None:
    whole = (place / ARCHIVE).read_bytes()
    (place / ARCHIVE).write_bytes(whole[: len(whole) // 2])
    refused(settings, "is not that of state-000001: its SHA-256 is")
    (place / ARCHIVE).unlink()
    refused(settings, "state-000001 lacks its archive")


def test_T16_a_state_whose_ledger_does_not_verify_is_refused(
    store: Settings, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("btc_assets.backup.snapshot.SNAPSHOT_TIMEOUT", 0.3)
    shutil.copytree(Path(store.root), tmp_path / "forged" / "real")
    forged = store.model_copy(update={"data_dir": str(tmp_path / "forged")})
    tables = open_tables(forged)
    tables.upsert(FORECASTS, tables.read(FORECASTS).with_columns(q500=1.0))
    publish(forged, tmp_path / "place", even_if_damaged=True)
    refused(settings, "the ledger of state-000001 does not verify: NOT as recorded")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"number": 0}', "\xff\xfe"])
def test_T16_what_describes_no_state_is_refused_and_never_taken_for_nothing(
    settings: Settings, place: Path, text: str
) -> None:
    (place / STATE).write_text(text)
    refused(settings, "describes no state")


def test_T16_a_state_in_another_market_s_place_is_refused(settings: Settings, place: Path) -> None:
    simulated = settings.model_copy(update={"source": "simulated"})
    refused(simulated, "is of the real market")


def test_T16_a_ledger_that_does_not_hold_the_published_head_is_not_published(
    store: Settings, place: Path
) -> None:
    state = newest_state(str(place))
    assert state is not None
    require_continued(open_tables(store), state)
    for other in (replace(state, head="0" * 64), replace(state, seq=9)):
        with pytest.raises(BackupError, match="does not go on from state-000001"):
            require_continued(open_tables(store), other)


def test_C8_a_state_that_was_published_meanwhile_is_noticed(settings: Settings, place: Path) -> None:
    found = restore_newest(settings, SPECS)
    assert found is not None
    require_unchanged(settings.published, found)
    (place / STATE).write_text(json.dumps(asdict(replace(found.state, number=2))))
    with pytest.raises(BackupError, match=r"state-000002 was published at .* meanwhile"):
        require_unchanged(settings.published, found)
    with pytest.raises(BackupError, match="meanwhile"):
        require_unchanged(settings.published, None)


def test_btc_up_begins_with_it_where_nothing_is_and_leaves_alone_what_is(
    settings: Settings, place: Path
) -> None:
    begin_with_published(settings)
    root = Path(settings.root)
    assert newest_state(settings.published) is not None
    assert open_tables(settings).read(FORECASTS).height > 0
    shutil.rmtree(root / "tables")
    begin_with_published(settings)
    assert not (root / "tables").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "say where states are published"),
        (["--published", "nowhere"], "nothing is published at .*nowhere"),
        (["--published", "http://127.0.0.1:1", "--begin"], "could not be fetched"),
    ],
)
def test_C8_btc_daily_begins_no_record_unasked_nor_where_nobody_answers(
    given: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BTC_PUBLISHED", raising=False)
    monkeypatch.setattr("os.environ", dict(os.environ))
    done = CliRunner().invoke(app, ["daily", "--out", "out", *given])
    assert isinstance(done.exception, BtcError)
    assert re.search(message, str(done.exception))
    assert not Path("out").exists()
