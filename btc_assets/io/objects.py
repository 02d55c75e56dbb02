"""Small objects that are written once and never changed: in a folder, or on S3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from btc_assets.errors import ConfigurationError, SourceRefused, SourceUnavailable
from btc_assets.io.files import write_new
from btc_assets.io.s3 import Bucket


def open_objects(location: str, s3_endpoint: str = "") -> Bucket | FolderObjects:
    """Open the store at ``location``: ``s3://bucket/prefix``, or a folder, made when first written to.

    Raises:
        ConfigurationError: ``location`` is empty, or is an address of something else.
    """
    setting = "BTC_LANDING"
    if location.startswith("s3://"):
        return Bucket(
            location, s3_endpoint, setting=setting, unavailable=SourceUnavailable, refused=SourceRefused
        )
    if not location or "://" in location:
        raise ConfigurationError(f"{setting}={location!r}: expected a folder or s3://bucket/prefix")
    return FolderObjects(location)


class FolderObjects:
    """Objects as files below a folder: keys (``/`` between parts) to bytes, each written at most once."""

    def __init__(self, location: str) -> None:
        self.location = location
        self._root = Path(location)

    def put_new(self, key: str, content: bytes) -> bool:
        """Write ``content`` unless the key is taken; return whether it was written."""
        path = self._root / key
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return write_new(path, content)
        except OSError as error:
            raise SourceUnavailable(f"{path}: could not be written ({error})") from error

    def get(self, key: str) -> bytes | None:
        """Return the bytes under ``key``; None if there are none."""
        try:
            return (self._root / key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SourceUnavailable(f"{self._root / key}: could not be read ({error})") from error

    def keys(self, prefix: str, after: str = "") -> Iterator[str]:
        """Yield the keys that begin with ``prefix`` and sort after ``after``, in order."""
        files = (path.relative_to(self._root).as_posix() for path in self._root.glob(f"{prefix}**/*.json"))
        yield from sorted(key for key in files if key > after)
