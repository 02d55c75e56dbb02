from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from synthetic_candles import FIRST, TINY, altered_after, features_of

from btc_assets.contracts import FORECASTS, HORIZONS, MODELS, VINTAGES_IN_FORCE
from btc_assets.errors import BadModel, FitFailed, ModelError, NotEnoughHistory
from btc_assets.market.calendar import FIRST_DAY
from btc_assets.modeling import vintages
from btc_assets.modeling.forecast import forecast_origin, forecasts
from btc_assets.modeling.hyperparameters import DEFAULTS, HyperParameters
from btc_assets.modeling.inference import Predictor, at_origin
from btc_assets.modeling.promotion import Evaluation, EvaluationWindow, evaluate_vintage
from btc_assets.modeling.vintages import VintageBook, grid_cutoff
from btc_assets.storage.registry.folder import FolderRegistry
from btc_assets.storage.registry.protocol import VintageId

DAY = dt.timedelta(days=1)
EVERY = 20
ORIGIN = FIRST + 909 * DAY  # cutoffs 900 (newest), 880 (its predecessor)
NEWEST, BEFORE = FIRST + 900 * DAY, FIRST + 880 * DAY
Opener = Callable[..., VintageBook]


@pytest.fixture(scope="module", autouse=True)
def _tuned_early() -> Iterator[None]:
    """As if tuning had ended before these candles begin, so that the tiny networks may be chosen."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vintages, "TUNING_END", FIRST)
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="module")
def opened(root: Path, klines: pl.DataFrame, features: pl.DataFrame) -> Opener:
    """Books on one registry, so that each vintage is fitted once for all tests."""

    def book(
        candles: pl.DataFrame = klines,
        table: pl.DataFrame = features,
        hyperparameters: dict[str, HyperParameters] = TINY,
    ) -> VintageBook:
        return VintageBook(FolderRegistry(root), candles, table, EVERY, hyperparameters)

    return book


@pytest.mark.parametrize("every", [1, 7, 30])
def test_cutoffs_lie_on_a_grid_that_starts_with_the_first_candle(every: int) -> None:
    for offset in range(0, 400, 13):
        day = FIRST_DAY + offset * DAY
        cutoff = grid_cutoff(day, every)
        assert day - every * DAY < cutoff <= day
        assert (cutoff - FIRST_DAY).days % every == 0


def test_an_origin_on_the_grid_is_fitted_and_later_ones_carry_it(opened: Opener) -> None:
    book = opened()
    rows = book.rows("mlp", [NEWEST, ORIGIN])
    assert rows.schema == VINTAGES_IN_FORCE.schema
    assert rows["action"].to_list() == ["fitted", "carried"]
    assert rows["vintage"].to_list() == [NEWEST, NEWEST]
    assert rows["manifest_sha256"].n_unique() == 1
    assert str(BEFORE) in rows["reason"][0]


def test_the_answer_does_not_depend_on_which_partitions_ran_before(
    opened: Opener, klines: pl.DataFrame, features: pl.DataFrame, tmp_path: Path
) -> None:
    first = opened().rows("mlp", [NEWEST, ORIGIN])
    fresh = VintageBook(FolderRegistry(tmp_path), klines, features, EVERY, TINY)
    alone = fresh.rows("mlp", [ORIGIN])
    assert alone.row(0)[:-1] == first.row(1)[:-1]
    assert alone["reason"].item() == first["reason"][1]


def test_M8_altering_every_later_candle_leaves_vintage_choice_and_forecasts_unchanged(
    opened: Opener, klines: pl.DataFrame, features: pl.DataFrame
) -> None:
    altered = altered_after(klines, ORIGIN)
    book, other = opened(), opened(altered, features_of(altered))
    for kind in TINY:
        assert other.rows(kind, [ORIGIN]).equals(book.rows(kind, [ORIGIN]))
    here = forecasts([ORIGIN], klines, features, book.predictor)
    assert forecasts([ORIGIN], altered, features_of(altered), other.predictor).equals(here)


def test_C4_an_origin_gives_the_same_bytes_alone_and_in_a_range(
    opened: Opener, klines: pl.DataFrame, features: pl.DataFrame
) -> None:
    book = opened()
    origins = [NEWEST + i * DAY for i in range(10)]
    whole = forecasts(origins, klines, features, book.predictor)
    for origin in origins[::4]:
        known = klines.filter(pl.col("date") <= origin)
        alone = forecasts([origin], known, features_of(known), opened(known, features_of(known)).predictor)
        assert alone.equals(whole.filter(pl.col("origin_date") == origin))


def test_forecast_rows_follow_the_contract(
    opened: Opener, klines: pl.DataFrame, features: pl.DataFrame
) -> None:
    rows = forecasts([ORIGIN], klines, features, opened().predictor)
    assert [*rows.schema.items()] == [x for x in FORECASTS.schema.items() if x[0] != "issued_at"]
    assert rows["model"].unique(maintain_order=True).to_list() == list(MODELS)
    assert rows.height == len(MODELS) * HORIZONS
    assert (rows["vintage"] <= rows["origin_date"]).all()
    wide = {m: rows.filter(pl.col("model") == m)["q975"].log().to_numpy() for m in MODELS}
    assert wide["ensemble"] == pytest.approx((wide["mlp"] + wide["lstm"]) / 2)
    assert forecasts([], klines, features, opened().predictor).height == 0


def test_a_vintage_that_has_seen_the_origins_future_makes_no_forecast(
    opened: Opener, klines: pl.DataFrame, features: pl.DataFrame
) -> None:
    book = opened()
    state = at_origin(klines, features, NEWEST - DAY)
    with pytest.raises(ModelError, match="trained on later targets"):
        forecast_origin(state, {kind: book.predictor(kind, ORIGIN) for kind in TINY})


def test_M2_an_unsound_vintage_is_held_back_and_the_old_stays_in_force(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def strict(candidate: Predictor, predecessor: Predictor | None, window: EvaluationWindow) -> Evaluation:
        if candidate.cutoff == NEWEST:  # type: ignore[attr-defined]
            return Evaluation(False, "clearly worse")
        return evaluate_vintage(candidate, predecessor, window)

    monkeypatch.setattr(vintages, "evaluate_vintage", strict)
    row = opened().rows("mlp", [ORIGIN]).row(0, named=True)
    assert row["action"] == "held_back"
    assert row["vintage"] == BEFORE
    assert row["reason"] == f"{NEWEST} held back: clearly worse; {BEFORE} stays in force"


def test_M1_a_fit_that_fails_is_held_back_and_publishes_nothing(
    klines: pl.DataFrame, features: pl.DataFrame, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise FitFailed("mlp: the training loss became nan")

    monkeypatch.setattr(vintages, "fit", failing)
    every = 45  # its newest cutoff, 900, is there already; the one before it is not
    book = VintageBook(FolderRegistry(root), klines, features, every, TINY)
    assert "no earlier vintage" in book.in_force("mlp", ORIGIN).reason
    later = FIRST + 950 * DAY
    found = book.in_force("mlp", later)
    assert (found.action, found.ref.vintage.cutoff) == ("held_back", NEWEST)
    assert "became nan" in found.reason
    assert FolderRegistry(root).get("mlp", VintageId(FIRST + 945 * DAY)) is None


def test_M2_no_sound_vintage_at_all_is_an_error_that_says_why(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vintages, "evaluate_vintage", lambda *_: Evaluation(False, "clearly worse"))
    monkeypatch.setattr(vintages, "LOOK_BACK", 2)
    with pytest.raises(BadModel, match=r"no sound vintage for origin .*clearly worse"):
        opened().in_force("mlp", ORIGIN)


def test_changed_hyperparameters_make_a_revision_and_leave_the_old_vintage_alone(
    opened: Opener, root: Path
) -> None:
    old = opened().in_force("mlp", ORIGIN).ref
    changed = TINY | {"mlp": dataclasses.replace(TINY["mlp"], units=4)}
    new = opened(hyperparameters=changed).in_force("mlp", ORIGIN).ref
    assert (old.vintage.revision, new.vintage.revision) == (0, 1)
    assert new.vintage.cutoff == old.vintage.cutoff
    assert FolderRegistry(root).get("mlp", old.vintage).manifest_sha256 == old.manifest_sha256  # type: ignore[union-attr]
    assert opened().in_force("mlp", ORIGIN).ref.manifest_sha256 == old.manifest_sha256


def test_tuned_hyperparameters_are_not_used_where_tuning_saw_the_future(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vintages, "TUNING_END", NEWEST)
    assert opened().chosen("mlp", NEWEST) == DEFAULTS["mlp"]
    assert opened().chosen("mlp", NEWEST + DAY) == TINY["mlp"]


def test_M7_an_origin_without_enough_history_says_how_much_is_needed(opened: Opener) -> None:
    with pytest.raises(NotEnoughHistory, match="needs 365 usable origins"):
        opened().in_force("lstm", FIRST + 700 * DAY)
