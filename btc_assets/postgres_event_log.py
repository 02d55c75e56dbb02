"""Dagster's PostgreSQL event log, able to write what a run plans as a batch.

A run over a year plans some 3,000 materialisations, one a day and asset. Dagster hands them over as batches,
but its PostgreSQL storage writes each with two new connections, before the run begins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from dagster import DagsterEventType, EventLogEntry
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._serdes import ConfigurableClassData
from dagster_postgres.event_log import PostgresEventLogStorage
from dagster_postgres.utils import pg_url_from_config

PLANNED = DagsterEventType.ASSET_MATERIALIZATION_PLANNED
INSERT = SqlEventLogStorageTable.insert().returning(
    SqlEventLogStorageTable.c.id, sort_by_parameter_order=True
)


class BatchingPostgresEventLog(PostgresEventLogStorage):
    """PostgreSQL event log whose planned materialisations take two transactions a batch."""

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> Self:
        """Make it from the same settings in dagster.yaml as its parent."""
        return cls(inst_data=inst_data, postgres_url=pg_url_from_config(config_value))

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Write ``events`` of one run; other kinds than planned materialisations as the parent does."""
        kinds = [event.get_dagster_event().event_type for event in events]
        planned = [event for event, kind in zip(events, kinds, strict=True) if kind is PLANNED]
        others = [event for event, kind in zip(events, kinds, strict=True) if kind is not PLANNED]
        if planned:  # first: if this fails, Dagster writes all events again, one by one
            self._store_planned(planned)
        if others:
            super().store_event_batch(others)

    def _store_planned(self, events: Sequence[EventLogEntry]) -> None:
        rows = [self._event_to_row(event) for event in events]
        newest = {event.get_dagster_event().asset_key: i for i, event in enumerate(events)}
        with self._connect() as connection:
            ids = [row[0] for row in connection.execute(INSERT, rows)]
        with self.index_transaction() as connection:
            self._store_asset_event_tags(connection, events, ids)
            for i in newest.values():
                self._store_asset_event(connection, events[i], ids[i])
