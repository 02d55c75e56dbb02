"""Print the changelog's section of a release, and refuse a tag that does not fit it or the version.

python scripts/release_notes.py v0.3.0
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)
SECTION = re.compile(r"^## (\S+)(?: - (\d{4}-\d\d-\d\d))?\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def main() -> None:
    """Read the tag from the command line."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {__doc__}")
    try:
        print(notes(sys.argv[1], ROOT), end="")
    except ValueError as error:
        sys.exit(f"release_notes: {error}")


def notes(tag: str, root: Path) -> str:
    """Return the section of CHANGELOG.md for ``tag``, written vX.Y.Z.

    Raises:
        ValueError: the tag, ``btc_assets.__version__`` and the newest dated section do not agree.
    """
    version = _only(VERSION.findall((root / "btc_assets" / "__init__.py").read_text()))
    if tag != f"v{version}":
        raise ValueError(f"the tag is {tag}, but btc_assets/__init__.py says {version}; tag v{version}")
    sections = SECTION.findall((root / "CHANGELOG.md").read_text())
    newest, date, text = sections[0]
    if newest != version or not date:
        raise ValueError(
            f"the first section of CHANGELOG.md is {newest}; head it '## {version} - YYYY-MM-DD'"
        )
    return str(text).strip() + "\n"


def _only(found: list[str]) -> str:
    (one,) = found
    return one


if __name__ == "__main__":
    main()
