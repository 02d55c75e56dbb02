"""The settings as one typed object: what can be configured, its defaults, and what follows from it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from btc_assets.settings.values import (
    DataFolder,
    Endpoint,
    File,
    FileOrExplorer,
    Folder,
    FolderOrBucket,
    FolderOrUrl,
    Host,
    HostAndPort,
    Hosts,
    HttpAddress,
    HttpAddressOrEmpty,
    MailServer,
    MailText,
    Pair,
    Recipients,
    SecretAddress,
    Source,
    Store,
    VolatilitySource,
    absolute,
    calendars_of,
    check_known,
    expand_home,
    in_url,
    is_empty,
    private_address,
    split,
)
from btc_assets.vocabulary import CHANNELS, SOURCES, STORES, VOLATILITY_SOURCES

PREFIX = "BTC_"
OUTSIDE = ("s3://", "git+file://", "git+ssh://", "git+https://")
"""How the address of a sink that keeps heads can begin, if it is no file."""

INDEXED = ("BTC", "ETH")
"""Coins that Deribit has a volatility index of."""

PATHS = (
    "data_dir",
    "cache_dir",
    "archive",
    "landing",
    "published",
    "ledger_tsa_roots",
    "ledger_headers",
    "ledger_sink",
)
"""Settings that may name files or folders."""


class Settings(BaseModel):
    """What can be configured. Each field is the variable ``BTC_<NAME>``; docs/configuration.md lists them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Source = Field("binance", description=f"where candles come from: {', '.join(SOURCES)}")
    symbol: Pair = Field("BTCUSDT", description="trading pair, e.g. BTCUSDT")
    store: Store = Field("local", description=f"where tables are kept: {' or '.join(STORES)}")
    registry: Store = Field("local", description=f"where models are kept: {' or '.join(STORES)}")
    data_dir: DataFolder = Field(
        "data",
        description="folder or s3:// address of tables, models and ledger; an https:// address, to read "
        "somebody else's",
    )
    cache_dir: Folder = Field(
        Path(".cache"), description="folder of verified local copies of remote tables and models"
    )
    archive: FolderOrUrl = Field(
        "", description="folder or URL with Binance's public dumps, for source=archive"
    )
    landing: FolderOrBucket = Field(
        "", description="s3:// prefix or folder that the Lambda writes candles to, for source=landing"
    )
    landing_function: Annotated[str, Field(pattern=r"^[A-Za-z0-9:$_-]{0,170}$")] = Field(
        "",
        description="name or ARN of the Lambda that lands candles, which raw_klines has land a day that is "
        "missing, for source=landing; empty: no function is asked",
    )
    binance_url: HttpAddress = Field(
        "https://data-api.binance.vision", description="base URL of the exchange's REST API"
    )
    source_deadline: float = Field(
        120.0, gt=0, le=86400, description="seconds a request to the source may take, retries included"
    )
    implied_volatility: VolatilitySource = Field(
        "off",
        description=f"where implied volatility comes from: {', '.join(VOLATILITY_SOURCES)}; deribit: you "
        "fetch it yourself, under Deribit's terms, for personal use; simulated: with source=simulated alone",
    )
    deribit_url: HttpAddress = Field(
        "https://www.deribit.com", description="base URL of Deribit's API, for implied_volatility=deribit"
    )
    refit_every: int = Field(7, ge=1, le=365, description="days between refits of the networks")
    record_days: int = Field(
        730,
        ge=0,
        le=3650,
        description="days that `btc up` fills the track record backwards, in the background; 0: not at all",
    )
    follow: HttpAddressOrEmpty = Field(
        "", description="address of an archive that `btc backup` wrote, whose store `btc follow` shows"
    )
    published: FolderOrUrl = Field(
        "",
        description="folder or http(s) address where states of a record are published: `btc daily` goes on "
        "from the newest, and so does `btc up` that begins with an empty data folder",
    )
    follow_minutes: int = Field(
        15,
        ge=1,
        le=1440,
        description="minutes between two looks at somebody else's store: at that address, or at a data "
        "folder on the web",
    )
    live_hours: int = Field(
        6, ge=1, le=24, description="hours after the close within which a forecast counts as issued live"
    )
    forecasters: str = Field(
        "",
        description="forecasters that compete beside the networks, names separated by commas, or all; "
        "`btc forecaster list` shows them; empty: none",
    )
    ledger_tsa_roots: File = Field(
        "", description="PEM file with the root certificates that a time-stamping authority must lead to"
    )
    ledger_headers: FileOrExplorer = Field(
        "",
        description="Bitcoin block headers that OpenTimestamps proofs are checked against: a file, or the "
        "https address of an Esplora API, e.g. https://blockstream.info/api",
    )
    ledger_sink: str = Field(
        "",
        description="where the newest record's hash is published, several separated by semicolons: a file, "
        "s3://bucket/prefix (with object lock), git+file|ssh|https://repository, ots+https://calendar,"
        "https://calendar (OpenTimestamps) or tsa+https://authority (RFC 3161); empty: nowhere",
    )
    ledger_lock_days: int = Field(
        3650, ge=1, le=36500, description="days that S3 keeps a published hash from being changed or deleted"
    )
    web_host: Host = Field("127.0.0.1", description="address the web page listens on")
    web_port: int = Field(8050, ge=1, le=65535, description="port of the web page")
    web_proxies: int = Field(
        0, ge=0, le=5, description="trusted reverse proxies in front of the web page, which name the client"
    )
    web_metrics_port: int = Field(
        0, ge=0, le=65535, description="port of the web page's /metrics, never the page's own; 0: none"
    )
    metrics_host: Host = Field("127.0.0.1", description="address that /metrics listens on")
    metrics_port: int = Field(
        0, ge=0, le=65535, description="port of /metrics of data, forecasts, ledger and runs; 0: none"
    )
    dagster_host: Host = Field(
        "127.0.0.1", description="address Dagster's UI listens on; it has no login of its own"
    )
    dagster_hosts: Hosts = Field(
        "",
        description="names under which Dagster's UI is reached, as through a reverse proxy, separated by "
        "commas; IP addresses and names such as localhost, without a dot or ending in .internal need none",
    )
    dagster_port: int = Field(3000, ge=1, le=65535, description="port of Dagster's UI")
    stale_after_hours: float = Field(3.0, gt=0, le=8760, description="hours after which data counts as stale")
    notify_smtp: MailServer = Field(
        "",
        description="mail server of the mail channel: smtp://host:587 (TLS if offered) or smtps://host:465",
    )
    notify_smtp_user: MailText = Field("", description="user name at the mail server; empty: none is needed")
    notify_smtp_password: SecretStr = Field(SecretStr(""), description="password at the mail server")
    notify_from: MailText = Field("", description="sender address of the mails")
    notify_to: Recipients = Field("", description="recipients of the mails, separated by commas")
    notify_webhook: SecretAddress = Field(
        SecretStr(""),
        description="http(s) address that notifications are posted to as JSON; a secret, since such an "
        "address often holds a token",
    )
    notify: str = Field(
        "log",
        description=f"channels that notify of failed runs and late data: {', '.join(CHANNELS)}; empty: none",
    )
    s3_endpoint: Endpoint = Field("", description="endpoint of an S3-compatible store; empty: AWS")
    s3_anonymous: bool = Field(
        False,
        description="whether data_dir is read without AWS credentials, as a public bucket allows; nothing is "
        "written then",
    )
    hopsworks_host: HostAndPort = Field(
        "", description="address of the Hopsworks server, host or host:port; empty: its own cloud"
    )
    hopsworks_project: str = Field("", description="name of the Hopsworks project")
    hopsworks_data_source: str = Field(
        "", description="S3, GCS or ADLS data source of the feature groups; empty: the project's own storage"
    )
    hopsworks_api_key: SecretStr = Field(SecretStr(""), description="API key; HOPSWORKS_API_KEY works too")

    @field_validator("implied_volatility", mode="after")
    @classmethod
    def _of_this_market(cls, value: str, info: ValidationInfo) -> str:
        """Check that it belongs to the market and the pair, said by fields that come before this one."""
        simulated, symbol = info.data.get("source") == "simulated", str(info.data.get("symbol"))
        if value == "deribit" and simulated:
            raise ValueError(f"is of the real market; with {PREFIX}SOURCE=simulated use simulated or off")
        if value == "simulated" and not simulated:
            raise ValueError(f"is made up; it needs {PREFIX}SOURCE=simulated")
        if value == "deribit" and not symbol.startswith(INDEXED):
            raise ValueError(f"has an index of {' and '.join(INDEXED)} alone, not of {symbol}; use off")
        return value

    @field_validator("web_metrics_port", "metrics_port", mode="after")
    @classmethod
    def _of_its_own(cls, value: int, info: ValidationInfo) -> int:
        """Check that no page and no other metrics have the port, said by earlier fields."""
        for other in ("web_port", "web_metrics_port"):
            if value and value == info.data.get(other):
                raise ValueError(f"is {PREFIX}{other.upper()} already")
        return value

    @field_validator("ledger_sink", mode="after")
    @classmethod
    def _known_sink(cls, value: str, info: ValidationInfo) -> str:
        """Check that every sink is known and has what it needs, said by fields that come before this one."""
        sinks = [expand_home(sink) for sink in split(value, ";")]
        for sink in sinks:
            kind, _, address = sink.partition("+")
            if kind == "ots":
                calendars = calendars_of(address)
                if len({urlsplit(calendar).netloc for calendar in calendars}) < 2:
                    raise ValueError("ots+ needs two calendars or more: one may be down, or lie")
            elif kind == "tsa":
                private_address(address)
                if not info.data.get("ledger_tsa_roots"):
                    raise ValueError(f"tsa+ needs {PREFIX}LEDGER_TSA_ROOTS")
            elif "://" in sink and not sink.startswith(OUTSIDE):
                raise ValueError(
                    "is not a file, s3://, git+file://, git+ssh://, git+https://, ots+https:// or "
                    "tsa+https:// address"
                )
            elif "://" in sink and not urlsplit(sink).netloc and not sink.startswith("git+file://"):
                raise ValueError(f"{sink} names nothing after ://")
            elif "://" not in sink and re.search(r"[,\x00-\x1f]", sink):
                raise ValueError(f"{sink!r} is no file; several sinks are separated by semicolons")
        return ";".join(sinks)

    @field_validator("notify", mode="after")
    @classmethod
    def _reachable(cls, value: str, info: ValidationInfo) -> str:
        """Check that every channel is known and has what it needs, said by earlier fields."""
        needed = {"mail": ("notify_smtp", "notify_from", "notify_to"), "webhook": ("notify_webhook",)}
        for name in split(value):
            check_known(name, CHANNELS)
            empty = [
                PREFIX + field.upper() for field in needed.get(name, ()) if is_empty(info.data.get(field))
            ]
            if empty:
                raise ValueError(f"{name} needs {', '.join(empty)}")
        return value

    @property
    def simulated(self) -> bool:
        """Whether the market is simulated."""
        return self.source == "simulated"

    @property
    def read_only(self) -> str:
        """Why nothing can be written to the data folder, in words; empty: it can."""
        if self.data_dir.startswith(("https://", "http://")):
            return "it is a web address"
        if self.data_dir.startswith("s3://") and self.s3_anonymous:
            return f"{PREFIX}S3_ANONYMOUS=1 sends no keys"
        return ""

    @property
    def dagster_home(self) -> str:
        """The folder of Dagster's own records: ``DAGSTER_HOME``, or one beside the data."""
        base = (
            f"{self.cache_dir}/{'simulated' if self.simulated else 'real'}"
            if "://" in self.data_dir
            else self.root
        )
        return expand_home(os.environ.get("DAGSTER_HOME") or f"{base}/dagster")

    def environment(self) -> dict[str, str]:
        """Return the settings that were given or differ from the defaults, as variables for another process.

        Paths are absolute, so that it may have another working folder.
        """
        found = {}
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if value != field.default or name in self.model_fields_set or name in PATHS:
                secret = getattr(value, "get_secret_value", None)
                text = str(secret() if secret else value)
                parts = text.split(";") if name == "ledger_sink" else [text]
                found[PREFIX + name.upper()] = ";".join(map(absolute, parts)) if name in PATHS else text
        return found

    @property
    def web_url(self) -> str:
        """The address of the web page."""
        return f"http://{in_url(self.web_host)}:{self.web_port}"

    @property
    def dagster_url(self) -> str:
        """The address of Dagster's UI."""
        return f"http://{in_url(self.dagster_host)}:{self.dagster_port}"

    @property
    def root(self) -> str:
        """Where this source's data lives; simulated and real data never share a folder."""
        return f"{self.data_dir}/{'simulated' if self.simulated else 'real'}"
