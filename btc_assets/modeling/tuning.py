"""Search hyper-parameters by walk-forward folds on history before 2021, in a study that survives a kill.

Nothing from 2021 on enters a choice: not a target, not a feature, not an anchor. Each trial fits at every
fold's cutoff and is scored on the origins up to the next cutoff, out of sample; its value is the mean loss
over the trained horizons up to 30 days, relative to the anchor's (below 1: better than the anchor).

The best of many trials is partly the luckiest, so it is taken up only if it beats the default on every
fold. On the real candles the LSTM that won the study (0.30 % better than the default, by two folds of four)
was 0.5 % worse than the default on the two years that followed.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from btc_assets.errors import FitFailed, NotEnoughHistory
from btc_assets.modeling.anchor import TRAINED_HORIZONS, Anchors
from btc_assets.modeling.history import history
from btc_assets.modeling.hyperparameters import DEFAULTS, HyperParameters
from btc_assets.modeling.samples import samples, usable
from btc_assets.modeling.training import train
from btc_assets.modeling.worker_processes import helped
from btc_assets.statistics.metrics import pinball

TUNING_END = dt.date(2020, 12, 31)
"""The last day whose candle a trial may see."""

FOLDS = tuple(dt.date(2020, month, 1) for month in (1, 4, 7, 10))
"""Cutoffs of the folds; each is scored on the origins after it, up to the next."""

FOLD_LOSSES, PROCESS = "fold_losses", "process"
"""Attributes of a trial: its loss on each fold, and the process that tried it."""

MOST_HORIZON = 30

SCORED = TRAINED_HORIZONS <= MOST_HORIZON


@dataclass(frozen=True, eq=False)
class Tuned:
    """Outcome of a study: the best hyper-parameters, their value, the default's, and a row a trial.

    Attributes:
        best: hyper-parameters of the best trial.
        value: its loss relative to the anchor's, mean of the folds.
        default_value: the default's.
        won: on how many of the ``folds`` it is better than the default.
        folds: how many there are.
        trials: number, value, state and one column a hyper-parameter.
    """

    best: HyperParameters
    value: float
    default_value: float
    won: int
    folds: int
    trials: pl.DataFrame

    @property
    def taken_up(self) -> bool:
        """Whether the best trial beats the default on every fold."""
        return 0 < self.won == self.folds

    @property
    def reason(self) -> str:
        """Why the best trial is taken up, or is not, in words."""
        done = self.trials.filter(pl.col("state") == "COMPLETE").height
        gain = 100 * (self.value / self.default_value - 1)
        said = (
            f"best of {done} trials: loss {self.value:.5f} of the anchor's, {gain:+.2f} % on the default's, "
            f"better on {self.won} of {self.folds} folds"
        )
        return said if self.taken_up else f"the default stays; {said}"


@dataclass(frozen=True, eq=False)
class Task:
    """What every process that works on a study needs to know."""

    kind: str
    klines: pl.DataFrame
    features: pl.DataFrame
    journal: Path
    trials: int
    folds: Sequence[dt.date]
    suggest: Callable[[Any, str], HyperParameters]


def tune(
    kind: str,
    klines: pl.DataFrame,
    features: pl.DataFrame,
    journal: Path,
    trials: int,
    *,
    folds: Sequence[dt.date] = FOLDS,
    suggest: Callable[[Any, str], HyperParameters] | None = None,
    on_trial: Callable[[int, float], None] | None = None,
    workers: int = 1,
) -> Tuned:
    """Run the study of ``kind`` until ``trials`` of it are complete, and return what it found.

    The first trial is the default. The study lives in the file ``journal``: after a kill the same call goes
    on with what was complete, and several machines that share the file may call this at once to work on one
    study.

    Args:
        kind: "mlp" or "lstm".
        klines: RAW_KLINES of one symbol; rows after ``TUNING_END`` are not read.
        features: ENGINEERED_FEATURES of it, likewise.
        journal: the study's file; its folder is created.
        trials: complete trials to have at the end; with several workers there may be up to one more of each.
        folds: cutoffs, in order.
        suggest: makes hyper-parameters from an Optuna trial; ``search_space`` unless given.
        on_trial: told the number and value of each trial that this process finished.
        workers: processes that search at once, this one included; each needs up to 1 GiB.

    Raises:
        NotEnoughHistory: the first fold has too few candles before it.
    """
    import optuna

    seen = pl.col("date") <= TUNING_END
    make = suggest or search_space
    task = Task(kind, klines.filter(seen), features.filter(seen), journal, trials, folds, make)
    study = _study(kind, journal)
    waiting = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.WAITING,))
    if _default_trial(study, kind) is None and not waiting:
        study.enqueue_trial(_as_trial(DEFAULTS[kind]))  # again, if the process that tried it was killed
    open_trials = trials - len(_complete(study))
    with helped(_work, task, min(workers, open_trials) - 1):
        _work(task, on_trial=on_trial)
    return _outcome(_study(kind, journal), kind, make)


def _work(
    task: Any,
    worker: int = 0,
    go_on: Callable[[], None] = lambda: None,
    on_trial: Callable[[int, float], None] | None = None,
) -> None:
    """Try what the study asks for until it has its trials."""
    import optuna

    anchors = Anchors(history(task.klines, features=task.features))
    study = _study(task.kind, task.journal, worker)
    while len(_complete(study)) < task.trials:
        go_on()
        trial = study.ask()
        trial.set_user_attr(PROCESS, os.getpid())
        try:
            losses = evaluate(anchors, task.features, task.suggest(trial, task.kind), task.folds)
        except FitFailed:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            continue
        trial.set_user_attr(FOLD_LOSSES, losses)
        value = float(np.mean(losses))
        study.tell(trial, value)
        if on_trial is not None:
            on_trial(trial.number, value)


def search_space(trial: Any, kind: str) -> HyperParameters:
    """Suggest layers, units, learning rate, epochs, regularisation, bound; for the LSTM its window."""
    return dataclasses.replace(
        DEFAULTS[kind],
        layers=trial.suggest_int("layers", 1, 2),
        units=trial.suggest_categorical("units", [4, 8, 12, 16, 24]),
        window=1 if kind == "mlp" else trial.suggest_categorical("window", [5, 10, 20, 30]),
        learning_rate=trial.suggest_float("learning_rate", 1e-3, 1e-2, log=True),
        epochs=trial.suggest_categorical("epochs", [5, 10, 20, 40]),
        l2=trial.suggest_float("l2", 1e-4, 3e-2, log=True),
        bound=trial.suggest_categorical("bound", [0.2, 0.4, 0.7]),
    )


def evaluate(
    anchors: Anchors, features: pl.DataFrame, hyperparameters: HyperParameters, folds: Sequence[dt.date]
) -> list[float]:
    """Compute each fold's out-of-sample loss relative to the anchor's, mean over horizons up to 30 days.

    Raises:
        FitFailed: a fold's training did not end in finite numbers.
        NotEnoughHistory: a fold has too few candles before it.
    """
    h, window, kind = anchors.history, hyperparameters.window, hyperparameters.kind
    ratios = []
    for cutoff, end in zip(folds, [*folds[1:], h.last], strict=True):
        trained = train(samples(anchors, features, cutoff, window, kind), hyperparameters)
        places = range(h.index(cutoff), h.index(end))
        ahead = usable(anchors, features, places, len(h) - 1, window, kind)
        if len(ahead) == 0:
            raise NotEnoughHistory(f"{h.symbol}: no usable origin between {cutoff} and {end}")
        factors = np.exp(trained.predict(ahead)[:, TRAINED_HORIZONS - 1])[..., None]
        loss = pinball(ahead.anchors * factors, ahead.outcomes) * ahead.weights
        ratio = loss.sum(axis=0) / (pinball(ahead.anchors, ahead.outcomes) * ahead.weights).sum(axis=0)
        ratios.append(float(ratio[SCORED].mean()))
    if not np.isfinite(ratios).all():
        raise FitFailed(f"{hyperparameters.kind}: the folds' losses are {ratios}")
    return ratios


def _study(kind: str, journal: Path, worker: int = 0) -> Any:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    journal.parent.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        study_name=kind,
        storage=JournalStorage(JournalFileBackend(os.fspath(journal))),
        direction="minimize",
        load_if_exists=True,
    )
    # A sampler begins its random numbers anew: where a study goes on, and beside others, they must be others.
    seed = len(kind) + 1000 * len(study.get_trials(deepcopy=False)) + 1_000_000 * worker
    study.sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)
    return study


def _complete(study: Any) -> list[Any]:
    import optuna

    return list(study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,)))


def _default_trial(study: Any, kind: str) -> Any:
    """Return the complete trial of the default hyper-parameters, None if there is none."""
    wanted = _as_trial(DEFAULTS[kind])
    same = (t for t in _complete(study) if all(t.params[name] == wanted[name] for name in t.params))
    return next(same, None)


def _as_trial(hp: HyperParameters) -> dict[str, Any]:
    values = hp.as_dict()
    names = ["layers", "units", "learning_rate", "epochs", "l2", "bound"]
    return {name: values[name] for name in (names if hp.kind == "mlp" else [*names, "window"])}


def _outcome(study: Any, kind: str, make: Callable[[Any, str], HyperParameters]) -> Tuned:
    import optuna

    rows = [
        {"number": t.number, "value": t.value, "state": t.state.name, **t.params}
        for t in study.get_trials(deepcopy=False)
    ]
    best = make(optuna.trial.FixedTrial(study.best_trial.params), kind)
    losses = study.best_trial.user_attrs.get(FOLD_LOSSES, [])
    default = _default_trial(study, kind)
    default_losses = default.user_attrs.get(FOLD_LOSSES, []) if default else []
    won = sum(mine < other for mine, other in zip(losses, default_losses, strict=False))
    default_value = float(default.value) if default else float("nan")
    table = pl.DataFrame(rows, infer_schema_length=None)
    return Tuned(best, float(study.best_value), default_value, won, len(losses), table)
