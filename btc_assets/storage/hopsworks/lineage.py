"""The feature view over the features, and a training dataset, split by time, for each cutoff.

The training assets read their rows from the table like everyone else; the dataset records, on the server,
which rows those were, with statistics of each feature, and is what a registered vintage points to.
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

from btc_assets.contracts import TableSpec
from btc_assets.market.calendar import DAY, FIRST_DAY
from btc_assets.storage.hopsworks.errors import errors
from btc_assets.storage.hopsworks.tables import VERSION, HopsworksTables
from btc_assets.storage.registry.protocol import VintageId

log = logging.getLogger(__name__)

NEWEST = dt.timedelta(days=365)
"""The newest part of what a vintage knew, kept apart as the test split: what drift is measured against."""


class TrainingView:
    """The feature view over ``spec``, which is in ``tables``."""

    def __init__(self, tables: HopsworksTables, spec: TableSpec) -> None:
        self.tables = tables
        self.spec = spec

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
            return view, self._register(view, vintage.cutoff, description)

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

    def _view(self) -> Any:
        name = f"{self.tables.name(self.spec)}_view"
        store = self.tables.store
        with errors(f"open feature view {name}"):
            view = store.get_feature_view(name, VERSION)
            if view is None:
                query = self.tables.group(self.spec).select_all()
                view = store.create_feature_view(name, query, VERSION, description=self.spec.meaning)
        return view
