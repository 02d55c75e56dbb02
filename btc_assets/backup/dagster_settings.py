"""Dagster's settings in an archive: a file that could have Dagster run any code is refused."""

from __future__ import annotations

from typing import IO, Any

from btc_assets.errors import BackupError

SETTINGS = "dagster/dagster.yaml"
LARGEST = 64 * 1024
"""Bytes that they may have."""

OURS = ("dagster", "btc_assets")
LOGGERS = "dagster_handler_config"
"""The key below which Python's logging is told what to call."""


def check_settings(content: IO[bytes], where: str) -> bytes:
    """Read Dagster's settings, and return their bytes if all modules in them are Dagster's or ours.

    Raises:
        BackupError: another module is named, or they cannot be read.
    """
    import yaml

    text = content.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise BackupError(f"{where} has more than {LARGEST} bytes")
    try:
        foreign = _foreign(yaml.safe_load(text))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BackupError(f"{where} cannot be read: {str(error).splitlines()[0]:.200}") from error
    if foreign:
        raise BackupError(
            f"{where} would have Dagster run code that is neither Dagster's nor ours ({foreign!r:.80}); "
            "if you wrote it, take that out, make the backup again, and put it back after the restore"
        )
    return text


def _foreign(settings: Any) -> str | None:
    """Return the first module in ``settings`` that is not Dagster's or ours, None if there is none."""
    seen: set[int] = set()
    waiting = [settings]
    while waiting:
        each = waiting.pop()
        if id(each) in seen or not isinstance(each, dict | list):
            continue
        seen.add(id(each))
        if isinstance(each, dict):
            if LOGGERS in each:
                return LOGGERS
            module = str(each.get("module", OURS[0]))
            if not (module.split(".")[0] in OURS or module.startswith("dagster_")):
                return module
            waiting += each.values()
        else:
            waiting += each
    return None
