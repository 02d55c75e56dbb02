"""Where the newest hash is published, outside the store: who rewrites the store cannot rewrite this.

A file (``FileSink``), S3 with object lock (``sink_s3``) or a git repository (``sink_git``), as
``BTC_LEDGER_SINK`` says.
"""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

from btc_assets.errors import LedgerError
from btc_assets.ledger.publishing.published import HeadSink, Published, is_there, line_of, parse_lines
from btc_assets.ledger.records import Head
from btc_assets.settings import Settings


def open_sink(settings: Settings) -> HeadSink | None:
    """The sink of ``settings.ledger_sink``, or None where none is set."""
    location = settings.ledger_sink
    if not location:
        return None
    if location.startswith("s3://"):
        from btc_assets.ledger.publishing.s3 import S3Sink

        return S3Sink(location, settings.s3_endpoint, dt.timedelta(days=settings.ledger_lock_days))
    if location.startswith("git+"):
        from btc_assets.ledger.publishing.git import GitSink

        return GitSink(location.removeprefix("git+"))
    return FileSink(location)


def publish_head(settings: Settings, head: Head) -> str:
    """Publish ``head`` where the settings say; returns what came of it, in words.

    A sink that fails does not undo what was issued: the forecast stands, and the asset check
    ``head_published`` stays red until a later run has published a newer head.
    """
    try:
        sink = open_sink(settings)
        if sink is None:
            return "not published: BTC_LEDGER_SINK is not set"
        sink.publish(head)
    except LedgerError as error:
        return f"NOT published: {error}"
    return f"published to {sink.location}"


class FileSink:
    """A file that lines are appended to: on another disk, a mounted share, or one that a person mails."""

    def __init__(self, path: str | Path) -> None:
        self.location = str(path)
        self._path = Path(path)

    def publish(self, head: Head) -> None:
        """Append a line, flushed to the disk before this returns."""
        try:
            if is_there(self.published(head.symbol), head):
                return
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                file.write(line_of(head))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise LedgerError(f"the head could not be published to {self._path}: {error.strerror}") from error

    def published(self, symbol: str) -> list[Published]:
        """The lines of ``symbol``."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise LedgerError(f"published heads could not be read: {self._path}: {error.strerror}") from error
        return parse_lines(content, symbol, self.location)
