"""A folder on the web that can only be read: plain http(s), without keys and without a list of files."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from btc_assets import __version__
from btc_assets.errors import StorageError, StorageUnavailable
from btc_assets.io.retries import retrying

if TYPE_CHECKING:
    from requests import Response, Session

ATTEMPTS = 4
"""How often a file is asked for while its server does not answer, or breaks off."""

TIMEOUT = (5.0, 20.0)
"""Seconds for a connection, and between two parts of an answer."""

LARGEST = 512 * 2**20
"""Bytes of one file; data and model files have some megabytes."""

_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)", re.ASCII)


class WebFolder:
    """The files below an http(s) address; keys are relative to it. Hashes say what a file should be."""

    def __init__(self, location: str) -> None:
        self.location = location.rstrip("/")

    def get(self, key: str) -> bytes | None:
        """Return the file's bytes, or None if there is none (404, 410).

        A download that breaks off goes on from there if the server has named the version (ETag).

        Raises:
            StorageUnavailable: no whole answer after ``ATTEMPTS``.
            StorageError: the server refuses, or leads to an address without encryption.
        """
        download = _Download(f"{self.location}/{quote(key)}")
        caller = retrying().RetryingCaller(ATTEMPTS, wait_initial=0.1, wait_max=1.0, wait_jitter=0.1)
        found: bytes | None = caller(StorageUnavailable, download.go_on, self._session)
        return found

    def put(self, key: str, content: bytes) -> None:
        """Refuse to write."""
        raise StorageError(
            f"cannot write {key} ({len(content):,} bytes) in {self.location}: a web address can only be read"
        )

    @cached_property
    def _session(self) -> Session:
        import requests

        session = requests.Session()
        session.mount("https://", requests.adapters.HTTPAdapter(pool_maxsize=16))
        session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=16))
        # What is packed on the way has other ranges than the file.
        session.headers.update({"User-Agent": f"btc-assets/{__version__}", "Accept-Encoding": "identity"})
        return session


class _Download:
    """One file on its way: what has arrived, and of which version."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._content = bytearray()
        self._tag = ""

    def go_on(self, session: Session) -> bytes | None:
        """Ask for what is missing and return the whole file; None if there is none."""
        import requests

        try:
            with session.get(self.url, headers=self._rest(), stream=True, timeout=TIMEOUT) as response:
                if response.status_code in (404, 410):
                    return None
                self._require_usable(response)
                size = self._begin(response)
                for part in response.iter_content(2**16):
                    self._content += part
                    if len(self._content) > LARGEST:
                        raise StorageError(f"{self.url} is longer than {LARGEST >> 20} MiB")
        except (requests.RequestException, OSError) as error:
            if not self._tag:
                self._content.clear()
            said = error.args[0] if error.args else error
            raise StorageUnavailable(f"{self.url} could not be read: {str(said)[:300]}") from error
        if size is not None and len(self._content) != size:
            raise StorageUnavailable(f"{self.url} sent {len(self._content):,} of {size:,} bytes")
        return bytes(self._content)

    def _rest(self) -> dict[str, str]:
        """Return what asks for the bytes that have not arrived, of the same version alone."""
        if not self._content:
            return {}
        return {"Range": f"bytes={len(self._content)}-", "If-Range": self._tag}

    def _require_usable(self, response: Response) -> None:
        status = response.status_code
        if urlsplit(self.url).scheme == "https" != urlsplit(response.url).scheme:
            raise StorageError(f"{self.url} leads to an address without encryption: {response.url:.200}")
        if status == 416:
            self._content.clear()
        if status in (416, 429) or status >= 500:
            raise StorageUnavailable(f"{self.url} answered {status} {response.reason}")
        if status not in (200, 206):
            raise StorageError(
                f"{self.url} answered {status} {response.reason}: files must be readable for all, and what "
                "is not there answered with 404"
            )

    def _begin(self, response: Response) -> int | None:
        """Begin anew, or go on where the last answer broke off; return the file's size if that is said."""
        tag = response.headers.get("ETag", "")
        if response.status_code == 200:
            self._content.clear()
            self._tag = tag if tag.startswith('"') and "Content-Encoding" not in response.headers else ""
            return None
        said = response.headers.get("Content-Range", "")
        match = _RANGE.fullmatch(said)
        here = len(self._content)
        if not here or match is None or int(match[1]) != here or tag != self._tag:
            self._content.clear()
            raise StorageUnavailable(
                f"{self.url} sent {said or 'a part'} of version {tag or 'unknown'}, not the rest from byte "
                f"{here:,}"
            )
        return int(match[2])
