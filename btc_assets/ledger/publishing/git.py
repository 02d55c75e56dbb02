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
                path = clone / "heads" / f"{head.symbol}.jsonl"
                before = path.read_bytes() if path.exists() else b""
                if is_there(parse_lines(before, head.symbol, self.location), head):
                    return
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(before + line_of(head))
                _git(clone, "add", "heads")
                _git(clone, "commit", "-q", "-m", f"{head.symbol} record {head.seq}: {head.record_sha256}")
                pushed = _try(clone, "push", "-q", "origin", "HEAD")
                if pushed.returncode == 0:
                    return
                if not re.search(
                    r"fetch first|non-fast-forward|cannot lock ref|failed to update ref", pushed.stderr
                ):
                    raise self._failed("published to", pushed.stderr)
        raise LedgerError(
            f"others pushed to {self.location} first {ATTEMPTS} times; the head is not published"
        )

    def published(self, symbol: str) -> list[Published]:
        """The lines of the newest commit."""
        with tempfile.TemporaryDirectory(prefix="ledger-") as folder:
            path = self._clone(Path(folder)) / "heads" / f"{symbol}.jsonl"
            return parse_lines(path.read_bytes(), symbol, self.location) if path.exists() else []

    def _clone(self, folder: Path) -> Path:
        clone = folder / "clone"
        done = _try(folder, "clone", "-q", "--depth", "1", self._url, str(clone))
        if done.returncode != 0:
            raise self._failed("published to or read from", done.stderr)
        return clone

    def _failed(self, what: str, said: str) -> LedgerError:
        said = said.replace(self._url, self.location).strip()
        return LedgerError(f"the head could not be {what} {self.location}: {said}")


def _git(folder: Path, *arguments: str) -> None:
    done = _try(folder, *arguments)
    if done.returncode != 0:
        raise LedgerError(f"git {arguments[0]} failed: {done.stderr.strip()}")


def _try(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run git without prompts, hooks of the user's or a foreign identity."""
    identity = (
        "-c",
        "user.name=btc ledger",
        "-c",
        "user.email=ledger@localhost",
        "-c",
        "commit.gpgsign=false",
    )
    plain = ("-c", "init.defaultBranch=main", "-c", "core.hooksPath=/dev/null", "-c", "core.autocrlf=false")
    try:
        return subprocess.run(  # noqa: S603 - no shell; the arguments are ours and a setting
            ["git", *identity, *plain, *arguments],  # noqa: S607 - wherever the host has git
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
