"""The feature view over the features, and a training dataset, split by time, for each cutoff.

Training reads its rows through the view. The dataset records, on the server, which rows those were, with
statistics of each feature, and is what a registered vintage points to.
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

import polars as pl

from btc_assets.contracts import TableSpec
from btc_assets.errors import ConfigurationError, StorageError
from btc_assets.market.calendar import DAY, FIRST_DAY
from btc_assets.storage.hopsworks.errors import errors
from btc_assets.storage.hopsworks.schema import restored
from btc_assets.storage.hopsworks.tables import VERSION, HopsworksTables
from btc_assets.storage.registry.protocol import VintageId
from btc_assets.storage.tables import sort_columns

log = logging.getLogger(__name__)

NEWEST = dt.timedelta(days=365)
"""The newest part of what a vintage knew, kept apart as the test split: what drift is measured against."""

MONITORING, MONDAYS = "drift", "0 0 3 ? * MON *"
"""Name and schedule (Quartz, UTC) of what the server compares."""

RECENT = "30d"
"""The newest part of the features that is compared with what a vintage was trained on."""

DRIFTED = 0.2
"""Population stability index from which a feature counts as shifted, the customary bound."""


class TrainingView:
    """The feature view over ``spec``, which is in ``tables``."""

    def __init__(self, tables: HopsworksTables, spec: TableSpec) -> None:
        self.tables = tables
        self.spec = spec

    def rows(self, end: dt.date | None = None) -> pl.DataFrame:
        """Return the rows before ``end``, read through the view; in the contract's columns and order."""
        if not self.tables.version(self.spec):
            return self.spec.empty()
        view = self._view()
        with errors(f"read feature view {view.name}"):
            rows = view.get_batch_data(
                end_time=end, primary_key=True, event_time=True, dataframe_type="polars"
            )
        rows = restored(self.spec, rows).select(self.spec.schema.names()).sort(sort_columns(self.spec))
        # The server says that its window is open at the end; what would be a look ahead is not left to it.
        return rows if end is None else rows.filter(pl.col(self.spec.day) < end)

    def training_set(self, vintage: VintageId) -> tuple[Any, int] | None:
        """Return the view and the version of the dataset with all rows up to the cutoff, made if need be.

        None if the project does not hold the features, as when models alone are moved there; logged.
        """
        if not self._has_rows(vintage.cutoff):
            log.warning("no %s up to %s here: %s gets no lineage", self.spec.name, vintage.cutoff, vintage)
            return None
        view = self._view()
        description = f"rows up to {vintage.cutoff}"
        with errors(f"name the training dataset of {vintage}"):
            for dataset in view.get_training_datasets() or []:
                if dataset.description == description:
                    return view, int(dataset.version)
            version = self._register(view, vintage.cutoff, description)
        self._monitor(view, version)
        return view, version

    def _has_rows(self, cutoff: dt.date) -> bool:
        if not self.tables.exists(self.spec):
            return False
        return not self.tables.read(self.spec, columns=[self.spec.day], end=cutoff + DAY).is_empty()

    def _register(self, view: Any, cutoff: dt.date, description: str) -> int:
        boundary = max(cutoff - NEWEST, FIRST_DAY)
        view.train_test_split(
            train_start=FIRST_DAY,
            train_end=boundary,
            test_start=boundary + DAY,
            test_end=cutoff,
            description=description,
            # The client cannot split polars frames by time; ours are read elsewhere, so pandas does.
            dataframe_type="pandas",
        )
        datasets = view.get_training_datasets()
        return max(int(d.version) for d in datasets if d.description == description)

    def _monitor(self, view: Any, dataset: int) -> None:
        """Have the server compare the newest days of each feature with ``dataset``, no longer with another.

        A server that cannot, or a key without the scope JOB, keeps no model from being published; logged.
        """
        try:
            with errors(f"configure monitoring of feature view {view.name}"):
                before = view.get_feature_monitoring_configs(name=MONITORING)
                if before:
                    before.delete()
                config = view.create_feature_monitoring(
                    MONITORING, f"against training dataset {dataset}", cron_expression=MONDAYS
                )
                config.with_detection_window(time_offset=RECENT, window_length=RECENT)
                config.with_reference_training_dataset(dataset)
                config.compare_on_distribution("PSI", threshold=DRIFTED).save()
        except (StorageError, ConfigurationError) as error:
            log.warning("drift of the features is not monitored: %s", error)

    def _view(self) -> Any:
        """Return the newest view, or the version after it: a view never changes, and a contract may grow."""
        name = f"{self.tables.name(self.spec)}_view"
        store = self.tables.store
        with errors(f"open feature view {name}"):
            views = store.get_feature_views(name) or []
            newest = max(views, key=lambda view: view.version, default=None)
            if newest is not None and {*self.spec.schema} <= {f.name for f in newest.features}:
                return newest
            query = self.tables.group(self.spec).select_all()
            version = VERSION if newest is None else newest.version + 1
            return store.create_feature_view(name, query, version, description=self.spec.meaning)
