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
class Config:
    """The variables, under the names that the template gives them."""

    landing: str
    """``BTC_LANDING``: s3:// prefix (or folder) that candles are landed in."""
    symbol: str = "BTCUSDT"
    binance_url: str = PUBLIC_URL
    s3_endpoint: str = ""
    dagster_url: str = ""
    """``DAGSTER_URL``: address of the webserver or Dagster+ deployment; empty: land only."""
    dagster_token: str = field(default="", repr=False)
    dagster_token_secret: str = ""
    """``DAGSTER_TOKEN_SECRET``: ARN or name of the token in Secrets Manager; wins over ``DAGSTER_TOKEN``."""


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
        dagster_url=environ.get("DAGSTER_URL", "").rstrip("/"),
        dagster_token=environ.get("DAGSTER_TOKEN", ""),
        dagster_token_secret=environ.get("DAGSTER_TOKEN_SECRET", ""),
    )
    if not config.landing:
        raise ConfigurationError(
            "BTC_LANDING is empty; set it to the s3:// prefix that candles are landed in"
        )
    if not _SYMBOL.fullmatch(config.symbol):
        raise ConfigurationError(f"BTC_SYMBOL = {config.symbol!r:.50} is no trading pair")
    for name, url in (("BTC_BINANCE_URL", config.binance_url), ("DAGSTER_URL", config.dagster_url)):
        if url and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
            raise ConfigurationError(f"{name} = {url!r:.100} is no http(s) address")
    if config.dagster_token and not (config.dagster_token.isascii() and config.dagster_token.isprintable()):
        raise ConfigurationError("DAGSTER_TOKEN holds a line break or a character no header can carry")
    return config
