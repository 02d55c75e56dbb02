"""What tuning found is taken up where it may be, and only there."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from pathlib import Path

import polars as pl

from btc_assets.assets.hyperparameters import in_use, row
from btc_assets.contracts import HYPERPARAMETERS
from btc_assets.modeling.hyperparameters import DEFAULTS
from btc_assets.modeling.tuning import TUNING_END, Tuned
from btc_assets.modeling.vintages import VintageBook
from btc_assets.resources import Platform

OTHER = dataclasses.replace(DEFAULTS["mlp"], units=24)
TRIALS = pl.DataFrame({"number": [0, 1], "value": [0.99, 0.98], "state": ["COMPLETE", "COMPLETE"]})


def platform(folder: Path, found: Tuned) -> Platform:
    made = Platform(overrides={"data_dir": str(folder), "source": "simulated"})
    rows = pl.DataFrame([row("BTCUSDT", "mlp", found)], schema=HYPERPARAMETERS.schema, orient="row")
    made.tables.ensure_table(HYPERPARAMETERS)
    made.tables.upsert(HYPERPARAMETERS, rows)
    return made


def test_a_better_trial_is_taken_up_with_its_reason(tmp_path: Path) -> None:
    made = platform(tmp_path, Tuned(OTHER, 0.98, 0.99, TRIALS))
    assert in_use(made) == {**DEFAULTS, "mlp": OTHER}
    stored = made.tables.read(HYPERPARAMETERS).row(0, named=True)
    assert json.loads(stored["parameters"])["units"] == 24
    assert "best of 2 trials" in stored["reason"]


def test_the_default_stays_where_nothing_better_was_found(tmp_path: Path) -> None:
    made = platform(tmp_path, Tuned(OTHER, 0.99, 0.99, TRIALS))
    assert in_use(made) == dict(DEFAULTS)
    assert "nothing better" in made.tables.read(HYPERPARAMETERS)["reason"][0]


def test_without_tuning_the_defaults_are_in_use(tmp_path: Path) -> None:
    assert in_use(Platform(overrides={"data_dir": str(tmp_path), "source": "simulated"})) == DEFAULTS


def test_a_vintage_before_the_end_of_tuning_never_uses_what_tuning_saw() -> None:
    """No look-ahead: a cutoff of 2019 must not profit from a choice made on 2020."""
    from made_candles import candles

    from btc_assets.modeling.features import engineer

    klines = candles(30)
    book = VintageBook(None, klines, engineer(klines), 7, {**DEFAULTS, "mlp": OTHER})  # type: ignore[arg-type]
    assert book.chosen("mlp", TUNING_END) == DEFAULTS["mlp"]
    assert book.chosen("mlp", TUNING_END + dt.timedelta(days=1)) == OTHER
