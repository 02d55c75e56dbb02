"""Heads as commits in a git repository: everyone who has pulled it holds a copy that cannot be changed."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path

from btc_assets.errors import LedgerError
from btc_assets.ledger.publishing.published import Published, is_there, line_of, parse_lines
from btc_assets.ledger.records import Head

ATTEMPTS = 5
"""How often a push is tried while others push first."""

TIMEOUT = 60.0
"""Seconds one git command may take."""

_BEATEN = re.compile(r"fetch first|non-fast-forward|cannot lock ref|failed to update ref")


class GitSink:
    """A line in ``heads/SYMBOL.jsonl`` and a commit a head, pushed to the repository's default branch.

    Args:
        url: what ``git clone`` takes; credentials come from git's own helpers, never from a prompt.
    """

    def __init__(self, url: str) -> None:
        self.location = re.sub(r"//[^/@]*@", "//", url)
        self._url = url

    def publish(self, head: Head) -> None:
        """Clone, append, commit and push; begin again if someone else pushed first."""
        for _ in range(ATTEMPTS):
            with tempfile.TemporaryDirectory(prefix="ledger-") as folder:
                clone = self._clone(Path(folder))
                path = self._heads(clone, head.symbol)
                before = path.read_bytes() if path.exists() else b""
                if is_there(parse_lines(before, head.symbol, self.location), head):
                    return
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(before + line_of(head, before))
                _git(clone, "add", "heads")
                _git(clone, "commit", "-q", "-m", f"{head.symbol} record {head.seq}: {head.record_sha256}")
                pushed = _try(clone, "push", "-q", "origin", "HEAD")
                if pushed.returncode == 0:
                    return
                if not _BEATEN.search(pushed.stderr):
                    raise self._failed("published to", pushed.stderr)
        raise LedgerError(
            f"others pushed to {self.location} first {ATTEMPTS} times; the head is not published"
        )

    def published(self, symbol: str) -> list[Published]:
        """Return the lines of the newest commit."""
        with tempfile.TemporaryDirectory(prefix="ledger-") as folder:
            path = self._heads(self._clone(Path(folder)), symbol)
            return parse_lines(path.read_bytes(), symbol, self.location) if path.exists() else []

    def _clone(self, folder: Path) -> Path:
        clone = folder / "clone"
        done = _try(folder, "clone", "-q", "--depth", "1", self._url, str(clone))
        if done.returncode != 0:
            raise self._failed("published to or read from", done.stderr)
        return clone

    def _heads(self, clone: Path, symbol: str) -> Path:
        """Return the file of ``symbol``'s heads in ``clone``, there or not yet.

        Raises:
            LedgerError: the repository has a link or something else in its place, which could lead anywhere.
        """
        path = f"heads/{symbol}.jsonl"
        for name, kind in (("heads", "040000 tree"), (path, "100644 blob")):
            entry = _try(clone, "ls-tree", "HEAD", "--", name).stdout
            if entry and not entry.startswith(kind):
                raise LedgerError(
                    f"{self.location}: {name} is a link or something else that is no plain {kind[7:]}; "
                    "remove it from the repository"
                )
        return clone / path

    def _failed(self, what: str, said: str) -> LedgerError:
        said = said.replace(self._url, self.location).strip()
        return LedgerError(f"the head could not be {what} {self.location}: {said}")


def _git(folder: Path, *arguments: str) -> None:
    done = _try(folder, *arguments)
    if done.returncode != 0:
        raise LedgerError(f"git {arguments[0]} failed: {done.stderr.strip()}")


def _try(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run git without prompts, hooks of the user's or a foreign identity."""
    settings = (
        "user.name=btc ledger",
        "user.email=ledger@localhost",
        "commit.gpgsign=false",
        "init.defaultBranch=main",
        "core.hooksPath=/dev/null",
        "core.autocrlf=false",
        "core.symlinks=false",  # a link in the repository becomes a file that names its target
    )
    given = [part for setting in settings for part in ("-c", setting)]
    try:
        return subprocess.run(  # noqa: S603 - no shell; the arguments are ours and a setting
            ["git", *given, *arguments],  # noqa: S607 - wherever the host has git
            cwd=folder,
            env=os.environ | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    except FileNotFoundError as error:
        raise LedgerError("BTC_LEDGER_SINK names a git repository, but git is not installed here") from error
    except subprocess.TimeoutExpired as error:
        raise LedgerError(
            f"git {arguments[0]} took longer than {TIMEOUT:.0f} s; the head is not published"
        ) from error
