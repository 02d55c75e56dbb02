"""A model folder's ``manifest.json``: every other file with its SHA-256, beside what made the model.

The manifest is canonical JSON (sorted keys, no spaces, no NaN, one line), so its own SHA-256 names the
whole folder. It is verified before anything in the folder is opened.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from btc_assets.errors import BadModel
from btc_assets.io.files import file_sha256, write_atomically

MANIFEST = "manifest.json"

REFUSED_SUFFIXES = frozenset({".h5", ".hdf5", ".pkl", ".pickle", ".joblib", ".npy", ".pt", ".pth"})
"""File types that can run code when they are loaded (CVE-2025-1550, CVE-2025-9906, pickle)."""


def canonical_json(value: object) -> bytes:
    """Return ``value`` as the one byte string that equal values share.

    Raises:
        ValueError: a number is NaN or infinite.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    return text.encode() + b"\n"


def write_manifest(folder: Path, fields: Mapping[str, Any]) -> str:
    """Write ``folder/manifest.json`` from ``fields`` and the hashes of all files there; return its SHA-256.

    Args:
        folder: the finished model folder; nothing in it may change afterwards.
        fields: JSON values, e.g. ``metrics``. ``files`` is filled in here.

    Raises:
        BadModel: ``fields`` names ``files``, holds something that JSON cannot say (a NaN, an object),
            or the folder holds a refused type or a link.
    """
    if "files" in fields:
        raise BadModel(f"{folder}: the manifest's 'files' are counted by write_manifest, not given to it")
    files = {name: file_sha256(folder / name) for name in _relative_files(folder)}
    try:
        content = canonical_json({**fields, "files": files})
    except (TypeError, ValueError) as error:
        raise BadModel(f"{folder}: the manifest's fields are not plain finite JSON: {error}") from error
    write_atomically(folder / MANIFEST, content)
    return hashlib.sha256(content).hexdigest()


def read_manifest(folder: Path, expected_sha256: str | None = None) -> dict[str, Any]:
    """Return the manifest of ``folder``, its own hash and shape checked, the files it lists not.

    Raises:
        BadModel: it is missing, not an object with safe ``files``, or hashes to something else.
    """
    content = manifest_bytes(folder)
    found = hashlib.sha256(content).hexdigest()
    if expected_sha256 is not None and found != expected_sha256:
        raise BadModel(f"{folder / MANIFEST} hashes to {found}, not to {expected_sha256}; {_REMEDY}")
    return parse_manifest(content, str(folder / MANIFEST))


def manifest_bytes(folder: Path) -> bytes:
    """Return the manifest of ``folder`` as it is there.

    Raises:
        BadModel: it is missing.
    """
    try:
        return (folder / MANIFEST).read_bytes()
    except OSError as error:
        raise BadModel(f"{folder}: no readable {MANIFEST} ({error.strerror}); {_REMEDY}") from error


def parse_manifest(content: bytes, where: str) -> dict[str, Any]:
    """Return the manifest in ``content``; ``where`` names it in errors.

    Raises:
        BadModel: it is not a JSON object whose ``files`` are safe relative paths with SHA-256 values.
    """

    def refuse(token: str) -> NoReturn:
        raise ValueError(f"{token} is not JSON")

    try:
        manifest = json.loads(content, parse_constant=refuse)
    except ValueError as error:
        raise BadModel(f"{where} is not valid JSON: {error}; {_REMEDY}") from error
    files = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(files, dict) or not files:
        raise BadModel(f"{where} does not list the model's files; {_REMEDY}")
    for name, digest in files.items():
        _refuse_unsafe(name, where)
        if not (isinstance(digest, str) and len(digest) == 64):
            raise BadModel(f"{where}: no SHA-256 for {name}; {_REMEDY}")
    return dict(manifest)


def verify(folder: Path, expected_sha256: str | None = None) -> dict[str, Any]:
    """Check every file of ``folder`` against its manifest, before any is opened; return the manifest.

    Args:
        expected_sha256: what the manifest itself must hash to, if that is known from elsewhere.

    Raises:
        BadModel: names the file that is missing, not listed, of a refused type, or altered.
    """
    manifest = read_manifest(folder, expected_sha256)
    files: dict[str, str] = manifest["files"]
    there = set(_relative_files(folder))
    for name in sorted(there ^ files.keys()):
        problem = "is not in the manifest; move it elsewhere, or" if name in there else "is missing;"
        raise BadModel(f"{folder / name} {problem} {_REMEDY}")
    for name, digest in files.items():
        found = file_sha256(folder / name)
        if found != digest:
            raise BadModel(f"{folder / name} hashes to {found}, not to {digest}; {_REMEDY}")
    return manifest


_REMEDY = "restore the folder from a copy, or delete it and materialise the model's partition again"


def _relative_files(folder: Path) -> Iterator[str]:
    """Return every file below ``folder`` but the manifest, as sorted POSIX paths."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise BadModel(f"{path} is a link; a model folder holds plain files only")
        if path.is_dir():
            continue
        name = path.relative_to(folder).as_posix()
        if name != MANIFEST:
            _refuse_unsafe(name, str(folder))
            yield name


def _refuse_unsafe(name: str, where: str) -> None:
    if problem := _problem(name):
        raise BadModel(f"{where}: {problem}")


@lru_cache(maxsize=1000)
def _problem(name: str) -> str:
    """Say why a model folder may have no file ``name``; "" if it may: all vintages have the same few."""
    path = PurePosixPath(name)
    if (
        path.is_absolute()
        or ".." in path.parts
        or "\\" in name
        or path.as_posix() != name
        or name == MANIFEST
    ):
        return f"{name!r} is not a plain path inside the model folder"
    if path.suffix.lower() in REFUSED_SUFFIXES:
        return f"{name} is of a type that can run code when loaded; use .keras and .onnx"
    return ""
