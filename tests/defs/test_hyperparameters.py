"""What tuning found is taken up where it may be, and only there."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from graph_environment import GraphEnvironment

from btc_assets.cli import tune as command
from btc_assets.contracts import HYPERPARAMETERS
from btc_assets.defs.assets import hyperparameters
from btc_assets.defs.assets.hyperparameters import table_row, tuned_hyperparameters
from btc_assets.defs.resources import Platform
from btc_assets.modeling.hyperparameters import DEFAULTS
from btc_assets.modeling.tuning import TUNING_END, Tuned
from btc_assets.modeling.vintages import VintageBook
from btc_assets.modeling.worker_processes import cores
from btc_assets.supervision.process_identity import this_process
from btc_assets.vocabulary import WORKER_TAG

OTHER = dataclasses.replace(DEFAULTS["mlp"], units=24)
TRIALS = pl.DataFrame({"number": [0, 1], "value": [0.99, 0.98], "state": ["COMPLETE", "COMPLETE"]})


def platform(folder: Path, found: Tuned) -> Platform:
    made = Platform(overrides={"data_dir": str(folder), "source": "simulated"})
    rows = pl.DataFrame([table_row("BTCUSDT", "mlp", found)], schema=HYPERPARAMETERS.schema, orient="row")
    made.tables.ensure_table(HYPERPARAMETERS)
    made.tables.upsert(HYPERPARAMETERS, rows)
    return made


def test_a_better_trial_is_taken_up_with_its_reason(tmp_path: Path) -> None:
    made = platform(tmp_path, Tuned(OTHER, 0.98, 0.99, 4, 4, TRIALS))
    assert tuned_hyperparameters(made) == {**DEFAULTS, "mlp": OTHER}
    stored = made.tables.read(HYPERPARAMETERS).row(0, named=True)
    assert json.loads(stored["parameters"])["units"] == 24
    assert "best of 2 trials" in stored["reason"]


@pytest.mark.parametrize(("value", "won"), [(0.99, 0), (0.98, 3)])
def test_the_default_stays_unless_it_is_beaten_on_every_fold(tmp_path: Path, value: float, won: int) -> None:
    made = platform(tmp_path, Tuned(OTHER, value, 0.99, won, 4, TRIALS))
    assert tuned_hyperparameters(made) == dict(DEFAULTS)
    reason = made.tables.read(HYPERPARAMETERS)["reason"][0]
    assert reason.startswith("the default stays")
    assert f"better on {won} of 4 folds" in reason


def test_without_tuning_the_defaults_are_in_use(tmp_path: Path) -> None:
    assert (
        tuned_hyperparameters(Platform(overrides={"data_dir": str(tmp_path), "source": "simulated"}))
        == DEFAULTS
    )


def test_a_vintage_before_the_end_of_tuning_never_uses_what_tuning_saw() -> None:
    """No look-ahead: a cutoff of 2019 must not profit from a choice made on 2020."""
    from synthetic_candles import candles, features_of

    klines = candles(30)
    book = VintageBook(None, klines, features_of(klines), 7, {**DEFAULTS, "mlp": OTHER})  # type: ignore[arg-type]
    assert book.chosen("mlp", TUNING_END) == DEFAULTS["mlp"]
    assert book.chosen("mlp", TUNING_END + dt.timedelta(days=1)) == OTHER


def searching(kind: str, _klines: Any, _features: Any, _journal: Path, trials: int, **more: Any) -> Tuned:
    """Stands for a search of two trials."""
    assert trials == 2
    assert more["workers"] == cores()
    more["on_trial"](0, 0.99)
    more["on_trial"](1, 0.98)
    return Tuned(dataclasses.replace(DEFAULTS[kind], units=24), 0.98, 0.99, 4, 4, TRIALS)


def killed_while_it_fitted(instance: dg.DagsterInstance) -> None:
    """A run of ``tuning`` whose process is gone and that still holds the only slot of the pool."""
    from btc_assets.definitions import defs

    dead = this_process().rpartition(":")[0] + ":1"
    run = instance.create_run_for_job(
        defs.resolve_job_def("tuning"), tags={WORKER_TAG: dead}, status=dg.DagsterRunStatus.STARTED
    )
    storage = instance.event_log_storage
    storage.initialize_concurrency_limit_to_default("fit")
    assert storage.claim_concurrency_slot("fit", run.run_id, HYPERPARAMETERS.name).is_claimed


def test_M6_a_search_goes_on_after_a_kill_tells_each_trial_and_is_kept(
    graph: GraphEnvironment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    killed_while_it_fitted(graph.instance)
    monkeypatch.setattr(hyperparameters, "tune", searching)
    command.tune(trials=2)
    said = capsys.readouterr().out
    assert "lstm, trial 1: loss 0.98000 of the anchor's" in said
    assert "mlp: best of 2 trials" in said
    found = graph.table(HYPERPARAMETERS)
    assert found["model"].to_list() == ["lstm", "mlp"]
    assert all(json.loads(parameters)["units"] == 24 for parameters in found["parameters"])
