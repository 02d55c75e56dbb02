"""Every table by name, for the commands that take one."""

from __future__ import annotations

from functools import cache

from btc_assets.contracts import TableSpec


@cache
def all_tables() -> dict[str, TableSpec]:
    """Return all tables of the project by name."""
    from btc_assets import contracts
    from btc_assets.ledger.arena_records import ARENA_RECORDS
    from btc_assets.ledger.publishing.timestamps import HEAD_TIMESTAMPS
    from btc_assets.ledger.records import ISSUE_RECORDS
    from btc_assets.modeling.features import ENGINEERED_FEATURES

    specs = [value for value in vars(contracts).values() if isinstance(value, TableSpec)]
    return {
        spec.name: spec
        for spec in [*specs, ENGINEERED_FEATURES, ISSUE_RECORDS, ARENA_RECORDS, HEAD_TIMESTAMPS]
    }
