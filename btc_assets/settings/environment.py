"""Read the settings from the environment, with one sentence for each that is wrong."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails

from btc_assets.errors import ConfigurationError
from btc_assets.settings.model import PREFIX, Settings


def load(environ: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """Load the settings from the environment, with ``overrides`` (command-line flags) on top.

    Variables that only a file ``.env`` in the working folder sets become part of the environment, as Dagster
    makes them: every process sees the same.

    Raises:
        ConfigurationError: an unknown ``BTC_*`` variable (with the nearest known one) or a bad value, also of
            a variable that ends the libraries here when it is wrong.

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
    _require_threads(environ)
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


_THREADS = ("POLARS_MAX_THREADS", "POLARS_ASYNC_THREAD_COUNT", "TOKIO_WORKER_THREADS")
"""How many threads Polars and Delta's library take; at 0 they abort at their first use."""


def _require_threads(environ: Mapping[str, str]) -> None:
    for name in _THREADS:
        count = environ.get(name, "1")
        if not (count.isascii() and count.isdecimal() and int(count) > 0):
            raise ConfigurationError(
                f"{name} = {count!r}: must be a whole number of at least 1, or not be set at all"
            )


def _read_dotenv(path: Path) -> None:
    if not path.is_file():
        return
    from dotenv import load_dotenv

    try:
        load_dotenv(path, override=False)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path.absolute()} cannot be read: {error}") from error


def _is_secret(name: str) -> bool:
    field = Settings.model_fields.get(name)
    return field is None or field.annotation is SecretStr


def _explain(error: ValidationError) -> str:
    """Return one sentence per bad setting: the variable and the rule it breaks, never a secret's value."""
    parts = []
    for item in error.errors():
        name = str(item["loc"][0]) if item["loc"] else "settings"
        shown = "" if _is_secret(name) else f" = {item['input']!r}"
        parts.append(f"{PREFIX}{name.upper()}{shown}: {broken_rule(item)}")
    return "; ".join(parts)


_RULES = {
    "int_parsing": "a whole number is needed",
    "int_from_float": "a whole number is needed",
    "float_parsing": "a number is needed",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "greater_than": "must be above {gt}",
}


def broken_rule(item: ErrorDetails) -> str:
    """Say which rule a value breaks, in a user's words."""
    if item["type"] in _RULES:
        return _RULES[item["type"]].format(**item.get("ctx", {}))
    return item["msg"].removeprefix("Value error, ")
