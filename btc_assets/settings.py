"""Every setting in one typed object, read from ``BTC_*`` environment variables, checked at start."""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from btc_assets.errors import ConfigurationError
from btc_assets.vocabulary import CHANNELS, SOURCES, STORES

PREFIX = "BTC_"
OUTSIDE = ("s3://", "git+file://", "git+ssh://", "git+https://")
"""How the address of a sink that keeps heads can begin, if it is no file."""

PATHS = ("data_dir", "cache_dir", "archive", "landing", "ledger_tsa_roots", "ledger_headers", "ledger_sink")
"""Settings that may name files or folders."""

FOLDERS = ("archive", "data_dir", "landing")
SCHEMES = {
    "binance_url": ("https", "http"),
    "s3_endpoint": ("https", "http"),
    "archive": ("https", "http"),
    "data_dir": ("s3",),
    "landing": ("s3",),
}
"""How an address in a setting can begin; without a scheme, those of ``FOLDERS`` are folders."""


def _check_known(value: str, known: Sequence[str]) -> str:
    """Return ``value`` if it is one of ``known``, else refuse it and name the nearest."""
    if value in known:
        return value
    near = difflib.get_close_matches(value, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
    raise ValueError(f"is unknown; {hint}")


Source = Annotated[str, AfterValidator(lambda value: _check_known(value, SOURCES))]
Store = Annotated[str, AfterValidator(lambda value: _check_known(value, STORES))]


class Settings(BaseModel):
    """What can be configured. Each field is the variable ``BTC_<NAME>``; docs/configuration.md lists them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Source = Field("binance", description=f"where candles come from: {', '.join(SOURCES)}")
    symbol: Annotated[str, Field(pattern=r"^[A-Z0-9]{5,20}$")] = Field(
        "BTCUSDT", description="trading pair, e.g. BTCUSDT"
    )
    store: Store = Field("local", description=f"where tables are kept: {' or '.join(STORES)}")
    registry: Store = Field("local", description=f"where models are kept: {' or '.join(STORES)}")
    data_dir: str = Field("data", description="folder or s3:// address of tables, models and ledger")
    cache_dir: Path = Field(
        Path(".cache"), description="folder of verified local copies of remote tables and models"
    )
    archive: str = Field("", description="folder or URL with Binance's public dumps, for source=archive")
    landing: str = Field(
        "", description="s3:// prefix or folder that the Lambda writes candles to, for source=landing"
    )
    binance_url: str = Field(
        "https://data-api.binance.vision", description="base URL of the exchange's REST API"
    )
    source_deadline: float = Field(
        120.0, gt=0, description="seconds a request to the source may take, retries included"
    )
    refit_every: int = Field(7, ge=1, le=365, description="days between refits of the networks")
    live_hours: int = Field(
        6, ge=1, le=24, description="hours after the close within which a forecast counts as issued live"
    )
    ledger_tsa_roots: str = Field(
        "", description="PEM file with the root certificates that a time-stamping authority must lead to"
    )
    ledger_headers: str = Field(
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
    web_host: str = Field("127.0.0.1", description="address the web page listens on")
    web_port: int = Field(8050, ge=1, le=65535, description="port of the web page")
    web_proxies: int = Field(
        0, ge=0, le=5, description="trusted reverse proxies in front of the web page, which name the client"
    )
    web_metrics_port: int = Field(
        0, ge=0, le=65535, description="port of the web page's /metrics, never the page's own; 0: none"
    )
    metrics_host: str = Field("127.0.0.1", description="address that /metrics listens on")
    metrics_port: int = Field(
        0, ge=0, le=65535, description="port of /metrics of data, forecasts, ledger and runs; 0: none"
    )
    dagster_host: str = Field(
        "127.0.0.1", description="address Dagster's UI listens on; it has no login of its own"
    )
    dagster_hosts: str = Field(
        "",
        description="names under which Dagster's UI is reached, as through a reverse proxy, separated by "
        "commas; IP addresses and names such as localhost, without a dot or ending in .internal need none",
    )
    dagster_port: int = Field(3000, ge=1, le=65535, description="port of Dagster's UI")
    stale_after_hours: float = Field(3.0, gt=0, description="hours after which data counts as stale")
    notify_smtp: Annotated[str, Field(pattern=r"^(smtps?://[^\s/@]+)?$")] = Field(
        "",
        description="mail server of the mail channel: smtp://host:587 (TLS if offered) or smtps://host:465",
    )
    notify_smtp_user: str = Field("", description="user name at the mail server; empty: none is needed")
    notify_smtp_password: SecretStr = Field(SecretStr(""), description="password at the mail server")
    notify_from: str = Field("", description="sender address of the mails")
    notify_to: str = Field("", description="recipients of the mails, separated by commas")
    notify_webhook: SecretStr = Field(
        SecretStr(""),
        description="http(s) address that notifications are posted to as JSON; a secret, since such an "
        "address often holds a token",
    )
    notify: str = Field(
        "log",
        description=f"channels that notify of failed runs and late data: {', '.join(CHANNELS)}; empty: none",
    )
    s3_endpoint: str = Field("", description="endpoint of an S3-compatible store; empty: AWS")
    hopsworks_host: str = Field(
        "", description="address of the Hopsworks server, host or host:port; empty: its own cloud"
    )
    hopsworks_project: str = Field("", description="name of the Hopsworks project")
    hopsworks_data_source: str = Field(
        "", description="S3, GCS or ADLS data source of the feature groups; empty: the project's own storage"
    )
    hopsworks_api_key: SecretStr = Field(SecretStr(""), description="API key; HOPSWORKS_API_KEY works too")

    @field_validator(
        "data_dir", "cache_dir", "archive", "landing", "ledger_tsa_roots", "ledger_headers", mode="before"
    )
    @classmethod
    def _at_home(cls, value: object, info: ValidationInfo) -> object:
        """Expand ``~`` at the beginning of a path; a folder that is written to must have a name."""
        path = _expand_home(os.fspath(value)) if isinstance(value, str | os.PathLike) else value
        if info.field_name in ("data_dir", "cache_dir") and not str(path).strip():
            raise ValueError("is empty; name a folder, or leave the variable unset")
        return path

    @field_validator("data_dir", mode="after")
    @classmethod
    def _folder_or_bucket(cls, value: str) -> str:
        if "://" in value and not value.startswith("s3://"):
            raise ValueError("is neither a folder nor an s3:// address")
        return value

    @field_validator("binance_url", "archive", "data_dir", "landing", "s3_endpoint", mode="after")
    @classmethod
    def _no_trailing_slash(cls, value: str) -> str:
        if any(c in value for c in "\n\r\0"):
            raise ValueError("holds a line break or a null byte")
        return value.rstrip("/") if len(value) > 1 else value

    @field_validator("web_host", "dagster_host", "metrics_host", mode="after")
    @classmethod
    def _host(cls, value: str) -> str:
        """Take an IPv6 address with or without the brackets that it has in a URL."""
        bare = value.removeprefix("[").removesuffix("]")
        if ":" in bare:
            ipaddress.IPv6Address(bare)
        elif not re.fullmatch(r"[A-Za-z0-9._-]+", bare):
            raise ValueError("is no IP address and no name of a host")
        return bare

    @field_validator("binance_url", "s3_endpoint", "archive", "data_dir", "landing", mode="after")
    @classmethod
    def _scheme(cls, value: str, info: ValidationInfo) -> str:
        """Refuse an address that could never be reached; a folder is no address."""
        known = SCHEMES[str(info.field_name)]
        may_be_folder, may_be_empty = info.field_name in FOLDERS, info.field_name != "binance_url"
        if "://" not in value and (may_be_folder or (not value and may_be_empty)):
            return value
        scheme, _, rest = value.partition("://")
        if "://" not in value or scheme not in known or not urlsplit(f"//{rest}").hostname:
            raise ValueError(f"is no {' or '.join(f'{name}://' for name in known)} address")
        return value

    @field_validator("ledger_sink", mode="after")
    @classmethod
    def _known_sink(cls, value: str, info: ValidationInfo) -> str:
        """Check that every sink is known and has what it needs, said by fields that come before this one."""
        for sink in cls.split(value, ";"):
            kind, _, address = sink.partition("+")
            if kind == "ots":
                calendars = calendars_of(address)
                if len({urlsplit(calendar).netloc for calendar in calendars}) < 2:
                    raise ValueError("ots+ needs two calendars or more: one may be down, or lie")
            elif kind == "tsa":
                _private_address(address)
                if not info.data.get("ledger_tsa_roots"):
                    raise ValueError(f"tsa+ needs {PREFIX}LEDGER_TSA_ROOTS")
            elif "://" in sink and not sink.startswith(OUTSIDE):
                raise ValueError(
                    "is not a file, s3://, git+file://, git+ssh://, git+https://, ots+https:// or "
                    "tsa+https:// address"
                )
        return value

    @field_validator("ledger_headers", mode="after")
    @classmethod
    def _file_or_explorer(cls, value: str) -> str:
        return _private_address(value) if "://" in value else value

    @field_validator("notify_smtp_user", "notify_from", "notify_to", mode="after")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if not value.isprintable():
            raise ValueError("holds a line break or another character that no mail header can carry")
        return value.strip()

    @field_validator("notify_webhook", mode="after")
    @classmethod
    def _web_address(cls, value: SecretStr) -> SecretStr:
        address = value.get_secret_value()
        if address and not (address.startswith(("http://", "https://")) and address.isprintable()):
            raise ValueError("is not an http:// or https:// address on one line")
        return value

    @field_validator("notify", mode="after")
    @classmethod
    def _reachable(cls, value: str, info: ValidationInfo) -> str:
        """Check that every channel is known and has what it needs, said by earlier fields."""
        needed = {"mail": ("notify_smtp", "notify_from", "notify_to"), "webhook": ("notify_webhook",)}
        for name in cls.split(value):
            _check_known(name, CHANNELS)
            empty = [PREFIX + field.upper() for field in needed.get(name, ()) if _empty(info.data.get(field))]
            if empty:
                raise ValueError(f"{name} needs {', '.join(empty)}")
        return value

    @staticmethod
    def split(text: str, by: str = ",") -> list[str]:
        """Split a comma-separated list; repeated parts count once."""
        return list(dict.fromkeys(part.strip() for part in text.split(by) if part.strip()))

    @property
    def simulated(self) -> bool:
        """Whether the market is simulated."""
        return self.source == "simulated"

    @property
    def dagster_home(self) -> str:
        """The folder of Dagster's own records: ``DAGSTER_HOME``, or one beside the data."""
        base = (
            f"{self.cache_dir}/{'simulated' if self.simulated else 'real'}"
            if "://" in self.data_dir
            else self.root
        )
        return _expand_home(os.environ.get("DAGSTER_HOME") or f"{base}/dagster")

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
                found[PREFIX + name.upper()] = _absolute(text) if name in PATHS else text
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


def load(environ: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """Load the settings from the environment, with ``overrides`` (command-line flags) on top.

    Variables that only a file ``.env`` in the working folder sets become part of the environment, as Dagster
    makes them: every process sees the same.

    Raises:
        ConfigurationError: an unknown ``BTC_*`` variable (with the nearest known one) or a bad value.

    Examples:
        >>> load({"BTC_SOURCE": "simulated"}, web_port=8080).web_port
        8080
        >>> load({"BTC_SOURCE": "binanse"})
        Traceback (most recent call last):
        btc_assets.errors.ConfigurationError: BTC_SOURCE = 'binanse': is unknown; did you mean binance?
    """
    if environ is None:
        _read_dotenv(Path(".env"))
        environ = os.environ
    known = {PREFIX + name.upper(): name for name in Settings.model_fields}
    given = {k: v for k, v in environ.items() if k.startswith(PREFIX)}
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; `btc settings` lists all"
            raise ConfigurationError(f"unknown setting {key}{hint}")
    values = {known[k]: v for k, v in given.items()} | {k: v for k, v in overrides.items() if v is not None}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError(_explain(error)) from None


def _read_dotenv(path: Path) -> None:
    if not path.is_file():
        return
    from dotenv import load_dotenv

    try:
        load_dotenv(path, override=False)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path.absolute()} cannot be read: {error}") from error


def calendars_of(text: str) -> list[str]:
    """Return the addresses of calendars in a list with commas, ``https://`` where one has no scheme.

    Raises:
        ValueError: one is no address that a hash may be sent to.
    """
    parts = [part if "://" in part else f"https://{part}" for part in Settings.split(text)]
    return [_private_address(part.rstrip("/")) for part in parts]


def _private_address(address: str) -> str:
    """Check ``address``: https, or http on this machine, without a user, a query or odd characters."""
    parts = urlsplit(address)
    here = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
    if not parts.hostname or not (parts.scheme == "https" or here):
        said = address or "nothing"
        raise ValueError(f"{said} is not an https:// address (http:// is for this machine alone)")
    if parts.query or parts.fragment or "@" in parts.netloc or not re.fullmatch(r"[!-~]+", address):
        raise ValueError(f"{address} holds a user, a query, a fragment or an odd character")
    return address


def _absolute(paths: str) -> str:
    """Return a list of paths, parted by semicolons, as absolute ones, and addresses as they are."""
    return ";".join(
        part if not part or "://" in part else str(Path(part).absolute()) for part in paths.split(";")
    )


def in_url(host: str) -> str:
    """Return ``host`` as it is written in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def _expand_home(path: str) -> str:
    """Return ``path`` with the home folder in the place of a leading ``~`` or ``~user``."""
    if not path.startswith("~"):
        return path
    try:
        return str(Path(path).expanduser())
    except RuntimeError:
        raise ValueError(f"{path} begins with a home folder that this machine does not know") from None


def _empty(value: object) -> bool:
    return not (value.get_secret_value() if isinstance(value, SecretStr) else value)


def _is_secret(name: str) -> bool:
    field = Settings.model_fields.get(name)
    return field is None or field.annotation is SecretStr


def _explain(error: ValidationError) -> str:
    """Return one sentence per bad setting: the variable and the rule it breaks, never a secret's value."""
    parts = []
    for item in error.errors():
        name = str(item["loc"][0]) if item["loc"] else "settings"
        shown = "" if _is_secret(name) else f" = {item['input']!r}"
        parts.append(f"{PREFIX}{name.upper()}{shown}: {item['msg'].removeprefix('Value error, ')}")
    return "; ".join(parts)
