"""Dagster's SQLite event log, able to write a run's partition events as a batch.

Materialising 3,400 days of an asset is 6,800 events, and Dagster's SQLite storage opens four connections
for each: minutes of waiting on one machine. Dagster already hands such events over in batches when
``DAGSTER_EVENT_BATCH_SIZE`` is set, and its Postgres storage takes them; this does the same for SQLite.
If a batch fails, Dagster itself falls back to one event at a time.

It also makes an SQLAlchemy engine for each connection, and so compiles each statement again: a third of the
time of a day's run. Here a database keeps its engine; connections are opened and closed as before.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from dagster import EventLogEntry
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool

from btc_assets.io.files import last_change

KEPT_DAYS = 90
"""How long the log of a run's steps is kept, as long as ticks are: half a megabyte a day."""


_RUN_LOG = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.db(-wal|-shm|-journal)?")


class BatchingEventLog(SqliteEventLogStorage):
    """SQLite event log whose ``store_event_batch`` is two transactions, not four connections an event."""

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> Self:
        """Do as the parent does, with a relative ``base_dir`` below ``DAGSTER_HOME``, so that it can move."""
        base_dir = str(Path(os.environ["DAGSTER_HOME"]) / config_value["base_dir"])
        return cls(inst_data=inst_data, base_dir=base_dir)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Write ``events`` of one run and one asset to the run's shard and to the index."""
        events = [e for e in events if not e.get_dagster_event().is_asset_failed_to_materialize]
        if not events:
            return
        rows = [self._event_to_row(event) for event in events]
        with self.run_connection(events[0].run_id) as connection:
            connection.execute(SqlEventLogStorageTable.insert(), rows)
        insert = SqlEventLogStorageTable.insert().returning(
            SqlEventLogStorageTable.c.id, sort_by_parameter_order=True
        )
        kinds = [(e.get_dagster_event().asset_key, e.get_dagster_event().event_type) for e in events]
        newest = {kind: i for i, kind in enumerate(kinds)}
        with self.index_transaction() as connection:
            ids = [row[0] for row in connection.execute(insert, rows)]
            self._store_asset_event_tags(connection, events, ids)
            for i in newest.values():
                self._store_asset_event(connection, events[i], ids[i])

    @contextlib.contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        """Do as the parent does, with the engine that the shard had before."""
        with self._db_lock:
            engine = _engine(self.conn_string_for_shard(shard))
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection

    def run_connection(self, run_id: str | None = None) -> Any:
        """Do as the parent does; a log that was forgotten, perhaps by another process, is an empty one."""
        if run_id is not None and not Path(self.path_for_shard(run_id)).exists():
            self._initialized_dbs.discard(run_id)
        return super().run_connection(run_id)

    def forget_old_logs(self) -> int:
        """Delete the logs of runs that ended more than ``KEPT_DAYS`` ago; returns how many files.

        What was materialised, when and with which metadata, is in the index and stays.
        """
        cutoff = time.time() - KEPT_DAYS * 86_400
        # The same folder holds index.db and runs.db; the log of a run is named by its id.
        logs = [path for path in Path(self._base_dir).glob("*.db*") if _RUN_LOG.fullmatch(path.name)]
        old = [path for path in logs if last_change(path) < cutoff]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)


@lru_cache(maxsize=16)
def _engine(database: str) -> Engine:
    """Return the engine of an SQLite database; it holds no connection between two uses."""
    return create_engine(database, poolclass=NullPool, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS})
