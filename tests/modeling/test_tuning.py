from __future__ import annotations

import dataclasses
import datetime as dt
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import optuna
import polars as pl
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from synthetic_candles import TINY, altered_after, candles, features_of, tiny_space

from btc_assets.modeling import tuning
from btc_assets.modeling.anchor import Anchors
from btc_assets.modeling.history import history
from btc_assets.modeling.hyperparameters import HyperParameters
from btc_assets.modeling.samples import usable
from btc_assets.modeling.tuning import TUNING_END, evaluate, tune
from btc_assets.modeling.worker_processes import helped

FOLD = (dt.date(2020, 10, 1),)


@pytest.fixture(scope="module")
def market() -> tuple[pl.DataFrame, pl.DataFrame]:
    klines = candles(1300)
    return klines, features_of(klines)


def test_M6_a_study_goes_on_with_what_was_complete_when_it_was_killed(
    market: tuple[pl.DataFrame, pl.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = tmp_path / "study" / "mlp.journal"
    values = iter([[0.99, 0.99], [0.985, 0.975]])

    def killed_on_the_third(*_: Any) -> list[float]:
        try:
            return next(values)
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr(tuning, "evaluate", killed_on_the_third)
    with pytest.raises(KeyboardInterrupt):
        tune("mlp", *market, journal, 4)
    told: list[int] = []
    monkeypatch.setattr(tuning, "evaluate", lambda *_: [0.995, 0.945])
    tuned = tune("mlp", *market, journal, 4, on_trial=lambda number, _: told.append(number))
    assert len(told) == 2
    done = tuned.trials.filter(pl.col("state") == "COMPLETE")
    assert sorted(done["value"].to_list()) == pytest.approx([0.97, 0.97, 0.98, 0.99])
    assert tuned.value == pytest.approx(0.97)
    assert tuned.default_value == 0.99
    assert "best of 4 trials" in tuned.reason
    assert (tuned.won, tuned.folds, tuned.taken_up) == (1, 2, False)
    assert tune("mlp", *market, journal, 4).trials.equals(tuned.trials)


KILLED = """
import os, signal, sys
from pathlib import Path
from synthetic_candles import candles, features_of
from btc_assets.modeling import tuning
values = [[0.99, 0.99], [0.985, 0.975]]
def evaluate(*_):
    if not values:
        os.kill(os.getpid(), signal.SIGKILL)
    return values.pop(0)
tuning.evaluate = evaluate
klines = candles(1300)
tuning.tune("mlp", klines, features_of(klines), Path(sys.argv[1]), 4)
"""


def test_M6_a_process_that_is_killed_in_a_trial_leaves_a_study_to_go_on_with(
    market: tuple[pl.DataFrame, pl.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = tmp_path / "mlp.journal"
    support = str(Path(__file__).parents[1] / "support")
    command = [sys.executable, "-c", KILLED, str(journal)]
    killed = subprocess.run(command, env=os.environ | {"PYTHONPATH": support}, capture_output=True, text=True)
    assert killed.returncode == -9, killed.stderr
    monkeypatch.setattr(tuning, "evaluate", lambda *_: [0.97, 0.97])
    tuned = tune("mlp", *market, journal, 4)
    done = tuned.trials.filter(pl.col("state") == "COMPLETE")
    assert sorted(done["value"].to_list()) == pytest.approx([0.97, 0.97, 0.98, 0.99])


@pytest.mark.faults
def test_several_processes_of_one_machine_share_a_study(
    market: tuple[pl.DataFrame, pl.DataFrame], tmp_path: Path
) -> None:
    journal = tmp_path / "mlp.journal"

    def processes() -> set[int]:
        study = optuna.load_study(study_name="mlp", storage=JournalStorage(JournalFileBackend(str(journal))))
        complete = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
        return {trial.user_attrs[tuning.PROCESS] for trial in complete}

    def until_the_other_has_tried_one_too(*_: object) -> None:
        deadline = time.monotonic() + 120
        while len(processes()) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)

    tuned = tune(
        "mlp", *market, journal, 3, folds=FOLD, suggest=tiny_space,
        on_trial=until_the_other_has_tried_one_too, workers=2,
    )  # fmt: skip
    assert len(processes()) == 2
    assert os.getpid() in processes()
    assert tuned.trials.filter(pl.col("state") == "COMPLETE").height in (3, 4), "at most one more a helper"


def test_M6_the_default_is_tried_again_if_the_process_that_tried_it_was_killed(
    market: tuple[pl.DataFrame, pl.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> list[float]:
        raise KeyboardInterrupt

    monkeypatch.setattr(tuning, "evaluate", killed)
    with pytest.raises(KeyboardInterrupt):
        tune("mlp", *market, tmp_path / "mlp.journal", 2)
    monkeypatch.setattr(tuning, "evaluate", lambda *_: [0.98])
    tuned = tune("mlp", *market, tmp_path / "mlp.journal", 2)
    assert tuned.default_value == 0.98
    assert "nan" not in tuned.reason


def doing(task: Any, worker: int, go_on: Any) -> None:
    """Says that it worked; fails, or looks whether its parent lives, as the task says."""
    (Path(task["folder"]) / str(worker)).touch()
    if task["fail"]:
        raise ValueError("as told")
    while True:
        go_on()
        time.sleep(0.05)


def test_a_helper_that_fails_is_logged_and_fails_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with helped(doing, {"folder": str(tmp_path), "fail": True}, 2):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2"]
    assert caplog.text.count("a helping process ended with 1") == 2


ORPHANED = """
import os, signal, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_tuning import doing
from btc_assets.modeling.worker_processes import helped
if __name__ == "__main__":
    folder = Path(sys.argv[1])
    with helped(doing, {"folder": str(folder), "fail": False}, 1):
        while not (folder / "1").exists():
            time.sleep(0.05)
        import multiprocessing
        (folder / "pid").write_text(str(multiprocessing.active_children()[0].pid))
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_M6_helpers_end_when_the_process_that_asked_for_them_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "orphaned.py"
    script.write_text(ORPHANED)
    here = Path(__file__).parent
    environment = os.environ | {"PYTHONPATH": f"{here}:{here.parent / 'support'}"}
    done = subprocess.run([sys.executable, str(script), str(tmp_path), str(here)], env=environment)
    assert done.returncode == -9
    helper = Path(f"/proc/{(tmp_path / 'pid').read_text()}")
    deadline = time.monotonic() + 30
    while _alive(helper) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(helper)


def _alive(process: Path) -> bool:
    try:
        return "\nState:\tZ" not in (process / "status").read_text()
    except OSError:
        return False


def test_a_study_that_goes_on_does_not_try_the_same_again(
    market: tuple[pl.DataFrame, pl.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "evaluate", lambda *_: [1.0])
    for trials in range(1, 7):  # each time as after a kill
        tuned = tune("mlp", *market, tmp_path / "mlp.journal", trials)
    assert tuned.trials["learning_rate"].n_unique() == 6


def test_the_first_trial_is_the_default(
    market: tuple[pl.DataFrame, pl.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[HyperParameters] = []

    def remember(_anchors: Any, _features: Any, hyperparameters: HyperParameters, _folds: Any) -> list[float]:
        seen.append(hyperparameters)
        return [1.0]

    monkeypatch.setattr(tuning, "evaluate", remember)
    tune("lstm", *market, tmp_path / "lstm.journal", 3)
    assert seen[0] == tuning.DEFAULTS["lstm"]
    assert all(hp.kind == "lstm" for hp in seen)


def test_M8_no_candle_after_the_tuning_slice_enters_a_trial(
    market: tuple[pl.DataFrame, pl.DataFrame], tmp_path: Path
) -> None:
    klines, features = market
    assert klines["date"].max() > TUNING_END  # type: ignore[operator]
    altered = altered_after(klines, TUNING_END)
    found = [
        tune("mlp", k, f, tmp_path / f"{name}.journal", 1, folds=FOLD, suggest=tiny_space)
        for name, k, f in (("real", klines, features), ("altered", altered, features_of(altered)))
    ]
    assert found[0].value == found[1].value
    assert 0.5 < found[0].value < 2


def test_a_trial_is_scored_out_of_sample_on_the_days_after_each_cutoff(
    market: tuple[pl.DataFrame, pl.DataFrame],
) -> None:
    klines, features = (t.filter(pl.col("date") <= TUNING_END) for t in market)
    anchors = Anchors(history(klines, features=features))
    h = anchors.history
    places = range(h.index(FOLD[0]), h.index(TUNING_END))
    ahead = usable(anchors, features, places, len(h) - 1, TINY["lstm"].window, "lstm")
    assert (ahead.origins[0], ahead.origins[-1]) == (FOLD[0], TUNING_END - dt.timedelta(days=1))
    assert ahead.weights[-1].tolist() == [1.0] + [0.0] * 12
    untrained = dataclasses.replace(TINY["mlp"], epochs=1, learning_rate=1e-12)
    assert evaluate(anchors, features, untrained, FOLD) == pytest.approx([1.0], abs=1e-6)
