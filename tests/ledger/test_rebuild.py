"""A forecast can be computed again, byte for byte, from what was known then and the stored vintages."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import polars as pl
import pytest
from tiny_vintage import write_vintage

from btc_assets.contracts import FORECASTS, NETWORKS, RAW_KLINES, RAW_KLINES_4H, VINTAGES_IN_FORCE
from btc_assets.errors import BadModel, LedgerError
from btc_assets.ledger.clock import Clock
from btc_assets.ledger.inputs import WITHOUT_IMPLIED, read_inputs
from btc_assets.ledger.issue import Issued, issue
from btc_assets.ledger.rebuild import rebuild
from btc_assets.ledger.records import ISSUE_RECORDS, read_records
from btc_assets.ledger.verification.verify import verify
from btc_assets.market.calendar import DAY, FIRST_DAY, FOUR_HOURS, closes_at
from btc_assets.market.sources.simulated import Simulated
from btc_assets.market.sources.simulated_volatility import SimulatedVolatility
from btc_assets.modeling.compatibility import CODE_VERSION
from btc_assets.modeling.features import ENGINEERED_FEATURES, engineer
from btc_assets.modeling.forecast import forecasts
from btc_assets.modeling.hyperparameters import HyperParameters
from btc_assets.modeling.inference import Predictor
from btc_assets.modeling.training import fit
from btc_assets.series import BARS, CANDLES, IMPLIED, SERIES, Series
from btc_assets.storage.bitemporal import klines_frame, newest, store_candles, volatility_frame
from btc_assets.storage.delta.store import DeltaTables
from btc_assets.storage.registry.folder import FolderRegistry
from btc_assets.storage.registry.protocol import ModelRef, VintageId

D = dt.date(2022, 3, 10)
CUTOFF = dt.date(2022, 3, 6)
HOUR = dt.timedelta(hours=1)


def at(origin: dt.date, after: dt.timedelta = dt.timedelta(minutes=5)) -> Clock:
    moment = closes_at(origin) + after
    return Clock(moment, moment)


class Platform:
    """A real, small pipeline: simulated candles, real features, given vintages, real forecasts."""

    def __init__(self, root: Path) -> None:
        self.tables, self.registry = DeltaTables(str(root)), FolderRegistry(root)
        klines = Simulated().klines("BTCUSDT", FIRST_DAY, D + DAY)
        store_candles(self.tables, klines_frame(klines, at(D).now), closes_at(D))
        bars = Simulated().klines("BTCUSDT", FIRST_DAY, D + DAY, FOUR_HOURS)
        store_candles(self.tables, klines_frame(bars, at(D).now, RAW_KLINES_4H), closes_at(D), BARS)
        self.derive()

    def derive(self) -> pl.DataFrame:
        """Derive the features from what is stored now, and store them."""
        features = engineer({one.name: newest(self.tables, "BTCUSDT", one) for one in SERIES})
        self.tables.upsert(ENGINEERED_FEATURES, features)
        return features

    def put_in_force(self, refs: list[ModelRef]) -> None:
        rows = [
            {"symbol": "BTCUSDT", "model": r.name, "date": D, "vintage": r.vintage.cutoff}
            | {"revision": 0, "manifest_sha256": r.manifest_sha256, "action": "fitted", "reason": "first"}
            for r in refs
        ]
        self.tables.upsert(VINTAGES_IN_FORCE, pl.DataFrame(rows, schema=VINTAGES_IN_FORCE.schema))
        self.refs = {r.name: r for r in refs}

    def issue(self, clock: Clock) -> Issued:
        inputs = read_inputs(self.tables, ENGINEERED_FEATURES, "BTCUSDT", [D], "1", {})
        opened = {n: Predictor.open(self.registry.model_folder(r)) for n, r in self.refs.items()}
        rows = forecasts([D], inputs.candles, inputs.features, lambda kind, _: opened[kind])
        return issue(self.tables, self.registry, rows, inputs, clock)

    def stored(self) -> pl.DataFrame:
        return self.tables.read(FORECASTS)

    def restate(self, day: dt.date, clock: Clock, kept: Series = CANDLES) -> None:
        candles = self.tables.read(kept.newest, start=day, end=day + DAY)
        store_candles(self.tables, candles.with_columns(pl.col("high", "close") * 1.02), clock.now, kept)
        self.derive()


@pytest.fixture(scope="module")
def issued_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pipeline") / "store"
    platform = Platform(root)
    refs = []
    for name in NETWORKS:
        folder = root / "drafts" / name
        write_vintage(folder, name, CUTOFF, stretch=0.05 if name == "mlp" else -0.05)
        refs.append(platform.registry.publish(name, VintageId(CUTOFF), folder))
    platform.put_in_force(refs)
    platform.issue(at(D))
    return root


@pytest.fixture
def platform(issued_once: Path, tmp_path: Path) -> Platform:
    """A copy of the pipeline's store in which D was issued live."""
    return copied(issued_once, tmp_path / "store")


