"""Tables as Hopsworks feature groups: one group a table, written by delta-rs, read over Arrow Flight.

A write is one insert of the rows that differ, whatever their number: a day and a whole history cost the
same requests. The server has no compare-and-swap, so of two writers of one key the later one stays.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import polars as pl

from btc_assets.contracts import TableSpec
from btc_assets.errors import ConfigurationError, TableMissing, WriteConflict
from btc_assets.io.retries import retrying
from btc_assets.storage.delta.data_files import first_and_last
from btc_assets.storage.delta.diff import diff
from btc_assets.storage.hopsworks.errors import errors
from btc_assets.storage.hopsworks.schema import features, restored
from btc_assets.storage.hopsworks.upgrade import append
from btc_assets.storage.tables import (
    Receipt,
    chosen_columns,
    columns_to_add,
    conform,
    conform_keys,
    sort_columns,
)

VERSION = 1
"""The version of every feature group: a newer contract only ever adds columns to it."""


class HopsworksTables:
    """Keyed tables in a project's feature store.

    Args:
        project: what ``login.connect`` returned.
        data_source: name of the S3, GCS or ADLS data source new groups are kept on; empty: the project's own.
        prefix: of the groups' names; what keeps simulated data apart from real data in one project.
    """

    def __init__(self, project: Any, data_source: str = "", prefix: str = "") -> None:
        self.project = project
        self.data_source = data_source
        self.prefix = prefix
        with errors("open the feature store"):
            self.store = project.get_feature_store()
        self._groups: dict[str, Any] = {}

    def ensure_table(self, spec: TableSpec) -> None:
        """Create the feature group, with a description for it and each column; add the columns it lacks."""
        wanted = {name: kind for name, kind, _ in features(spec)}
        group = self._find(spec)
        if group is None:
            self._create(spec)
            return
        there = {feature.name: feature.type for feature in group.columns}
        remedy = "Delete it and materialise its asset again"
        missing = columns_to_add(spec, f"feature group {self.name(spec)}", there, wanted, remedy)
        if missing:
            append(spec, group, missing)

    def exists(self, spec: TableSpec) -> bool:
        """Return whether the feature group was ever created."""
        return self._find(spec) is not None

    def upsert(self, spec: TableSpec, frame: pl.DataFrame) -> Receipt:
        """Insert or replace rows by key in one insert; equal rows are not sent."""
        return self._write(spec, frame, replace=True)

    def insert(self, spec: TableSpec, frame: pl.DataFrame) -> Receipt:
        """Add rows whose keys are new; two writers that do so in the same second can both succeed."""
        return self._write(spec, frame, replace=False)

    def read(
        self,
        spec: TableSpec,
        columns: Sequence[str] | None = None,
        start: dt.date | None = None,
        end: dt.date | None = None,
    ) -> pl.DataFrame:
        """Return rows with ``spec.day`` in [start, end), filtered by the server, over Arrow Flight."""
        chosen = chosen_columns(spec, columns)
        group = self._existing(spec)
        empty = start is not None and end is not None and end <= start
        if empty or not self._commits(spec, group):
            return spec.empty().select(chosen)
        needed = list(dict.fromkeys([*chosen, *sort_columns(spec)]))
        there = _column_names(group)
        query = group.select([name for name in needed if name in there])
        for condition in _window(group.get_feature(spec.day), start, end):
            query = query.filter(condition)
        with errors(f"read feature group {self.name(spec)}"):
            rows = query.read(dataframe_type="polars")
        unknown = [pl.lit(None, spec.schema[name]).alias(name) for name in needed if name not in there]
        return restored(spec, rows).with_columns(unknown).sort(sort_columns(spec)).select(chosen)

    def training_rows(self, spec: TableSpec, end: dt.date | None = None) -> pl.DataFrame:
        """Return the rows before ``end``, read through the feature view that registered models name."""
        from btc_assets.storage.hopsworks.lineage import TrainingView

        return TrainingView(self, spec).rows(end)

    def delete_keys(self, spec: TableSpec, keys: pl.DataFrame) -> Receipt:
        """Delete the rows whose key is in ``keys``."""
        keys = conform_keys(spec, keys)
        hit = self.read(spec, columns=sort_columns(spec)).join(keys, on=list(spec.key), how="semi")
        group = self._existing(spec)
        if not hit.is_empty():
            with errors(f"delete rows of feature group {self.name(spec)}"):
                group.remove_rows(hit)
        return Receipt(0, hit.height, keys.height - hit.height, self.version(spec))

    def version(self, spec: TableSpec) -> int:
        """Return how many commits the feature group has."""
        return len(self._commits(spec, self._existing(spec)))

    def torn_entries(self, spec: TableSpec) -> list[str]:
        """None: the server keeps the commits, and answers or does not."""
        del spec
        return []

    def name(self, spec: TableSpec) -> str:
        """Return what the table's feature group is called."""
        return self.prefix + spec.name

    def group(self, spec: TableSpec) -> Any:
        """Return the client's feature group, for feature views.

        Raises:
            TableMissing: never created.
        """
        return self._existing(spec)

    def _write(self, spec: TableSpec, frame: pl.DataFrame, *, replace: bool) -> Receipt:
        frame = conform(spec, frame)
        self.ensure_table(spec)
        if frame.is_empty():
            return Receipt(0, 0, 0, self.version(spec))
        first, last = first_and_last(frame[spec.day])
        stored = self.read(spec, start=first, end=last + dt.timedelta(days=1))
        stored = stored.with_columns(pl.lit(0, pl.Int64).alias("file"))
        change = diff(spec, frame, stored, replace=replace)
        if not change.rows.is_empty():
            self._send(spec, change.rows)
        return Receipt(change.inserted, change.updated, change.unchanged, self.version(spec))

    def _send(self, spec: TableSpec, rows: pl.DataFrame) -> None:
        from deltalake.exceptions import CommitFailedError

        group = self._existing(spec)
        try:
            for attempt in retrying().retry_context(on=CommitFailedError, attempts=8, timeout=60.0):
                with attempt, errors(f"write to feature group {self.name(spec)}"):
                    # Merging by key, a repeated attempt does no harm.
                    group.insert(rows, write_options={"start_offline_materialization": False})
        except CommitFailedError as error:
            raise WriteConflict(f"feature group {self.name(spec)}: other writers kept winning") from error

    def _create(self, spec: TableSpec) -> None:
        from hsfs.feature import Feature

        options: dict[str, Any] = {}
        with errors(f"create feature group {self.name(spec)}"):
            if self.data_source:
                options["data_source"] = self.store.get_data_source(self.data_source)
            group = self.store.create_feature_group(
                name=self.name(spec),
                version=VERSION,
                description=spec.meaning,
                primary_key=[name for name in spec.key if name != spec.day],
                event_time=spec.day,
                features=[Feature(name, kind, description=text) for name, kind, text in features(spec)],
                time_travel_format="DELTA",
                statistics_config=False,
                **options,
            )
            self._save(group)
        self._groups[spec.name] = group

    def _save(self, group: Any) -> None:
        """Register ``group``, or leave nothing behind where its rows could not be written anyway."""
        from hopsworks_common.client.exceptions import FeatureStoreException

        try:
            group.save()
        except FeatureStoreException:
            if not _is_on_hopsfs(group):
                raise
        if _is_on_hopsfs(group):
            group.delete()
            raise ConfigurationError(
                f"project {self.project.name} keeps feature groups on HopsFS, which deltalake cannot write "
                "to. Add an S3, GCS or ADLS data source to the project and name it in "
                "BTC_HOPSWORKS_DATA_SOURCE (docs/hopsworks.md)"
            )

    def _find(self, spec: TableSpec) -> Any:
        if spec.name not in self._groups or not _column_names(self._groups[spec.name]) >= {*spec.schema}:
            # Not known yet, or lacking columns that another process may have added since.
            with errors(f"look for feature group {self.name(spec)}"):
                group = self.store.get_feature_group(self.name(spec), VERSION)
            if group is None:
                return None
            self._groups[spec.name] = group
        return self._groups[spec.name]

    def _existing(self, spec: TableSpec) -> Any:
        group = self._find(spec)
        if group is None:
            raise TableMissing(
                f"feature group {self.name(spec)} was never written; materialise its asset first"
            )
        return group

    def _commits(self, spec: TableSpec, group: Any) -> dict[Any, Any]:
        with errors(f"list the commits of feature group {self.name(spec)}"):
            return dict(group.commit_details() or {})


def _column_names(group: Any) -> set[str]:
    return {feature.name for feature in group.columns}


def _is_on_hopsfs(group: Any) -> bool:
    return str(group.location).startswith(("hopsfs:", "hdfs:"))


def _window(day: Any, start: dt.date | None, end: dt.date | None) -> list[Any]:
    conditions = [] if start is None else [day >= start]
    return conditions if end is None else [*conditions, day < end]
