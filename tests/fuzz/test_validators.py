"""Everything else that reads what somebody else wrote: its own error, or a value within its limits."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from dash import Dash
from hypothesis import example, given
from hypothesis import strategies as st

from btc_assets.backup.archive import Manifest
from btc_assets.defs.automation.failed_runs import FailureTracker
from btc_assets.defs.automation.landing_sensor import read_cursor
from btc_assets.errors import BackupError, BadCandle, BadModel, ConfigurationError, CorruptData, LedgerError
from btc_assets.io import progress
from btc_assets.ledger.publishing.published import parse_lines
from btc_assets.market.ban_memory import LONGEST_BAN, BanMemory
from btc_assets.market.calendar import FOUR_HOURS
from btc_assets.market.sources.landing import LandedVersion, LandingZone
from btc_assets.settings import PREFIX, Settings, load
from btc_assets.storage.delta.data_files import DataFile
from btc_assets.storage.registry.manifest import parse_manifest
from btc_dash.server import middleware

NOW = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)


def is_day(text: str) -> bool:
    """Whether the calendar has a day of that name."""
    try:
        return bool(dt.date.fromisoformat(text))
    except ValueError:
        return False


def tree(*names: str) -> st.SearchStrategy[Any]:
    """Any JSON, with keys that the reader looks for."""
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
    keys = st.sampled_from(names) | st.text(max_size=4)
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5),
        max_leaves=12,
    )


def filled(*names: str) -> st.SearchStrategy[bytes]:
    """JSON objects that have every key that the reader wants, with any value."""
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
    times = st.datetimes().map(lambda at: at.isoformat()) | st.just(NOW.isoformat())
    return st.fixed_dictionaries(dict.fromkeys(names, leaves | times)).map(lambda v: json.dumps(v).encode())


def documents(*names: str) -> st.SearchStrategy[bytes]:
    """Bytes of which many are JSON."""
    return st.binary(max_size=60) | tree(*names).map(lambda value: json.dumps(value).encode())


@given(documents("files", "metrics", "manifest.json", "../x", "model.onnx"))
def test_M4_a_manifest_is_safe_paths_with_hashes_or_bad(content: bytes) -> None:
    try:
        manifest = parse_manifest(content, "here")
    except BadModel:
        return
    for name, digest in manifest["files"].items():
        assert not Path(name).is_absolute()
        assert ".." not in Path(name).parts
        assert len(digest) == 64


@given(documents("format", "files", "made_at", "tables", "models", "head"))
def test_the_list_of_an_archive_is_one_or_is_refused(content: bytes) -> None:
    with pytest.raises(BackupError):
        Manifest.decode(content, "here")


@given(
    st.text(max_size=120)
    | st.from_regex(r"\d{4}-\d\d-\d\d_\d{4}-\d\d-\d\d_\d+_[0-9a-f]{8}_[0-9a-f]{64}\.parquet")
)
def test_a_name_is_a_data_file_or_corrupt(name: str) -> None:
    try:
        file = DataFile.parse(name)
    except CorruptData:
        return
    assert file.name == name


@given(
    documents("symbol", "seq", "record_sha256", "published_at")
    | filled("symbol", "seq", "record_sha256", "published_at")
)
@example(
    b'{"symbol": "BTCUSDT", "seq": Infinity, "record_sha256": "", "published_at": "2026-11-24T00:00:00Z"}'
)
def test_lines_of_a_sink_are_heads_or_an_error_with_the_line(content: bytes) -> None:
    try:
        heads = parse_lines(content, "BTCUSDT", "sink")
    except LedgerError as error:
        assert "sink, line " in str(error)  # noqa: PT017
        return
    assert all(head.symbol == "BTCUSDT" for head in heads)


@given(documents("until", "status") | filled("until", "status"))
@example(b'{"until": 1e99, "status": Infinity}')
@example(b'{"until": NaN, "status": 418}')
def test_S6_a_file_of_a_ban_never_locks_us_out_for_longer_than_a_ban(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hold.json"
        path.write_bytes(content)
        hold = BanMemory(path).current()
    assert hold is None or hold.until <= dt.datetime.now(dt.UTC).timestamp() + LONGEST_BAN


@given(
    documents("stage", "fraction", "detail", "updated_at")
    | filled("stage", "fraction", "detail", "updated_at")
)
@example(b'{"stage": "x", "fraction": 0, "detail": "", "updated_at": "2026-11-24T00:00:00"}')
def test_a_file_of_progress_is_progress_or_nothing(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "progress.json").write_bytes(content)
        found = progress.read(folder)
    if found is not None:
        assert isinstance(json.loads(content), dict)
        assert dt.datetime.fromisoformat(found.updated_at).tzinfo is not None


@given(documents("symbol", "row", "bars") | filled("symbol", "row", "bars"))
def test_a_landed_object_is_a_candle_or_bad(content: bytes) -> None:
    import hashlib

    day = dt.date(2025, 6, 30)
    landed = LandedVersion("BTCUSDT", day, 1, hashlib.sha256(content).hexdigest())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / landed.key
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        with pytest.raises(BadCandle):
            LandingZone(folder, "BTCUSDT").read(landed)
        with contextlib.suppress(BadCandle):
            assert LandingZone(folder, "BTCUSDT").read(landed, FOUR_HOURS) == [], (
                "no list of candles by chance"
            )


@given(st.dates().map(str) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", fullmatch=True))
def test_a_landing_zone_with_a_day_that_is_none_can_still_be_listed(day: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "BTCUSDT" / day / f"0001-{'0' * 64}.json"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
        found = LandingZone(folder, "BTCUSDT").newest("BTCUSDT", dt.date.min, dt.date.max)
    assert [str(landed.date) for landed in found] == ([day] if is_day(day) else [])


@given(documents("2025-06-30", "sha256", "since", "settled", "restated").map(lambda b: b.decode("latin-1")))
def test_any_cursor_of_the_landing_sensor_is_a_memory(cursor: str) -> None:
    assert all(isinstance(day, dt.date) for day in read_cursor(cursor))


@given(tree("until", "seen", "failures", "windows", "job", "step", "kind", "message", "run_id"))
def test_any_cursor_of_the_alarms_is_a_record(kept: Any) -> None:
    record = FailureTracker.from_json(kept, NOW)
    FailureTracker.from_json(json.loads(json.dumps(record.as_json())), NOW)
    assert all(dt.datetime.fromisoformat(at) for at in record.seen.values())


@given(st.text(max_size=10))
def test_a_record_with_a_time_that_is_none_begins_anew(at: str) -> None:
    kept = {"until": NOW.isoformat(), "seen": {"run": at}, "failures": []}
    for text in FailureTracker.from_json(kept, NOW).seen.values():
        assert dt.datetime.fromisoformat(text).tzinfo is not None


names = st.sampled_from([PREFIX + name.upper() for name in Settings.model_fields]) | st.text(max_size=8).map(
    lambda text: PREFIX + text
)


@given(st.dictionaries(names, st.text(max_size=20), max_size=3))
def test_K1_K3_any_environment_is_settings_or_a_configuration_error(environ: dict[str, str]) -> None:
    try:
        load(environ)
    except ConfigurationError as error:
        secret = environ.get("BTC_HOPSWORKS_API_KEY", "")
        assert len(secret) < 6 or secret not in str(error)  # noqa: PT017


@pytest.fixture(scope="module")
def app() -> Dash:
    from dash import Input, Output, html

    found = Dash("fuzz")
    found.layout = html.Div([html.Div(id="a"), html.Div(id="b")])
    found.callback(Output("a", "children"), Input("b", "n_clicks"))(lambda n: n)
    found._setup_server()
    return found


@given(body=documents("output", "outputs", "inputs", "state", "changedPropIds", "id", "property"))
def test_W2_any_body_is_one_of_our_callbacks_or_not(app: Dash, body: bytes) -> None:
    assert middleware._is_ours(app, body) is False
