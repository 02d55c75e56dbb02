"""What the layers of a built image hold above those of its base: names of files, and bytes in them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import images

UNWANTED = (
    ".git", ".env", ".netrc", ".pypirc", "pip.conf", ".ssh", ".aws", ".docker", ".pytest_cache",
    ".mypy_cache", ".ruff_cache", ".venv", "uv.lock", "id_rsa", "node_modules", "htmlcov", ".hypothesis",
)  # fmt: skip
"""Names of files and folders that no image needs."""

CACHES = ("root/.cache", "root/.local", "var/cache/apt/archives", "tmp", "var/tmp", "home/btc/.cache")
"""Folders that must be empty."""


def added_layers(image: str, base: str) -> list[Path]:
    """The folders of the layers of ``image`` that are not of ``base``, each with the files it adds."""
    known = set(images.inspect(base)["RootFS"]["Layers"])
    inspected = images.inspect(image)
    data = inspected["GraphDriver"]["Data"]
    # Newest first: the upper folder, then those below it.
    folders = [data["UpperDir"], *data.get("LowerDir", "").split(":")]
    layers = [Path(folder) for folder in folders if folder]
    count = len([layer for layer in inspected["RootFS"]["Layers"] if layer not in known])
    assert 0 < count < len(layers) + 1
    return layers[:count]


def require_clean(image: str, base: str) -> None:
    """Check that ``image`` adds nothing to ``base`` that is the build machine's or a cache's."""
    layers = added_layers(image, base)
    assert unwanted_files(layers) == []
    here = [str(images.ROOT), *images.package_index()]
    assert files_with(layers, *here) == []
    assert not [text for text in here if text in json.dumps(images.inspect(image))]


def unwanted_files(layers: list[Path]) -> list[str]:
    """Names in ``layers`` that no image needs: settings of the build machine, caches, sources of git."""
    found = []
    for layer in layers:
        for path in _paths_below(layer):
            inside = path.relative_to(layer)
            holds = not path.is_symlink() and (path.is_dir() or path.stat().st_size > 0)
            in_cache = holds and not path.is_dir() and any(inside.is_relative_to(cache) for cache in CACHES)
            if in_cache or (holds and inside.name in UNWANTED):  # pip.conf is mounted for a build, and empty
                found.append(str(inside))
    return found


def files_with(layers: list[Path], *texts: str) -> list[str]:
    """Files in ``layers`` that hold one of ``texts``."""
    patterns = [part for text in texts for part in ("-e", text)]
    command = ["grep", "-rlaF", "--devices=skip", *patterns, "--", *map(str, layers)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode < 2, done.stderr
    return done.stdout.splitlines()


def _paths_below(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        yield from (Path(parent) / name for name in [*folders, *files])
