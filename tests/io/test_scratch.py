"""A killed run's folders are removed by the next, and nobody's who is still at work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from btc_assets.backup.snapshot import beside
from btc_assets.io.scratch import SETTLED, ScratchFolder

MAKES_ONE = """
from btc_assets.io.scratch import ScratchFolder
made = ScratchFolder("btc-test")
(made.path / "inside").write_text("something")
print(made.path, flush=True)
input()
"""


@pytest.fixture(autouse=True)
def of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders are made in the test's own."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)


def grown_old(path: Path) -> Path:
    """As if it had been made long ago."""
    os.utime(path, (time.time() - 2 * SETTLED,) * 2)
    return path


def test_T9_what_a_killed_process_left_is_removed_and_what_a_living_one_uses_is_not() -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", MAKES_ONE], **pipes) as process:
        left = grown_old(Path(process.stdout.readline().strip()))
        with ScratchFolder("btc-test"):
            assert (left / "inside").exists(), "its process lives"
        process.send_signal(signal.SIGKILL)
    with ScratchFolder("btc-other"):
        assert left.exists(), "of another kind"
    with ScratchFolder("btc-test") as mine:
        assert not left.exists()
        assert mine.path.is_dir()
    assert not mine.path.exists()


MAKES_A_DRAFT = """
import pathlib, sys
from btc_assets.backup.snapshot import beside
with beside(pathlib.Path(sys.argv[1])) as stage:
    (stage / "inside").write_text("something")
    print(stage, flush=True)
    input()
"""


def test_T9_what_a_killed_backup_or_restore_left_beside_its_place_goes_with_the_next(tmp_path: Path) -> None:
    """It is as large as the store; a hidden copy a night stayed."""
    place = tmp_path / "[x].tar.gz"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", MAKES_A_DRAFT, str(place)], **pipes) as process:
        left = grown_old(Path(process.stdout.readline().strip()))
        with beside(place):
            assert (left / "inside").exists(), "its process lives"
        process.send_signal(signal.SIGKILL)
    with beside(place) as mine:
        assert list(tmp_path.iterdir()) == [mine]


def test_a_folder_that_is_just_being_made_and_a_link_are_left_alone(tmp_path: Path) -> None:
    fresh = tmp_path / "btc-test-fresh"
    fresh.mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = tmp_path / "btc-test-link"
    link.symlink_to(elsewhere)
    os.utime(link, (0.0, 0.0), follow_symlinks=False)
    grown_old(elsewhere)
    with ScratchFolder("btc-test"):
        assert fresh.exists()
        assert elsewhere.exists()
