"""Every error a user can act on, as one small tree; each message says what, where and what to do.

BtcError
├── ConfigurationError      a setting, argument or environment variable is wrong
├── SourceError             the exchange or the dumps
│   ├── SourceUnavailable   passing: worth a retry
│   ├── SourceBanned        the exchange told us to stay away until a given time
│   ├── SourceRefused       lasting: geo-block, firewall, bad symbol, foreign redirect
│   ├── NoDataYet           the day is not closed or not published yet
│   └── BadCandle           the source answered with something that cannot be true
│       └── HeldCandle      the price jumped beyond belief: held until a person releases it
├── StorageError            tables and model files
│   ├── StorageUnavailable  a remote store did not answer: worth a retry
│   ├── TableMissing        nothing has been written yet
│   ├── CorruptData         a file does not hash to what was written
│   ├── WriteConflict       another writer won; the retries are spent
│   └── Unsupported         this backend cannot do that
├── ModelError              networks and vintages
│   ├── NotEnoughHistory    too few rows to fit or forecast; says how many are needed
│   ├── BadModel            a model folder that must not be used
│   └── FitFailed           training ended in something that is not a model
├── LedgerError             the chain of issue records does not hold
├── NotDelivered            a notification reached nobody; it is tried again
└── BackupError             an archive of a store is damaged, or does not belong here
"""

from __future__ import annotations

import datetime as dt


class BtcError(Exception):
    """Base of all errors of this project; ``str(error)`` is fit to be shown to a person."""


class ConfigurationError(BtcError):
    """A setting, argument or environment variable is wrong; names it, and never shows a secret."""


class SourceError(BtcError):
    """A market-data source failed."""


class SourceUnavailable(SourceError):
    """The source could not be reached or failed in a way that can pass; retrying later is right."""


class SourceBanned(SourceError):
    """The exchange banned this address (HTTP 418); no call may be made before ``until`` (UTC)."""

    def __init__(self, message: str, until: dt.datetime) -> None:
        super().__init__(message)
        self.until = until


class SourceRefused(SourceError):
    """The source will never answer this request as it stands (451, 403, bad symbol, redirect)."""


class NoDataYet(SourceError):
    """A finished candle for the day does not exist yet; the message says when it should."""


class BadCandle(SourceError):
    """The source sent a candle that cannot be true; the message holds the row and the field."""


class HeldCandle(BadCandle):
    """A candle may be true but is too strange to be stored unseen; releasing its day lets it pass."""


class StorageError(BtcError):
    """Tables or model files could not be read or written."""


class StorageUnavailable(StorageError):
    """A remote store could not be reached or failed in a way that can pass; retrying later is right."""


class TableMissing(StorageError):
    """The table was never written; the message says which asset to materialise."""


class CorruptData(StorageError):
    """A stored file is damaged or missing; it was refused before it was decoded."""


class WriteConflict(StorageError):
    """Another writer changed the same rows and the retries are spent; nothing was lost."""


class Unsupported(StorageError):
    """The chosen backend cannot do what was asked."""


class ModelError(BtcError):
    """A network or vintage cannot be fitted, loaded or used."""


class NotEnoughHistory(ModelError):
    """Too few candles before the origin; the message says how many are needed and there are."""


class BadModel(ModelError):
    """A model folder failed verification and was not opened."""


class FitFailed(ModelError):
    """Training did not end in finite, ordered quantiles."""


class LedgerError(BtcError):
    """An issue record, or something it vouches for, is not what was recorded."""


class NotDelivered(BtcError):
    """A channel did not take a notification; names the channel and never shows its secrets."""


class BackupError(BtcError):
    """A backup cannot be made, or an archive is damaged or belongs elsewhere; nothing was changed."""
