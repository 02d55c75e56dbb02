"""What the function is told by its environment, checked when it starts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from btc_assets.errors import ConfigurationError
from btc_assets.market.sources.binance import PUBLIC_URL

_SYMBOL = re.compile(r"[A-Z0-9]{5,20}", re.ASCII)


@dataclass(frozen=True, slots=True)
class DagsterAccess:
    """Where the Dagster of this deployment is, and how to get in."""

    url: str = ""
    """``DAGSTER_URL``: address of the webserver or Dagster+ deployment; empty: there is none."""
    token: str = field(default="", repr=False)
    token_secret: str = ""
    """``DAGSTER_TOKEN_SECRET``: ARN or name of the token in Secrets Manager; wins over ``DAGSTER_TOKEN``."""


@dataclass(frozen=True, slots=True)
class Config:
    """The variables, under the names that the template gives them."""

    landing: str
    """``BTC_LANDING``: s3:// prefix (or folder) that candles are landed in."""
    symbol: str = "BTCUSDT"
    binance_url: str = PUBLIC_URL
    s3_endpoint: str = ""
    dagster: DagsterAccess = DagsterAccess()
    """Without one, candles are landed and nothing is started."""


def config_from(environ: Mapping[str, str]) -> Config:
    """Return the configuration in ``environ``.

    Raises:
        ConfigurationError: a variable is missing or wrong; never shows the token.
    """
    config = Config(
        landing=environ.get("BTC_LANDING", "").rstrip("/"),
        symbol=environ.get("BTC_SYMBOL", "BTCUSDT"),
        binance_url=environ.get("BTC_BINANCE_URL") or PUBLIC_URL,
        s3_endpoint=environ.get("BTC_S3_ENDPOINT", ""),
        dagster=dagster_access(environ),
    )
    if not config.landing:
        raise ConfigurationError(
            "BTC_LANDING is empty; set it to the s3:// prefix that candles are landed in"
        )
    if not _SYMBOL.fullmatch(config.symbol):
        raise ConfigurationError(f"BTC_SYMBOL = {config.symbol!r:.50} is no trading pair")
    _require_address("BTC_BINANCE_URL", config.binance_url)
    return config


def dagster_access(environ: Mapping[str, str]) -> DagsterAccess:
    """Return how to reach Dagster by ``environ``.

    Raises:
        ConfigurationError: the address or the token can be none; never shows the token.
    """
    access = DagsterAccess(
        url=environ.get("DAGSTER_URL", "").rstrip("/"),
        token=environ.get("DAGSTER_TOKEN", ""),
        token_secret=environ.get("DAGSTER_TOKEN_SECRET", ""),
    )
    _require_address("DAGSTER_URL", access.url)
    if access.token and not (access.token.isascii() and access.token.isprintable()):
        raise ConfigurationError("DAGSTER_TOKEN holds a line break or a character no header can carry")
    return access


def _require_address(name: str, url: str) -> None:
    if url and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
        raise ConfigurationError(f"{name} = {url!r:.100} is no http(s) address")
