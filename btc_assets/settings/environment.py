"""Read the settings from the environment, with one sentence for each that is wrong."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails

from btc_assets.errors import ConfigurationError
from btc_assets.settings.model import PREFIX, Settings
from btc_assets.settings.values import without_user


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
    given = {k: v for k, v in environ.items() if k.startswith(PREFIX) or k.upper() in known}
    for key, value in given.items():
        if key not in known:
            near = difflib.get_close_matches(key.upper(), known, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; `btc settings` lists all"
            raise ConfigurationError(f"unknown setting {key}{hint}")
        if flaw := _flaw(value, _is_secret(known[key])):
            raise ConfigurationError(f"{key}{'' if _is_secret(known[key]) else f' = {value!r:.200}'}: {flaw}")
    values = {known[k]: v for k, v in given.items()} | {k: v for k, v in overrides.items() if v is not None}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError(_explain(error)) from None


_QUOTED = re.compile(r"""(['"]).*\1""", re.DOTALL)
_VARIABLE = re.compile(r"\$(\w+|\{\w+\})(/.*)?", re.DOTALL)


def _flaw(value: str, secret: bool) -> str | None:
    """Return what a shell or a file left in ``value`` that nobody means; a secret may be any one line."""
    if not value.isascii() and value.encode("utf-8", "replace").decode() != value:
        return "is not UTF-8"
    kept = value.strip()
    if (value != kept and (kept or secret)) or (secret and not value.isprintable()):
        return "begins or ends with a blank, or holds a line break; leave it out"
    if not secret and _QUOTED.fullmatch(value):
        return "stands in quotes, which would be part of the value; leave them out"
    if not secret and _VARIABLE.fullmatch(value):
        return "begins with a variable that nobody replaces here; write what it stands for"
    return None


_THREADS = ("POLARS_MAX_THREADS", "POLARS_ASYNC_THREAD_COUNT", "TOKIO_WORKER_THREADS")
"""How many threads Polars and Delta's library take; at 0 they abort at their first use."""


def _require_threads(environ: Mapping[str, str]) -> None:
    for name in _THREADS:
        count = environ.get(name, "1")
        if not re.fullmatch("0*[1-9][0-9]{0,3}", count):
            raise ConfigurationError(
                f"{name} = {count!r:.40}: must be a whole number from 1 to 9999, or not be set at all"
            )


def _read_dotenv(path: Path) -> None:
    """Read the file ``path`` into the environment; a line about a setting that is none is refused.

    A folder of that name may be a virtual environment; whatever else is there was meant to be a file.
    """
    if not path.is_file():
        if os.path.lexists(path) and not (path / "pyvenv.cfg").exists():
            raise ConfigurationError(f"{path.absolute()} is no file; put one there, or remove it")
        return
    from dotenv import load_dotenv
    from dotenv.parser import parse_stream

    try:
        with path.open(encoding="utf-8") as stream:
            for line in parse_stream(stream):
                said = line.original.string.strip()
                meant = re.search(rf"{PREFIX}\w+", said)
                if meant and not said.startswith("#") and line.value is None:
                    raise ConfigurationError(
                        f"{path.absolute()}, line {line.original.line}: not understood; "
                        f"write {meant[0]}=value"
                    )
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
        shown = "" if _is_secret(name) else f" = {without_user(repr(item['input'])):.200}"
        parts.append(f"{PREFIX}{name.upper()}{shown}: {broken_rule(item)}")
    return "; ".join(parts)


_RULES = {
    "int_parsing": "a whole number is needed",
    "int_from_float": "a whole number is needed",
    "float_parsing": "a number is needed",
    "int_parsing_size": "a whole number is needed",
    "bool_parsing": "must be true or false",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "greater_than": "must be above {gt}",
}


def broken_rule(item: ErrorDetails) -> str:
    """Say which rule a value breaks, in a user's words."""
    if item["type"] in _RULES:
        return _RULES[item["type"]].format(**item.get("ctx", {}))
    return item["msg"].removeprefix("Value error, ")