def copied(root: Path, to: Path) -> Platform:
    shutil.copytree(root, to)
    platform = Platform.__new__(Platform)
    platform.tables, platform.registry = DeltaTables(str(to)), FolderRegistry(to)
    platform.refs = {n: platform.registry.versions(n)[0] for n in NETWORKS}
    return platform


def test_C4_a_day_computed_again_gives_the_same_bytes(platform: Platform) -> None:
    rebuilt = rebuild(platform.tables, platform.registry, "BTCUSDT", D, check=True)
    assert rebuilt.ok
    assert (all(rebuilt.series.values()), rebuilt.features, rebuilt.restored) == (True, True, False)
    assert rebuilt.farthest == 0.0
    assert "NOT" not in "\n".join(rebuilt.lines())


@pytest.mark.parametrize("kept", [CANDLES, BARS], ids=["days", "4 hours"])
def test_D11_restated_candles_change_nothing_about_what_was_known(platform: Platform, kept: Series) -> None:
    before = platform.tables.version(ENGINEERED_FEATURES)
    platform.restate(D - 3 * DAY, at(D, 2 * HOUR), kept)
    assert platform.tables.version(ENGINEERED_FEATURES) > before
    assert platform.issue(at(D, 3 * HOUR)).outcomes == {D: "kept"}
    rebuilt = rebuild(platform.tables, platform.registry, "BTCUSDT", D, check=True)
    assert rebuilt.ok
    assert verify(platform.tables, platform.registry, "BTCUSDT", features=ENGINEERED_FEATURES).ok


def options_until(last: dt.date) -> pl.DataFrame:
    """Made-up implied volatility of the two years up to ``last``: rows of RAW_IMPLIED_VOLATILITY."""
    values = SimulatedVolatility().implied_volatility("BTCUSDT", last - 730 * DAY, last + DAY)
    return volatility_frame(values, closes_at(last))


@pytest.mark.parametrize("late", [False, True], ids=["in time", "late"])
def test_what_was_known_of_implied_volatility_when_it_was_issued_decides(
    issued_once: Path, tmp_path: Path, late: bool
) -> None:
    """The value of the day comes in time or an hour late, and is restated afterwards."""
    platform = copied(issued_once, tmp_path / "store")
    bare = platform.stored()
    platform.tables.delete_keys(FORECASTS, bare.select(FORECASTS.key))
    platform.tables.delete_keys(ISSUE_RECORDS, platform.tables.read(ISSUE_RECORDS).select(ISSUE_RECORDS.key))
    store_candles(platform.tables, options_until(D - DAY if late else D), closes_at(D), IMPLIED)
    platform.derive()
    platform.issue(at(D))
    assert platform.stored().drop("issued_at").equals(bare.drop("issued_at")) == late
    store_candles(platform.tables, options_until(D), at(D, HOUR).now, IMPLIED)
    store_candles(
        platform.tables, options_until(D).with_columns(volatility=55.5), at(D, 2 * HOUR).now, IMPLIED
    )
    platform.derive()
    assert platform.issue(at(D, 3 * HOUR)).outcomes == {D: "kept"}
    rebuilt = rebuild(platform.tables, platform.registry, "BTCUSDT", D, check=True)
    assert (rebuilt.ok, rebuilt.farthest, set(rebuilt.series.values())) == (True, 0.0, {True})
    assert verify(platform.tables, platform.registry, "BTCUSDT", features=ENGINEERED_FEATURES).ok
    (record,) = [r for r, _ in read_records(platform.tables, "BTCUSDT") if r.kind == "live"]
    assert record.note == (WITHOUT_IMPLIED if late else "")
    assert record.snapshot(IMPLIED).sha256


def test_M8_candles_after_the_origin_change_nothing(platform: Platform) -> None:
    future = platform.tables.read(RAW_KLINES).with_columns(
        date=pl.col("date") + dt.timedelta(days=3000), close=pl.col("close") * 7, high=pl.col("high") * 7
    )
    platform.tables.upsert(RAW_KLINES, future.filter(pl.col("date") > D))
    bars = platform.tables.read(RAW_KLINES_4H)
    later = bars.filter(pl.col("date") > D - 9 * DAY).with_columns(
        pl.col("date", "open_time").dt.offset_by("9d")
    )
    platform.tables.upsert(RAW_KLINES_4H, later.with_columns(pl.col("high") * 7))
    assert rebuild(platform.tables, platform.registry, "BTCUSDT", D, check=True).ok


def test_an_altered_4_hour_candle_shows_when_features_are_derived_again(platform: Platform) -> None:
    bar = platform.tables.read(RAW_KLINES_4H, start=D, end=D + DAY).head(1)
    platform.tables.upsert(RAW_KLINES_4H, bar.with_columns(pl.col("high") * 1.5))
    rebuilt = rebuild(platform.tables, platform.registry, "BTCUSDT", D, check=True)
    assert rebuilt.series == {CANDLES.name: True, BARS.name: False, IMPLIED.name: True}
    assert (rebuilt.features, rebuilt.rows) == (False, False)
    assert "4-hour candles known then: NOT as recorded" in "\n".join(rebuilt.lines())


