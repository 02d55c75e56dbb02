"""Check one record: each field has one regular form, and what it says of itself is possible."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from btc_assets.ledger.chain import ADOPTED
from btc_assets.ledger.clock import TOLERANCE
from btc_assets.ledger.records import IssueRecord
from btc_assets.market.issue_timing import deadline

_SHA256 = re.compile("[0-9a-f]{64}")
_NAME = re.compile("[A-Za-z0-9_]{1,24}")
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_VINTAGE = {"model", "vintage", "revision", "manifest_sha256"}


def problems(
    record: IssueRecord, known: Collection[str], *, limited: bool, may_be_adopted: bool
) -> Iterator[str]:
    """Say what of ``record`` is not as a record must be.

    Args:
        record: any.
        known: the series that the record of a forecast before it knows: none may know less.
        limited: whether one before it says within how many hours after the close it is live.
        may_be_adopted: whether it is of the time when the chain began.
    """
    if not isinstance(record.settings, Mapping) or "unreadable" in record.settings:
        yield "its settings cannot be read"
        return
    if isinstance(record.vintages, Mapping) or not all(_is_vintage(entry) for entry in record.vintages):
        yield "an entry of its vintages cannot be read: model, day, revision and hash are needed"
        return
    if record.kind == "genesis":
        if (
            record.rows
            or record.rows_sha256
            or record.vintages
            or any(s.sha256 for s in record.inputs.values())
        ):
            yield "a genesis record vouches for no forecast, but this one names one"
        return
    adopted = may_be_adopted and record.note == ADOPTED
    yield from _inputs(record, known, adopted=adopted)
    yield from _live_hours(record, limited=limited and not adopted)
    if record.rows < 1 or not _SHA256.fullmatch(record.rows_sha256):
        yield f"it vouches for {record.rows} rows that hash to {record.rows_sha256!r}"
    early, late = sorted((record.local_clock, record.source_clock))
    if late - early > TOLERANCE and early < deadline(record.origin_date):
        yield "its two clocks do not agree, so that nobody can tell whether it is live"


def _inputs(record: IssueRecord, known: Collection[str], *, adopted: bool) -> Iterator[str]:
    """Only what was there before the chain began has no inputs and no models."""
    models = [entry["model"] for entry in record.vintages]
    if models != sorted(set(models)):
        yield "its vintages name a model twice, or are out of order"
    hashes = [
        record.features_sha256,
        *(record.inputs[name].sha256 for name in known if name in record.inputs),
    ]
    if adopted and not models and not any(hashes):
        return
    if record.note == ADOPTED and not adopted:
        yield "only what was there when the chain began may be without inputs and models"
    if not models:
        yield "it names no model"
    if not all(_SHA256.fullmatch(sha256) for sha256 in hashes) or not set(known) <= record.inputs.keys():
        yield "it does not say what it was computed from: the hash of an input is empty or none"


def _live_hours(record: IssueRecord, *, limited: bool) -> Iterator[str]:
    hours = record.settings.get("live_hours")
    if hours is None and limited:
        yield "it does not say within how many hours after the close it is live, as one before it does"
    if hours is not None and (type(hours) is not int or not 1 <= hours <= 24):
        yield f"it is live within {hours!r} hours after the close, which is not 1 to 24"


def _is_vintage(entry: Mapping[str, Any]) -> bool:
    if not isinstance(entry, Mapping) or set(entry) != _VINTAGE:
        return False
    model, day, sha256 = (entry[key] for key in ("model", "vintage", "manifest_sha256"))
    if not all(isinstance(text, str) for text in (model, day, sha256)) or type(entry["revision"]) is not int:
        return False
    return bool(
        _NAME.fullmatch(model) and _SHA256.fullmatch(sha256) and _is_day(day) and entry["revision"] >= 0
    )


def _is_day(text: str) -> bool:
    try:
        return bool(_DAY.fullmatch(text) and dt.date.fromisoformat(text))
    except ValueError:
        return False
