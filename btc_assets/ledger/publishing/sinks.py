"""Where the newest hash is published, and who dates it: as ``BTC_LEDGER_SINK`` says, one place or several.

A file (``FileSink``), S3 with object lock (``s3``) or a git repository (``git``) hold it outside the store;
OpenTimestamps calendars (``calendars``) and a time-stamping authority (``authority``) prove when it existed.
"""

from __future__ import annotations

import datetime as dt
import errno
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from btc_assets.errors import ConfigurationError, LedgerError, StorageError
from btc_assets.ledger.publishing.published import HeadSink, Published, is_there, line_of, parse_lines
from btc_assets.ledger.records import Head
from btc_assets.settings import Settings, calendars_of, split
from btc_assets.storage.tables import TableStore


def open_sink(settings: Settings, tables: TableStore) -> HeadSink | None:
    """Return the sinks of ``settings.ledger_sink`` as one, or None where none is set.

    Args:
        tables: the store, where proofs of time are kept beside the heads.
    """
    sinks = [_open(sink, settings, tables) for sink in split(settings.ledger_sink, ";")]
    return sinks[0] if len(sinks) == 1 else Sinks(sinks) if sinks else None


def _open(location: str, settings: Settings, tables: TableStore) -> HeadSink:
    if location.startswith("s3://"):
        from btc_assets.ledger.publishing.s3 import S3Sink

        return S3Sink(location, settings.s3_endpoint, dt.timedelta(days=settings.ledger_lock_days))
    if location.startswith("git+"):
        from btc_assets.ledger.publishing.git import GitSink

        return GitSink(location.removeprefix("git+"))
    if location.startswith("ots+"):
        from btc_assets.ledger.publishing.block_headers import BlockHeaders
        from btc_assets.ledger.publishing.calendars import CalendarSink

        addresses = calendars_of(location.removeprefix("ots+"))
        return CalendarSink(tables, addresses, BlockHeaders(settings.ledger_headers))
    if location.startswith("tsa+"):
        from btc_assets.ledger.publishing.authority import AuthoritySink

        return AuthoritySink(tables, location.removeprefix("tsa+"), Path(settings.ledger_tsa_roots))
    return FileSink(location)


def publish_head(settings: Settings, tables: TableStore, head: Head) -> str:
    """Publish ``head`` where the settings say; returns what came of it, in words.

    A sink that fails does not undo what was issued: the forecast stands, and the asset check
    ``head_published`` stays red until a later run has published a newer head.
    """
    try:
        sink = open_sink(settings, tables)
        if sink is None:
            return "not published: BTC_LEDGER_SINK is not set"
        sink.publish(head)
    except (LedgerError, StorageError, ConfigurationError) as error:
        return f"NOT published: {error}"
    return f"published to {sink.location}"


def read_places(sink: HeadSink, symbol: str) -> dict[str, list[Published]]:
    """Return the heads of ``symbol`` by the place of ``sink`` that holds them; each place is read once.

    Raises:
        LedgerError: one cannot be read.
    """
    places = sink.sinks if isinstance(sink, Sinks) else [sink]
    return {place.location: place.published(symbol) for place in places}


def missing(places: Mapping[str, Sequence[Published]], head: Head) -> list[str]:
    """Return the ``places`` that do not hold ``head``, in words."""
    return [
        f"record {head.seq} ({head.record_sha256}) is not at {location}"
        for location, published in places.items()
        if not is_there(published, head)
    ]


class Sinks:
    """Several sinks: each gets every head, whatever becomes of the others."""

    def __init__(self, sinks: Sequence[HeadSink]) -> None:
        self.sinks = sinks
        self.location = "; ".join(sink.location for sink in sinks)

    def publish(self, head: Head) -> None:
        """Publish to all.

        Raises:
            LedgerError: of those that failed; the others have it.
        """
        failures = []
        for sink in self.sinks:
            try:
                sink.publish(head)
            except (LedgerError, StorageError, ConfigurationError) as error:
                failures.append(f"{sink.location}: {error}")
        if failures:
            raise LedgerError("; ".join(failures))

    def published(self, symbol: str) -> list[Published]:
        """Return the heads of all, one after the other."""
        return [head for sink in self.sinks for head in sink.published(symbol)]


class FileSink:
    """A file that lines are appended to: on another disk, a mounted share, or one that a person mails."""

    def __init__(self, path: str | Path) -> None:
        self.location = str(path)
        self._path = Path(path)

    def publish(self, head: Head) -> None:
        """Append a line, flushed to the disk before this returns; on a full disk all of it or nothing."""
        content = self._read()
        if is_there(parse_lines(content, head.symbol, self.location), head):
            return
        line = line_of(head, content)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab", buffering=0) as file:
                begun = file.tell()
                if file.write(line) < len(line):
                    file.truncate(begun)
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # noqa: TRY301
                os.fsync(file.fileno())
        except OSError as error:
            raise LedgerError(f"the head could not be published to {self._path}: {error.strerror}") from error

    def published(self, symbol: str) -> list[Published]:
        """Return the lines of ``symbol``."""
        return parse_lines(self._read(), symbol, self.location)

    def _read(self) -> bytes:
        try:
            if not stat.S_ISREG(self._path.stat().st_mode):  # a pipe or a device may have no end
                raise LedgerError(f"BTC_LEDGER_SINK: {self._path} is no file; name one, there or not yet")
            return self._path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise LedgerError(f"published heads could not be read: {self._path}: {error.strerror}") from error
