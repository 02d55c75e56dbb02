"""The newest record of the ledger, for the About page."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from btc_assets.errors import StorageError
from btc_assets.ledger.records import ISSUE_RECORDS
from btc_dash.data.cache import Reader


@dataclass(frozen=True, slots=True)
class LedgerHead:
    """The newest record: its number, its hash, when it was written, and since when the chain runs."""

    seq: int
    sha256: str
    issued_at: dt.datetime
    began: dt.date


def ledger_head(reader: Reader) -> LedgerHead | None:
    """The head of the chain of issue records, None where no chain was begun or it cannot be read."""

    def load() -> LedgerHead | None:
        rows = reader.read(ISSUE_RECORDS, ["seq", "record_sha256", "issued_at", "began"]).sort("seq")
        if rows.is_empty():
            return None
        last = rows.row(-1, named=True)
        return LedgerHead(last["seq"], last["record_sha256"], last["issued_at"], last["began"])

    try:
        return reader.keep(ISSUE_RECORDS, "head", load)
    except (StorageError, OSError):
        return None
