"""New columns for a feature group that an older release made: first in its Delta table, then in its schema.

The order matters. An insert drops, without a word, the values of a column that the Delta table does not have,
so the group must never promise one that is not there. What stops in between is made good by the next write.

The client's ``append_features`` goes the other way round: it changes the schema and has a Spark job of the
server change the table. That job may fail, and needs a server with Spark and a key with the scope JOB.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from btc_assets.contracts import TableSpec
from btc_assets.errors import StorageError, WriteConflict
from btc_assets.io.retries import retrying
from btc_assets.storage.hopsworks.errors import errors
from btc_assets.storage.hopsworks.schema import features


def append(spec: TableSpec, group: Any, names: Sequence[str]) -> None:
    """Add the columns ``names`` of the contract to ``group``; adding them twice at once does no harm.

    Raises:
        StorageError: the table or the group's schema cannot be changed; nothing was lost.
    """
    from deltalake.exceptions import CommitFailedError, DeltaError
    from hsfs.feature import Feature

    new = [(name, kind, text) for name, kind, text in features(spec) if name in names]
    action = f"add {list(names)} to feature group {group.name}"
    try:
        for attempt in retrying().retry_context(on=CommitFailedError, attempts=8, timeout=60.0):
            with attempt, errors(action):
                _append_to_table(group, {name: kind for name, kind, _ in new})
    except CommitFailedError as error:
        raise WriteConflict(f"cannot {action}: other writers kept winning") from error
    except (DeltaError, OSError) as error:
        raise StorageError(f"cannot {action}: {str(error).splitlines()[0]}; nothing was changed") from error
    with errors(action):
        # Sends the whole schema: what it has now, and what it does not have yet.
        group.update_features([Feature(name, kind, description=text) for name, kind, text in new])


def _append_to_table(group: Any, kinds: dict[str, str]) -> None:
    """Add the columns to the Delta table of ``group``, reached and typed as the client's own inserts are."""
    import pyarrow as pa
    from deltalake import DeltaTable, Schema
    from deltalake.exceptions import TableNotFoundError
    from hopsworks_common.core.type_systems import _convert_offline_type_to_pyarrow_type as arrow_type
    from hsfs.core.feature_group_engine import FeatureGroupEngine

    client = FeatureGroupEngine._delta_engine_for(group)
    where, options = client._get_delta_rs_location(), client._get_delta_rs_storage_options()
    try:
        table = DeltaTable(where, storage_options=options)
    except TableNotFoundError:
        return  # the first insert makes it, with all columns
    there = {field.name for field in table.schema().fields}
    lacking = pa.schema([(name, arrow_type(kind)) for name, kind in kinds.items() if name not in there])
    if lacking.names:
        table.alter.add_columns(Schema.from_arrow(lacking).fields)
