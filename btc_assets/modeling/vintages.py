"""Which vintage of a network is in force for an origin: a function of the candles up to it and the settings.

Cutoffs lie on a fixed grid of days, so that neither the order of partitions nor a range's split over runs
matters. The newest vintage on the grid is in force if it is sound (see ``promotion``), else the newest
before it that is. Vintages that do not exist yet are fitted and published; none is ever overwritten.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from btc_assets.contracts import VINTAGES_IN_FORCE
from btc_assets.errors import BadModel, FitFailed, NotEnoughHistory
from btc_assets.io.scratch import ScratchFolder
from btc_assets.market.calendar import DAY, FIRST_DAY
from btc_assets.modeling.anchor import Anchors
from btc_assets.modeling.compatibility import is_of_this_code
from btc_assets.modeling.history import history
from btc_assets.modeling.hyperparameters import DEFAULTS, HyperParameters
from btc_assets.modeling.inference import Predictor
from btc_assets.modeling.promotion import Evaluation, EvaluationWindow, evaluate_vintage, evaluation_window
from btc_assets.modeling.training import fit
from btc_assets.modeling.tuning import TUNING_END
from btc_assets.storage.registry.manifest import read_manifest
from btc_assets.storage.registry.protocol import ModelRef, ModelRegistry, VintageId

LOOK_BACK = 8
"""Cutoffs that are tried, newest first, before an origin counts as without a sound vintage."""

FITTED, CARRIED, HELD_BACK = "fitted", "carried", "held_back"


def grid_cutoff(day: dt.date, refit_every: int) -> dt.date:
    """Find the newest day of the refit grid that is not after ``day``; the grid starts at ``FIRST_DAY``."""
    return day - ((day - FIRST_DAY).days % refit_every) * DAY


@dataclass(frozen=True, slots=True)
class InForce:
    """The vintage that is in force for an origin: its reference, how it came to be, and why."""

    ref: ModelRef
    action: str
    reason: str


def sound_before(rows: pl.DataFrame) -> dict[str, str]:
    """Collect the reasons of the vintages that rows of VINTAGES_IN_FORCE found sound, by manifest hash.

    An evaluation depends on nothing but the vintages and the candles up to the cutoff, so it does not change
    with the origin; only rows in which the newest vintage came into force hold one.
    """
    own = rows.filter(pl.col("action") != HELD_BACK)
    return {
        row["manifest_sha256"]: str(row["reason"]).removeprefix(f"{row['vintage']}: ")
        for row in own.select("manifest_sha256", "vintage", "reason").unique().to_dicts()
    }


class VintageBook:
    """Answers which vintage is in force, from the registry, fitting what is missing.

    Args:
        klines: RAW_KLINES of one symbol; what lies after an origin is not read for it.
        features: ENGINEERED_FEATURES of it.
        refit_every: days between cutoffs.
        hyperparameters: of each kind, for cutoffs after ``TUNING_END``; before it the defaults hold.
        known_sound: why a vintage was found sound before, by its manifest's hash (``sound_before``); it
            is not evaluated again, which is what makes carrying it cost next to nothing.
        on_fit: called with the cutoff before a vintage is fitted.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        klines: pl.DataFrame,
        features: pl.DataFrame,
        refit_every: int,
        hyperparameters: Mapping[str, HyperParameters] = DEFAULTS,
        known_sound: Mapping[str, str] | None = None,
        on_fit: Callable[[dt.date], None] = lambda _: None,
    ) -> None:
        self.registry = registry
        self.klines = klines
        self.features = features
        self.refit_every = refit_every
        self.hyperparameters = hyperparameters
        self.known_sound = known_sound or {}
        self.on_fit = on_fit
        self._anchors = Anchors(history(klines, features=features))
        self._refs: dict[tuple[str, dt.date], ModelRef | FitFailed] = {}
        self._evaluations: dict[tuple[str, dt.date], Evaluation] = {}
        self._windows: dict[dt.date, EvaluationWindow] = {}
        self._predictors: dict[str, Predictor] = {}

    def in_force(self, kind: str, origin: dt.date) -> InForce:
        """Find the vintage of ``kind`` for ``origin``; fit it and its predecessor if they are missing.

        Raises:
            NotEnoughHistory: no cutoff on the grid up to ``origin`` has enough candles before it.
            BadModel: none of the last ``LOOK_BACK`` vintages is sound.
        """
        newest = grid_cutoff(origin, self.refit_every)
        held_back: list[str] = []
        for step in range(LOOK_BACK):
            cutoff = newest - step * self.refit_every * DAY
            try:
                evaluation = self.evaluation(kind, cutoff)
            except NotEnoughHistory:
                if held_back:
                    break
                raise
            if evaluation.sound:
                ref = self._ref(kind, cutoff)
                assert isinstance(ref, ModelRef)
                if held_back:
                    return InForce(ref, HELD_BACK, f"{'; '.join(held_back)}; {cutoff} stays in force")
                return InForce(ref, FITTED if cutoff == origin else CARRIED, f"{cutoff}: {evaluation.reason}")
            held_back.append(f"{cutoff} held back: {evaluation.reason}")
        raise BadModel(f"{kind}: no sound vintage for origin {origin}: {'; '.join(held_back)}")

    def chosen(self, kind: str, cutoff: dt.date) -> HyperParameters:
        """Choose hyper-parameters for a vintage: tuned ones where tuning saw nothing after the cutoff."""
        return self.hyperparameters[kind] if cutoff > TUNING_END else DEFAULTS[kind]

    def predictor(self, kind: str, origin: dt.date) -> Predictor:
        """Open the network that is in force for ``origin``, verified."""
        return self._open(self.in_force(kind, origin).ref)

    def evaluation(self, kind: str, cutoff: dt.date) -> Evaluation:
        """Evaluate the vintage with ``cutoff`` by what was known at its cutoff."""
        key = (kind, cutoff)
        if key not in self._evaluations:
            ref = self._ref(kind, cutoff)
            if isinstance(ref, FitFailed):
                self._evaluations[key] = Evaluation(False, str(ref))
            elif ref.manifest_sha256 in self.known_sound:
                self._evaluations[key] = Evaluation(True, self.known_sound[ref.manifest_sha256])
            else:
                before = self._predecessor(kind, cutoff)
                self._evaluations[key] = evaluate_vintage(self._open(ref), before, self._window(cutoff))
        return self._evaluations[key]

    def rows(self, kind: str, origins: Iterable[dt.date]) -> pl.DataFrame:
        """Build rows of the contract VINTAGES_IN_FORCE for ``origins``."""
        symbol = self._anchors.history.symbol
        rows = []
        for day in origins:
            found = self.in_force(kind, day)
            vintage, sha = found.ref.vintage, found.ref.manifest_sha256
            rows.append(
                (symbol, kind, day, vintage.cutoff, vintage.revision, sha, found.action, found.reason)
            )
        return pl.DataFrame(rows, schema=VINTAGES_IN_FORCE.schema, orient="row")

    def _predecessor(self, kind: str, cutoff: dt.date) -> Predictor | None:
        try:
            ref = self._ref(kind, cutoff - self.refit_every * DAY)
        except NotEnoughHistory:
            return None
        return None if isinstance(ref, FitFailed) else self._open(ref)

    def _window(self, cutoff: dt.date) -> EvaluationWindow:
        if cutoff not in self._windows:
            self._windows = {cutoff: evaluation_window(self._anchors, self.features, cutoff)}
        return self._windows[cutoff]

    def _open(self, ref: ModelRef) -> Predictor:
        if ref.manifest_sha256 not in self._predictors:
            predictor = Predictor.open(self.registry.model_folder(ref), ref.manifest_sha256)
            self._predictors[ref.manifest_sha256] = predictor
        return self._predictors[ref.manifest_sha256]

    def _ref(self, kind: str, cutoff: dt.date) -> ModelRef | FitFailed:
        key = (kind, cutoff)
        if key not in self._refs:
            self._refs[key] = self._stored_or_fitted(kind, cutoff)
        return self._refs[key]

    def _stored_or_fitted(self, kind: str, cutoff: dt.date) -> ModelRef | FitFailed:
        """Return the revision at ``cutoff`` that this code would make today, or a new one."""
        revision = 0
        while (ref := self.registry.get(kind, VintageId(cutoff, revision))) is not None:
            if self._is_ours(kind, cutoff, ref):
                return ref
            revision += 1
        self.on_fit(cutoff)
        with ScratchFolder("btc-assets-fit") as scratch:
            folder = scratch.path / "model"
            chosen = self.chosen(kind, cutoff)
            try:
                fit(kind, self.klines, self.features, cutoff, chosen, folder, self._anchors)
            except FitFailed as error:
                return error
            return self.registry.publish(kind, VintageId(cutoff, revision), folder)

    def _is_ours(self, kind: str, cutoff: dt.date, ref: ModelRef) -> bool:
        facts = read_manifest(self.registry.model_folder(ref), ref.manifest_sha256)
        return (
            facts.get("symbol") == self._anchors.history.symbol
            and facts.get("hyperparameters") == self.chosen(kind, cutoff).as_dict()
            and is_of_this_code(facts)
        )