def test_lost_rows_are_put_back_only_when_asked(platform: Platform) -> None:
    before = platform.stored()
    platform.tables.delete_keys(FORECASTS, before.select(FORECASTS.key).head(100))
    checked = rebuild(platform.tables, platform.registry, "BTCUSDT", D, check=True)
    assert (checked.rows, checked.stored, checked.restored) == (True, False, False)
    assert platform.stored().height == before.height - 100
    done = rebuild(platform.tables, platform.registry, "BTCUSDT", D)
    assert done.ok
    assert done.restored
    assert platform.stored().equals(before)


def test_altered_rows_and_rows_that_were_added_are_put_right(platform: Platform) -> None:
    before = platform.stored()
    altered = before.head(1).with_columns(pl.col("q500") + 1)
    added = before.head(1).with_columns(horizon=pl.lit(91, dtype=pl.Int16), target_date=D + 91 * DAY)
    platform.tables.upsert(FORECASTS, pl.concat([altered, added]))
    assert rebuild(platform.tables, platform.registry, "BTCUSDT", D).restored
    assert platform.stored().equals(before)


def test_an_altered_candle_is_told_with_how_far_the_forecast_is(platform: Platform) -> None:
    candle = platform.tables.read(RAW_KLINES, start=D - DAY, end=D)
    platform.tables.upsert(RAW_KLINES, candle.with_columns(pl.col("high", "close") * 1.02))
    rebuilt = rebuild(platform.tables, platform.registry, "BTCUSDT", D)
    assert (rebuilt.series[CANDLES.name], rebuilt.features, rebuilt.rows) == (False, False, False)
    assert rebuilt.stored, "the stored forecast is what was issued and stays"
    assert rebuilt.farthest is not None
    assert 0 < rebuilt.farthest < 0.2
    assert "NOT as recorded; up to" in "\n".join(rebuilt.lines())


def test_an_altered_model_is_not_opened(platform: Platform) -> None:
    graph = platform.registry.model_folder(platform.refs["mlp"]) / "model.onnx"
    content = bytearray(graph.read_bytes())
    content[40] ^= 1
    graph.write_bytes(bytes(content))
    with pytest.raises(BadModel, match=r"model\.onnx"):
        rebuild(platform.tables, platform.registry, "BTCUSDT", D)


def test_a_day_without_a_record_is_refused(platform: Platform) -> None:
    with pytest.raises(LedgerError, match="nothing to rebuild"):
        rebuild(platform.tables, platform.registry, "BTCUSDT", D - DAY)


@pytest.mark.faults
def test_a_refit_gives_the_same_bytes_on_the_same_machine(tmp_path: Path) -> None:
    platform = Platform(tmp_path / "store")
    candles, features = platform.tables.read(RAW_KLINES), platform.derive()
    refs = []
    for name in NETWORKS:
        folder = tmp_path / name
        small = HyperParameters(name, units=2, epochs=1, seeds=1)
        fit(name, candles, features, CUTOFF, small, folder)
        refs.append(platform.registry.publish(name, VintageId(CUTOFF), folder))
    platform.put_in_force(refs)
    platform.issue(at(D))
    platform.restate(CUTOFF - 9 * DAY, at(D, 2 * HOUR))  # The fit saw the candles as they were before,
    platform.restate(CUTOFF - 5 * DAY, at(D, 3 * HOUR), BARS)  # of a day and of 4 hours.
    rebuilt = rebuild(platform.tables, platform.registry, "BTCUSDT", D, check=True, refit=True)
    assert rebuilt.ok
    told = [(r.model, list(r.differing), r.farthest) for r in rebuilt.refits]
    assert told == [("lstm", [], 0.0), ("mlp", [], 0.0)]


def test_a_forecast_of_another_release_s_vintage_says_which_release_can_rebuild_it(tmp_path: Path) -> None:
    platform = Platform(tmp_path / "store")
    refs = []
    for name in NETWORKS:
        folder = tmp_path / name
        write_vintage(folder, name, CUTOFF, code_version=CODE_VERSION - 1)
        refs.append(platform.registry.publish(name, VintageId(CUTOFF), folder))
    platform.put_in_force(refs)
    with pytest.MonkeyPatch.context() as then:
        then.setattr("btc_assets.modeling.compatibility.CODE_VERSION", CODE_VERSION - 1)
        platform.issue(at(D))
    with pytest.raises(LedgerError, match=r"computed by lstm 2022-03-06 of release 0, which can rebuild it"):
        rebuild(platform.tables, platform.registry, "BTCUSDT", D, check=True)
