"""More forgeries, by a second attacker who knew the first twelve: refused, or said in the verdict.

docs/ledger.md lists them by number. ``ScoredWorld`` is the honest store, ``Bundle`` its proof.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
import struct
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from forged_bundle import Bundle
from forgery import (
    added,
    append,
    check,
    clocks,
    commit,
    named,
    plant,
    proof_of,
    record_table,
    refused,
    rewrite_last,
    well,
)
from scored_world import ORIGINS, ScoredWorld

from btc_assets.contracts import (
    BASELINE_FORECASTS,
    CHANCE_SCORES,
    FORECAST_SCORES,
    FORECASTS,
    QUANTILES,
    RAW_KLINES,
    SUPERSEDED_KLINES,
)
from btc_assets.forecasters.arena import Attempt, forecasts_frame
from btc_assets.forecasters.worker_process import ForecastResult
from btc_assets.ledger.arena_issue import issue_arena
from btc_assets.ledger.chain import ADOPTED
from btc_assets.ledger.clock import Clock
from btc_assets.ledger.digest import FORECAST_COLUMNS
from btc_assets.ledger.publishing.published import Published
from btc_assets.ledger.publishing.sinks import FileSink
from btc_assets.ledger.records import ISSUE_RECORDS, records_frame
from btc_assets.ledger.verification import score_checks
from btc_assets.market.calendar import DAY, closes_at
from btc_assets.scoring.scores import score
from btc_assets.storage.delta.data_files import encode

FIRST, LAST = ORIGINS[0], ORIGINS[-1]
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def store(honest_world: ScoredWorld, tmp_path: Path) -> ScoredWorld:
    return honest_world.copy(tmp_path / "store")


@pytest.fixture
def bundle(honest_proof: Path, tmp_path: Path) -> Bundle:
    return Bundle(Path(shutil.copytree(honest_proof, tmp_path / "proof")))


def notes(world: ScoredWorld, **options: Any) -> str:
    report = check(world, **options)
    assert report.ok, report.line()
    return "\n".join([report.line(), *report.notes])


@pytest.mark.parametrize("module", ["argparse", "json", "struct"])
def test_G4_1_a_bundle_that_brings_a_module_of_the_standard_library(bundle: Bundle, module: str) -> None:
    """Python looks beside a script first, so the forger's module would run, and say what it likes."""
    (bundle.folder / f"{module}.py").write_text("print('All is well: everything'); raise SystemExit(0)\n")
    bundle.change(-1, rows=1)
    done = subprocess.run(
        [sys.executable, str(bundle.folder / "verify_proof.py")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "All is well" not in done.stdout


def test_G4_2_closes_after_the_known_head_invented_to_fit(store: ScoredWorld, tmp_path: Path) -> None:
    known, before = Bundle(proof_of(store, tmp_path)).head(), None
    before = record_table(well(Bundle(tmp_path / "proof"), known))
    said = store.tables.read(FORECASTS).filter(model="ensemble", origin_date=LAST)
    fitted = said.select(date="target_date", fitted="q500")
    candles = store.tables.read(RAW_KLINES).join(fitted, on="date", how="inner")
    candles = candles.with_columns(close="fitted", high=pl.max_horizontal("high", "fitted"))
    at = store.now + 60 * DAY
    store.store_candles(candles.select(RAW_KLINES.schema.names()), at)
    store.issue([LAST + DAY], at + MINUTE)
    told = well(Bundle(proof_of(store, tmp_path / "forged")), known)
    assert record_table(told) == before != []


def test_G4_3_the_worst_back_filled_day_replaced_after_the_known_head(
    store: ScoredWorld, bundle: Bundle, tmp_path: Path
) -> None:
    """It may not count, but that a day has dropped out of the table must be said."""
    rows = store.tables.read(FORECASTS).filter(pl.col("origin_date") == ORIGINS[1])
    append(store, lambda r: r, rows.with_columns(pl.col(QUANTILES) * 1.01))
    told = well(Bundle(proof_of(store, tmp_path / "forged")), bundle.head())
    assert f"1 forecasts that {bundle.head()} vouches for were replaced after it" in told


def test_G4_4_a_live_forecast_that_went_wrong_taken_back_by_a_restart(
    store: ScoredWorld, tmp_path: Path
) -> None:
    at = store.now - dt.timedelta(microseconds=1)
    genesis = replace(store.records()[0], origin_date=at.date(), note="restarted: a clock", **clocks(at))
    last = store.records()[-1]
    genesis = replace(genesis, seq=last.seq + 1, previous_sha256=last.sha256())
    added(store, **{f.name: getattr(genesis, f.name) for f in fields(genesis)})
    for told in (well(Bundle(proof_of(store, tmp_path))), notes(store)):
        assert "takes back 1 live forecasts" in told


def test_G4_5_a_live_forecast_by_nobody_said_to_be_older_than_the_chain(
    store: ScoredWorld, tmp_path: Path
) -> None:
    rows = store.tables.read(FORECASTS).filter(pl.col("origin_date") == LAST)
    rewrite_last(store, rows, note=ADOPTED, vintages=(), inputs={}, features_sha256="")
    named(check(store), "only what was there when the chain began may be without inputs and models")
    refused(Bundle(proof_of(store, tmp_path)), "no inputs or models")


def test_G4_6_a_live_forecast_of_nothing(store: ScoredWorld, tmp_path: Path) -> None:
    """So that a day on which nothing was said counts as one that was forecast in time."""
    origin = LAST + DAY
    at = closes_at(origin) + MINUTE
    store.issue([origin], at)
    store.tables.delete_keys(FORECASTS, store.tables.read(FORECASTS, start=origin).select(FORECASTS.key))
    last = store.records()[-1]
    nothing = hashlib.sha256(f"forecasts\n{' '.join(FORECAST_COLUMNS)}\n".encode()).hexdigest()
    store.tables.upsert(ISSUE_RECORDS, records_frame([replace(last, rows=0, rows_sha256=nothing)]))
    named(check(store), "it vouches for 0 rows")
    refused(Bundle(proof_of(store, tmp_path)), "rows")


def test_G4_7_a_day_without_a_candle_so_that_no_forecast_about_it_is_scored(
    store: ScoredWorld, tmp_path: Path
) -> None:
    day = LAST - 5 * DAY
    klines = store.tables.read(RAW_KLINES)
    store.tables.delete_keys(RAW_KLINES, klines.filter(date=day).select(RAW_KLINES.key))
    store.forget()
    store.forecast()
    for told in (well(Bundle(proof_of(store, tmp_path))), notes(store)):
        assert f"1 days have no candle, the last {day}: no forecast about them counts" in told


def test_G4_8_days_on_which_nothing_was_forecast(store: ScoredWorld, tmp_path: Path) -> None:
    for told in (well(Bundle(proof_of(store, tmp_path))), notes(store)):
        assert "no forecast of 89 of the 93 days from 2023-09-01 to 2023-12-02" in told


def test_G4_9_the_best_scores_stored_a_hundred_times(store: ScoredWorld) -> None:
    best = store.tables.read(FORECAST_SCORES).filter(model="ensemble").sort("pinball").head(1)
    plant(store, FORECAST_SCORES, pl.concat([best] * 100))
    named(check(store), "rows of forecast_scores are there more than once")


def test_G4_9_a_candle_stored_twice_with_another_close(store: ScoredWorld) -> None:
    candle = store.tables.read(RAW_KLINES).tail(1).with_columns(pl.col("close") * 1.01)
    plant(store, RAW_KLINES, candle)
    named(check(store), "are there more than once in raw_klines")


@pytest.mark.parametrize("table", [FORECASTS, RAW_KLINES, FORECAST_SCORES, CHANCE_SCORES])
def test_G4_10_rows_in_a_file_whose_name_says_other_days(store: ScoredWorld, table: Any) -> None:
    """Who reads a window leaves such a file out, who reads all does not."""
    rows = store.tables.read(table).head(3)
    plant(store, table, rows, name_days="2050-01-01_2050-01-02")
    named(check(store), "holds other days than its name says")
    named(check(store), table.name)


def test_G4_10_statistics_that_hide_rows_from_who_asks_for_their_days(store: ScoredWorld) -> None:
    """A reader may leave out what statistics say is not there: the verifier would, another would not."""
    rows = store.tables.read(FORECAST_SCORES).filter(model="ensemble").head(1)
    (file, content), *_ = encode(FORECAST_SCORES, rows.with_columns(model=pl.lit("oracle")))
    size = int.from_bytes(content[-8:-4], "little") + 8
    day = (file.first - dt.date(1970, 1, 1)).days
    footer = content[-size:]
    assert struct.pack("<i", day) in footer
    false = content[:-size] + footer.replace(struct.pack("<i", day), struct.pack("<i", day + 9999))
    sha = hashlib.sha256(false).hexdigest()
    commit(store, FORECAST_SCORES, file.name.replace(file.sha256, sha), false)
    named(check(store), "there is no forecast that it could be of")


def test_G4_11_the_days_on_which_a_baseline_was_better_removed(store: ScoredWorld) -> None:
    for table in (BASELINE_FORECASTS, FORECAST_SCORES):
        gone = store.tables.read(table).filter(model="mixture_walk", origin_date=ORIGINS[1])
        assert gone.height
        store.tables.delete_keys(table, gone.select(table.key))
    named(check(store), "90 rows of baseline_forecasts are not there")


def test_G4_11_all_baselines_of_a_day_removed(store: ScoredWorld) -> None:
    baselines = pl.col("model").is_in(["last_close", "random_walk", "mixture_walk"])
    for table in (BASELINE_FORECASTS, FORECAST_SCORES):
        gone = store.tables.read(table).filter(baselines, origin_date=ORIGINS[1])
        assert gone.height
        store.tables.delete_keys(table, gone.select(table.key))
    assert "(270 more are due and not there)" in notes(store)


def test_G4_12_scores_from_closes_that_are_said_to_have_been_restated_since(store: ScoredWorld) -> None:
    """An invented earlier version of a candle, replaced a microsecond later: no record read it."""
    said = store.tables.read(FORECASTS).filter(model="ensemble", horizon=1, origin_date=FIRST)
    fitted = said.select(date="target_date", fitted="q500")
    klines = store.tables.read(RAW_KLINES)
    invented = klines.join(fitted, on="date", how="inner").with_columns(close="fitted")
    before = pl.col("ingested_at") - pl.duration(microseconds=1)
    old = invented.with_columns(superseded_at="ingested_at", ingested_at=before)
    store.tables.upsert(SUPERSEDED_KLINES, old.select(SUPERSEDED_KLINES.schema.names()))
    false = klines.update(invented.select("date", "close"), on="date")
    forecasts = store.tables.read(FORECASTS).filter(horizon=1, origin_date=FIRST)
    store.tables.upsert(FORECAST_SCORES, score(forecasts, false, store.hours))
    named(check(store), "rows of forecast_scores do not follow")


def test_G4_13_touches_whose_chance_is_no_number(store: ScoredWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comparison with what is no number is true, so that any score would follow from it."""
    monkeypatch.setattr(score_checks, "DRAWN", 0)
    rows = store.tables.read(CHANCE_SCORES).filter(pl.col("kind") == "touch")
    perfect = rows.with_columns(chance=float("nan"), brier=0.0, log_score=0.0)
    store.tables.upsert(CHANCE_SCORES, perfect)
    named(check(store), f"{rows.height:,} rows of chance_scores do not follow")


@pytest.mark.parametrize(
    "text",
    ['{"live_hours":24,"live_hours":6}', '{"live_hours": 6}', '{"live_hours":6,"x":NaN}', "[" * 100_000],
)
def test_G4_14_settings_that_two_readers_read_otherwise(store: ScoredWorld, text: str) -> None:
    last = store.tables.read(ISSUE_RECORDS).tail(1)
    store.tables.upsert(ISSUE_RECORDS, last.with_columns(settings=pl.lit(text)))
    named(check(store), "settings cannot be read")


def test_G4_14_a_number_that_is_none_in_the_settings_of_a_bundle(bundle: Bundle) -> None:
    bundle.change(-1, settings={"live_hours": 6, "x": float("nan")})
    refused(bundle, "not JSON compliant")


def test_G4_15_live_within_a_whole_day_in_every_record(store: ScoredWorld) -> None:
    store.forget()
    store.forecast(hours=24)
    assert "live is within 24 hours after the close" in notes(store)


def test_G4_16_one_published_head_a_thousand_times(store: ScoredWorld, tmp_path: Path) -> None:
    last = store.records()[-1]
    line = {"symbol": "BTCUSDT", "seq": last.seq, "record_sha256": last.sha256()}
    path = tmp_path / "heads.jsonl"
    text = json.dumps(line | {"published_at": "2023-12-03T00:06:00+00:00"}) + "\n"
    path.write_text(text * 1000)
    assert "1 published head agrees" in notes(store, sink=FileSink(path))


@pytest.mark.parametrize(
    "at", ["2023-12-03T00:06:00", "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59-14:00"]
)
def test_G4_17_a_published_head_of_a_time_that_there_is_not(
    store: ScoredWorld, tmp_path: Path, at: str
) -> None:
    last = store.records()[-1]
    line = {"symbol": "BTCUSDT", "seq": last.seq, "record_sha256": last.sha256(), "published_at": at}
    path = tmp_path / "heads.jsonl"
    path.write_text(json.dumps(line) + "\n")
    named(check(store, sink=FileSink(path)), "heads.jsonl, line 1 is no published head")


SPOOF = "model\x1b[2K\x1b[1AAll is well: 9 records"


def test_G4_18_a_file_name_that_wipes_the_verdict_off_the_screen(bundle: Bundle) -> None:
    folder = bundle.folder / "models" / "mlp" / bundle.records()[-1]["vintages"][0]["vintage"]
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / SPOOF).write_text("x")
    (folder / "manifest.json").write_text(json.dumps(manifest | {"files": {SPOOF: "0" * 64}}))
    sha = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    records = bundle.records()
    for record in records:
        for entry in record["vintages"]:
            if entry["model"] == "mlp":
                entry["manifest_sha256"] = sha
    bundle.write_records(records)
    done = bundle.verified()
    assert done.returncode == 1
    assert "\x1b" not in done.stderr + done.stdout


def test_G4_18_a_model_name_that_wipes_the_verdict_off_the_screen(store: ScoredWorld) -> None:
    rows = store.tables.read(FORECAST_SCORES).head(1).with_columns(model=pl.lit(SPOOF))
    store.tables.upsert(FORECAST_SCORES, rows)
    report = check(store)
    named(report, "there is no forecast that it could be of")
    assert "\x1b" not in report.line()


def test_G4_19_files_that_break_off_are_named_without_a_traceback(bundle: Bundle) -> None:
    path = bundle.folder / "forecasts.csv.gz"
    content = path.read_bytes()
    path.write_bytes(content[:100] + bytes(100) + content[200:])
    refused(bundle, "")
    path.write_bytes(content)
    records = bundle.records()
    bundle.write_records(records)
    lines = (bundle.folder / "records.jsonl").read_text()
    deep = lines.replace('"settings":{', '"settings":{"a":' + "[" * 200_000 + "]" * 200_000 + ",")
    (bundle.folder / "records.jsonl").write_text(deep)
    refused(bundle, "")


def test_G4_20_the_best_of_many_chains(store: ScoredWorld, bundle: Bundle) -> None:
    """A hundred chains can all be in blocks, and the best be shown: no proof of one tells of the others."""
    for told in (well(bundle, bundle.head()), notes(store)):
        assert "whether the operator keeps other chains" in told


def test_G4_21_a_part_of_the_chain_called_well_as_a_whole(store: ScoredWorld) -> None:
    told = notes(store, start=LAST, end=LAST + DAY)
    assert "All is well in a PART, 3 more origins are recorded: " in told


def test_G4_22_candles_that_were_stored_before_their_day_was_over(store: ScoredWorld, tmp_path: Path) -> None:
    klines = store.tables.read(RAW_KLINES)
    early = klines.filter(date=LAST - 9 * DAY).with_columns(ingested_at=pl.col("ingested_at") - DAY)
    store.tables.upsert(RAW_KLINES, early)
    named(check(store), "was stored before its day was over")
    refused(Bundle(proof_of(store, tmp_path)), "before its day was over")


def test_G4_23_live_by_nobodys_clock_but_the_operators(store: ScoredWorld) -> None:
    assert "when live forecasts (2) were issued is the operator's own word" in notes(store)


def test_G4_25_touches_altered_where_the_head_does_not_draw(
    store: ScoredWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who alters scores has the head in hand: what is drawn must not follow from it, nor be drawn twice."""
    monkeypatch.setattr(score_checks, "DRAWN", 1)
    rows = store.tables.read(CHANCE_SCORES).filter((pl.col("kind") == "touch") & ~pl.col("happened"))
    for origin in ORIGINS:
        world = store.copy(store.root.with_name(f"all but {origin}"))
        lower = rows.filter(pl.col("origin_date") != origin).with_columns(
            chance=pl.max_horizontal(pl.col("chance") * 0.8, pl.col("twice_beyond") / 2)
        )
        fit = lower.with_columns(brier=pl.col("chance") ** 2, log_score=-(1 - pl.col("chance")).log())
        world.tables.upsert(CHANCE_SCORES, fit)
        assert not all(check(world).ok for _ in range(30))


class PublishedHeads:
    """A sink that holds what a test says."""

    location = "elsewhere"

    def __init__(self, *heads: Published) -> None:
        self.heads = list(heads)

    def publish(self, head: object) -> None:
        raise NotImplementedError

    def published(self, symbol: str) -> list[Published]:
        return [head for head in self.heads if head.symbol == symbol]


def test_G4_24_a_head_in_a_block_of_before_it_was_issued(store: ScoredWorld) -> None:
    last = store.records()[-1]
    at = last.issued_at - DAY
    head = Published("BTCUSDT", last.seq, last.sha256(), at, dated_by="block 820,000", margin=2 * 60 * MINUTE)
    named(check(store, sink=PublishedHeads(head)), "block 820,000 of 2023-12-02 00:05:00 holds its hash")


def test_G4_26_restated_closes_in_a_bundle_that_takes_both_for_rows_of_their_own(
    store: ScoredWorld, tmp_path: Path
) -> None:
    """bundle.json says what tells rows apart: by the close, too, no close would be a restated one."""
    bundle = Bundle(proof_of(store, tmp_path))
    series = json.loads((bundle.folder / "bundle.json").read_text())["series"]
    series["raw_klines"]["order"] = ["date", "close"]
    bundle.said(series=series)
    refused(bundle, "bundle.json: the name or order of a series")


def test_G4_27_records_that_vouch_for_the_days_ahead_that_went_well(
    store: ScoredWorld, tmp_path: Path
) -> None:
    rows = store.tables.read(FORECASTS).filter(pl.col("origin_date") == LAST)
    worst = rows.filter(model="mlp", horizon=7)
    rewrite_last(store, rows.join(worst, on=["model", "horizon"], how="anti"))
    for table in (FORECASTS, FORECAST_SCORES, CHANCE_SCORES):
        gone = store.tables.read(table).filter(model="mlp", horizon=7, origin_date=LAST)
        store.tables.delete_keys(table, gone.select(table.key))
    for told in (well(Bundle(proof_of(store, tmp_path))), notes(store)):
        assert "1 of 4 forecasts have fewer rows than the 270 that others have" in told


def test_G4_28_a_head_of_the_arena_in_a_block_of_before_it_was_issued(store: ScoredWorld) -> None:
    result = ForecastResult("ok", "", np.full((90, 21), 1000.0))
    rows = forecasts_frame("BTCUSDT", [Attempt("flat", "1", LAST, result)])
    series = {"raw_klines": store.tables.read(RAW_KLINES)}
    at = closes_at(LAST) + MINUTE
    head = issue_arena(store.tables, rows, series, Clock(at, at), 6).head
    assert head
    block = Published(
        head.symbol, 0, head.record_sha256, at - DAY, dated_by="block 820,000", margin=2 * 60 * MINUTE
    )
    named(check(store, sink=PublishedHeads(block)), "block 820,000 of 2023-12-02 00:01:00 holds its hash")
