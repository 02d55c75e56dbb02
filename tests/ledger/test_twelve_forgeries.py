"""Twelve forgeries by someone who holds the store and knows this code: refused, or said in the verdict.

docs/ledger.md lists them. ``ScoredWorld`` is the honest store, ``Bundle`` its proof in the forger's hands.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from forged_bundle import Bundle
from forgery import (
    append,
    check,
    counts,
    further,
    named,
    proof_of,
    record_table,
    refused,
    rewrite_last,
    well,
)
from scored_world import LIVE_HOURS, ORIGINS, ScoredWorld

from btc_assets.contracts import (
    BASELINE_FORECASTS,
    CHANCE_SCORES,
    FORECAST_SCORES,
    FORECASTS,
    QUANTILES,
    RAW_KLINES,
)
from btc_assets.ledger.records import ISSUE_RECORDS, records_frame
from btc_assets.market.calendar import DAY, closes_at
from btc_assets.scoring.scores import score

FIRST, LAST = ORIGINS[0], ORIGINS[-1]
WEEK = (pl.col("origin_date") == FIRST) & (pl.col("horizon") == 7)


@pytest.fixture
def store(honest_world: ScoredWorld, tmp_path: Path) -> ScoredWorld:
    return honest_world.copy(tmp_path / "store")


@pytest.fixture
def bundle(honest_proof: Path, tmp_path: Path) -> Bundle:
    return Bundle(Path(shutil.copytree(honest_proof, tmp_path / "proof")))


def test_the_honest_store_and_its_proof_are_well(store: ScoredWorld, bundle: Bundle) -> None:
    assert check(store).ok, check(store).line()
    assert "All is well: " in well(bundle, bundle.head())


def test_G2_1_closes_restated_to_fit_and_vouched_for_by_a_later_record(
    store: ScoredWorld, bundle: Bundle, tmp_path: Path
) -> None:
    """Every known close becomes what the ensemble said; a further record reads the candles so restated."""
    known, before = bundle.head(), record_table(well(bundle, bundle.head()))
    said = store.tables.read(FORECASTS).filter(model="ensemble", horizon=1)
    fitted = said.select(date="target_date", fitted="q500")
    candles = store.tables.read(RAW_KLINES).join(fitted, on="date", how="inner")
    candles = candles.with_columns(close="fitted", high=pl.max_horizontal("high", "fitted"))
    at = store.now + 60 * DAY
    store.store_candles(candles.select(RAW_KLINES.schema.names()), at)
    store.issue([LAST + DAY], at + dt.timedelta(minutes=1))
    forged = Bundle(proof_of(store, tmp_path / "forged"))
    told = well(forged, known)
    assert further(record_table(told)) == further(before) != []
    assert "closes were restated after a day was stored; compare with the exchange" in told
    assert "closes of candles were restated after they had been stored" in "\n".join(check(store).notes)


def test_G2_2_back_filled_forecasts_replaced_by_perfect_ones_after_the_known_head(
    store: ScoredWorld, bundle: Bundle, tmp_path: Path
) -> None:
    known, before = bundle.head(), counts(well(bundle, bundle.head()))
    close = dict(store.tables.read(RAW_KLINES).select("date", "close").iter_rows())
    rows = store.tables.read(FORECASTS).filter(pl.col("origin_date") == ORIGINS[1])
    perfect = pl.Series([close.get(day, 1.0) for day in rows["target_date"]])
    append(
        store,
        lambda r: replace(r, kind="back-filled"),
        rows.with_columns(**dict.fromkeys(QUANTILES, perfect)),
    )
    forged = Bundle(proof_of(store, tmp_path / "forged"))
    told = well(forged, known)
    assert counts(told) == {key: n - 1 for key, n in before.items() if key[1] == "all"} | {
        key: n for key, n in before.items() if key[1] == "live"
    }


def test_G2_3_a_forecast_that_is_scored_against_another_day(store: ScoredWorld, tmp_path: Path) -> None:
    rows = store.tables.read(FORECASTS).filter(pl.col("origin_date") == LAST)
    rewrite_last(store, rows.with_columns(target_date=pl.col("target_date") - 30 * DAY))
    named(check(store), "can be no forecast")
    refused(Bundle(proof_of(store, tmp_path)), "a row that contradicts it")


@pytest.mark.parametrize("change", [{"q975": 1e999}, {"q025": pl.col("q975") * 2}, {"q025": -1.0}])
def test_G2_4_quantiles_that_no_price_can_miss(
    store: ScoredWorld, tmp_path: Path, change: dict[str, Any]
) -> None:
    rows = store.tables.read(FORECASTS).filter(pl.col("origin_date") == LAST)
    rewrite_last(store, rows.with_columns(**change))
    named(check(store), "can be no forecast")
    refused(Bundle(proof_of(store, tmp_path)), "")


def test_G2_5_scores_of_days_from_which_nobody_forecast(store: ScoredWorld) -> None:
    rows = store.tables.read(FORECAST_SCORES).filter(WEEK & (pl.col("model") == "mlp"))
    early = rows.with_columns(pl.col("origin_date", "target_date") - 40 * DAY, pinball=0.0)
    store.tables.upsert(FORECAST_SCORES, early)
    named(check(store), "there is no forecast that it could be of")


def test_G2_6_the_worst_day_of_a_model_is_removed_from_the_scores(store: ScoredWorld) -> None:
    gone = store.tables.read(FORECAST_SCORES).filter(WEEK & (pl.col("model") == "ensemble"))
    store.tables.delete_keys(FORECAST_SCORES, gone.select(FORECAST_SCORES.key))
    named(check(store), "1 rows of forecast_scores are not there, though those around them are")


def test_G2_7_a_note_that_draws_a_verdict_of_its_own(store: ScoredWorld, tmp_path: Path) -> None:
    """A restart's note is the operator's; what it holds may not move the cursor or begin a line."""
    record = replace(
        store.records()[0], **dict.fromkeys(("issued_at", "local_clock", "source_clock"), closes_at(FIRST))
    )
    note = "restarted: x\u2028All is well: everything\u202e\x9b2J"
    last = store.records()[-1]
    record = replace(record, origin_date=closes_at(FIRST).date(), note=note)
    record = replace(record, seq=last.seq + 1, previous_sha256=last.sha256())
    store.tables.insert(ISSUE_RECORDS, records_frame([record]))
    told = well(Bundle(proof_of(store, tmp_path)))
    shown = "\n".join(check(store).notes)
    for character in "\u2028\u202e\x9b":
        assert character not in told
        assert character not in shown


@pytest.mark.parametrize("name", ["../proof/raw_klines", "raw_klines\x1b[2J", "raw_klines/../raw_klines"])
def test_G2_8_a_bundle_that_names_a_table_elsewhere(bundle: Bundle, name: str) -> None:
    said = json.loads((bundle.folder / "bundle.json").read_text())["series"]
    bundle.said(series={(name if key == "raw_klines" else key): value for key, value in said.items()})
    done = bundle.verified()
    assert done.returncode == 1
    assert "the name or order of a series" in done.stderr
    assert "\x1b" not in done.stderr


def test_G2_9_a_forecast_of_the_evening_made_live_by_longer_hours(store: ScoredWorld, tmp_path: Path) -> None:
    at = closes_at(LAST) + dt.timedelta(hours=20)
    rows = store.tables.read(FORECASTS).filter(pl.col("origin_date") == LAST)
    stamped = rows.with_columns(issued_at=pl.lit(at, FORECASTS.schema["issued_at"]))
    clocks = dict.fromkeys(("issued_at", "local_clock", "source_clock"), at)
    rewrite_last(store, stamped, settings={"live_hours": 24}, **clocks)
    told = well(Bundle(proof_of(store, tmp_path)))
    assert "Live is within 24 hours after the close" in told
    notes = "\n".join(check(store).notes)
    assert f"what is live differs: within {LIVE_HOURS}, 24 hours" in notes


def test_G2_10_the_proof_of_another_head_put_under_a_heads_name(bundle: Bundle) -> None:
    head = {"symbol": "BTCUSDT", "seq": 4, "record_sha256": bundle.head(), "proof": "ots"}
    line = json.dumps(head | {"published_at": "2023-12-02T00:06:00+00:00", "dated_by": "block 1"})
    (bundle.folder / "heads.jsonl").write_text(f"{line}\n")
    magic = bytes.fromhex("004f70656e54696d657374616d7073000050726f6f6600bf89e2e884e8929401") + b"\x08"
    leaf = bytes.fromhex("000588960d73d7190103") + b"\xb9\xd7\x37"
    path = bundle.folder / "heads" / f"{4:09d}-{bundle.head()}.ots"
    path.write_bytes(magic + bytes(32) + leaf)
    refused(bundle, "the proof of record 4 does not hold")
    path.write_bytes(magic + bytes.fromhex(bundle.head()) + leaf)
    told = well(bundle)
    assert "Proofs of time not checked: 1" in told, "without headers nothing dates it, and it is said"
    assert "In a Bitcoin block before their first target closed: 0 of" in told


def test_G2_11_the_four_best_days(bundle: Bundle) -> None:
    header, *rows = bundle.table("forecasts")
    at = header.index("origin_date")
    bundle.write_table("forecasts", [header, *(r for r in rows if r[at] != str(ORIGINS[1]))])
    refused(bundle, f"origin {ORIGINS[1]}: its 0 rows are not those it says")
    bundle.said(**{"from": str(LAST), "to": str(LAST + DAY)})
    bundle.write_table("forecasts", [header, *(r for r in rows if r[at] == str(LAST))])
    assert "All is well in a PART, 3 more origins are recorded: " in well(bundle)


def test_G2_12_a_baseline_made_worse_with_scores_that_fit_it(store: ScoredWorld) -> None:
    """So that the models look better beside it; no single table contradicts itself."""
    walk = store.tables.read(BASELINE_FORECASTS).filter(model="mixture_walk")
    centre = pl.col("q500")
    wider = walk.with_columns(*((pl.col(q) / centre) ** 3 * centre for q in QUANTILES))
    store.tables.upsert(BASELINE_FORECASTS, wider)
    store.tables.upsert(FORECAST_SCORES, score(wider, store.tables.read(RAW_KLINES), store.hours))
    named(check(store), f"{walk.height:,} rows of baseline_forecasts do not follow")


def test_G2_13_touches_said_to_be_rarer_where_none_happened(store: ScoredWorld) -> None:
    rows = store.tables.read(CHANCE_SCORES).filter((pl.col("kind") == "touch") & ~pl.col("happened"))
    lower = rows.with_columns(chance=pl.max_horizontal(pl.col("chance") * 0.8, pl.col("twice_beyond") / 2))
    fit = lower.with_columns(brier=pl.col("chance") ** 2, log_score=-(1 - pl.col("chance")).log())
    store.tables.upsert(CHANCE_SCORES, fit)
    named(check(store), "rows of chance_scores do not follow")
