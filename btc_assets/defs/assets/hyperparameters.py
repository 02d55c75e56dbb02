"""Hyper-parameters of the networks: searched on history before 2021, on demand; later vintages use them."""

import json
from collections.abc import Mapping
from pathlib import Path

import dagster as dg
import polars as pl
from pydantic import Field

from btc_assets.contracts import HYPERPARAMETERS, NETWORKS, RAW_KLINES
from btc_assets.defs.assets.column_lineage import column_lineage
from btc_assets.defs.assets.metadata import (
    OWNERS,
    code_version,
    column_schema,
    market_label,
    said_before,
    table_preview,
)
from btc_assets.defs.assets.svg import trials_chart
from btc_assets.defs.resources import Platform
from btc_assets.io.progress import report
from btc_assets.modeling.features import ENGINEERED_FEATURES
from btc_assets.modeling.hyperparameters import DEFAULTS, HyperParameters
from btc_assets.modeling.tuning import TUNING_END, Tuned, tune
from btc_assets.modeling.worker_processes import cores
from btc_assets.storage.tables import read_pair


class TuningConfig(dg.Config):
    """How far to search; a study goes on from the trials that it has, also after a kill."""

    trials: int = Field(20, ge=1, le=1000, description="complete trials each study shall have at the end")
    studies: str = Field("", description="folder of the studies; share it to search on several machines")
    workers: int = Field(0, ge=0, le=64, description="processes that search on this machine; 0: one a core")


@dg.asset(
    name=HYPERPARAMETERS.name,
    description=said_before(
        f"{HYPERPARAMETERS.meaning} Nothing after {TUNING_END} enters a choice.",
        "a search of `trials` trials a network on all cores, minutes to hours; a search that was stopped "
        "goes on. What it finds is used by every vintage that is fitted **from then on** with a cutoff "
        "after that day.",
    ),
    deps=[RAW_KLINES.name, ENGINEERED_FEATURES.name],
    group_name="models",
    kinds={"optuna", "deltalake"},
    code_version=code_version("modeling"),
    owners=OWNERS,
    pool="fit",
    metadata={
        "dagster/column_schema": column_schema(HYPERPARAMETERS.columns),
        "dagster/table_name": HYPERPARAMETERS.name,
    },
    tags={"domain": "forecasting"},
)
def hyperparameters(
    context: dg.AssetExecutionContext, config: TuningConfig, platform: Platform
) -> dg.MaterializeResult[None]:
    """Search for each network's hyper-parameters and keep the best with the reason."""
    klines = platform.tables.read(RAW_KLINES)
    features = platform.tables.training_rows(ENGINEERED_FEATURES)
    market = "simulated" if platform.settings.simulated else platform.settings.symbol
    folder = Path(config.studies or platform.settings.cache_dir / "studies" / market)
    metadata: dict[str, dg.MetadataValue] = {"market": dg.MetadataValue.text(market_label(platform))}
    rows = []
    for kind in NETWORKS:

        def on_trial(number: int, value: float, kind: str = kind) -> None:
            done = (number + 1) / config.trials
            report(platform.settings.root, f"tuning the {kind.upper()}", min(1.0, done), f"{value:.5f}")
            context.log.info(f"{kind}, trial {number}: loss {value:.5f} of the anchor's")

        workers = config.workers or cores()
        journal = folder / f"{kind}.journal"
        found = tune(kind, klines, features, journal, config.trials, on_trial=on_trial, workers=workers)
        rows.append(table_row(platform.settings.symbol, kind, found))
        losses = found.trials["value"].drop_nulls()
        metadata[f"{kind}: why"] = dg.MetadataValue.text(found.reason)
        metadata[f"{kind}: study"] = trials_chart(losses.to_list(), found.default_value)
        best = found.trials.sort("value", nulls_last=True).head(10)
        metadata[f"{kind}: best trials"] = table_preview(best, rows=10)
    platform.tables.upsert(HYPERPARAMETERS, pl.DataFrame(rows, schema=HYPERPARAMETERS.schema, orient="row"))
    return dg.MaterializeResult(metadata={**metadata, **column_lineage(HYPERPARAMETERS.name)})


def table_row(symbol: str, kind: str, found: Tuned) -> tuple[object, ...]:
    """Build a row of the table; the default stays where nothing beats it on every fold."""
    best = found.best if found.taken_up else DEFAULTS[kind]
    done = found.trials.filter(pl.col("state") == "COMPLETE").height
    parameters = json.dumps(best.as_dict(), sort_keys=True)
    return symbol, kind, TUNING_END, parameters, found.value, found.default_value, done, found.reason


def tuned_hyperparameters(platform: Platform) -> Mapping[str, HyperParameters]:
    """Read the hyper-parameters that vintages with a cutoff after ``TUNING_END`` are fitted with."""
    rows = read_pair(platform.tables, HYPERPARAMETERS, platform.settings.symbol)
    tuned = {r["model"]: HyperParameters.from_dict(json.loads(r["parameters"])) for r in rows.to_dicts()}
    return {**DEFAULTS, **tuned}
