"""Stands in for GitHub's ``gh release create`` on a folder that a web server shows, as far as we use it.

A release is a draft until all files are there; a name that is published is refused; the newest is the latest.
``GH_TORN=1`` has it die while it uploads, and leave the draft.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("words", nargs=2, choices=["release", "create"])
    parser.add_argument("tag")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--latest", action="store_true", required=True)
    parser.add_argument("--title", required=True)
    parser.add_argument("--notes-file", type=Path, required=True)
    given = parser.parse_args()
    assert os.environ["GH_TOKEN"]
    releases = Path(os.environ["GITHUB_FOLDER"]) / os.environ["GH_REPO"] / "releases"
    target = releases / "download" / given.tag
    if target.exists():
        sys.exit(f"a release with the same tag name already exists: {given.tag}")
    draft = Path(tempfile.mkdtemp(prefix="draft-", dir=releases))
    for file in given.files:
        if os.environ.get("GH_TORN"):
            (draft / file.name).write_bytes(file.read_bytes()[:1000])
            os.kill(os.getpid(), signal.SIGKILL)
        shutil.copyfile(file, draft / file.name)
    shutil.copyfile(given.notes_file, draft / "notes")
    draft.rename(target)
    (releases / "latest").mkdir(exist_ok=True)
    link = releases / f"link-{given.tag}"
    link.symlink_to(target)
    link.rename(releases / "latest" / "download")


if __name__ == "__main__":
    main()
