"""Download a file over HTTP: whole, or refused in one sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from btc_assets.backup.snapshot import writing
from btc_assets.errors import BackupError, SourceUnavailable

if TYPE_CHECKING:
    from requests import Response

TIMEOUT = (10.0, 60.0)
"""Seconds for a connection, and between two parts of the answer."""

LARGEST = 8 * 2**30
"""Bytes of an archive; ten years of daily forecasts pack to some 300 MB."""

NOT_FOUND, NOT_MODIFIED = 404, 304
_PART = 2**20


class NotThere(SourceUnavailable):
    """The server answers, and has nothing at this address."""


def download(url: str, target: Path, headers: Mapping[str, str] | None = None) -> Mapping[str, str] | None:
    """Write what is at ``url`` to ``target``.

    Args:
        target: the file to write; not whole after an error.
        headers: of the request, such as If-None-Match.

    Returns:
        The headers of the answer; None if nothing changed since what ``headers`` name (status 304).

    Raises:
        NotThere: status 404.
        SourceUnavailable: no connection, a body that breaks off, another status, or a way back from https.
        BackupError: it is longer than ``LARGEST``.
        StorageError: the disk is full or read-only.
    """
    with _reply(url, headers or {}) as response:
        if response.status_code == NOT_MODIFIED:
            return None
        with writing(target):
            file = target.open("wb")
        with file:
            for part in response.iter_content(_PART):
                with writing(target):
                    file.write(part)
                if file.tell() > LARGEST:
                    raise BackupError(f"{url} is longer than {LARGEST >> 30} GiB")
        found: Mapping[str, str] = response.headers
        return found


@contextmanager
def _reply(url: str, headers: Mapping[str, str]) -> Iterator[Response]:
    """Ask for ``url``; a complete-to-be answer of 200, or 304."""
    import requests

    try:
        with requests.get(url, headers=dict(headers), stream=True, timeout=TIMEOUT) as response:
            if response.status_code not in (200, NOT_MODIFIED):
                kind = NotThere if response.status_code == NOT_FOUND else SourceUnavailable
                raise kind(f"{url} answered {response.status_code} {response.reason}")
            if urlsplit(url).scheme == "https" != urlsplit(response.url).scheme:
                raise SourceUnavailable(f"{url} leads to an address without encryption: {response.url:.200}")
            yield response
    except requests.RequestException as error:
        said: Any = error.args[0] if error.args else error
        raise SourceUnavailable(f"{url} could not be fetched: {str(said)[:300]}") from error
