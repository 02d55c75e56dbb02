"""The function's environment: what is missing or wrong is named, the token never shown."""

from __future__ import annotations

import pytest

from btc_assets.errors import ConfigurationError
from lambda_image.config import config_from

GOOD = {"BTC_LANDING": "s3://bucket/landing/", "DAGSTER_URL": "https://acme.dagster.cloud/prod/"}


def test_addresses_lose_their_trailing_slash() -> None:
    config = config_from(GOOD)
    assert (config.landing, config.dagster.url) == ("s3://bucket/landing", "https://acme.dagster.cloud/prod")
    assert config.binance_url == "https://data-api.binance.vision"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BTC_LANDING", ""),
        ("BTC_SYMBOL", "btcusdt"),
        ("BTC_SYMBOL", "BTC/USDT"),
        ("BTC_BINANCE_URL", "data-api.binance.vision"),
        ("DAGSTER_URL", "file:///etc/passwd"),
        ("DAGSTER_URL", "https://"),
        ("DAGSTER_TOKEN", "secret\n"),
        ("DAGSTER_TOKEN", "sécret"),
    ],
)
def test_K1_what_is_wrong_is_named_and_no_token_shown(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name) as caught:
        config_from(GOOD | {name: value})
    assert "cret" not in str(caught.value)


def test_K2_the_token_is_not_in_the_repr() -> None:
    assert "canary" not in repr(config_from(GOOD | {"DAGSTER_TOKEN": "canary"}))
