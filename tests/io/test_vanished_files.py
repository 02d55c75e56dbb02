"""Files that another process removes after they were listed; a link to nowhere is such a file."""

from __future__ import annotations

import math
from pathlib import Path

from btc_assets.event_log import BatchingEventLog
from btc_assets.io.files import last_change
from btc_assets.storage.delta.checkpoints import Checkpoints
from btc_assets.storage.delta.vacuum import vacuum
from btc_assets.storage.registry.file_cache import trim


def vanished(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(path.parent / "gone")
    return path


def test_T7_a_draft_of_another_writer_that_is_gone_disturbs_no_clearing_up(tmp_path: Path) -> None:
    draft = vanished(tmp_path / ".part.parquet.1.tmp")
    assert last_change(draft) == math.inf
    assert vacuum(tmp_path) == []


def test_T7_a_checkpoint_that_a_newer_one_replaced_is_not_taken_for_damaged(tmp_path: Path) -> None:
    checkpoint = vanished(tmp_path / "_delta_log" / f"{3:020}.checkpoint.parquet")
    Checkpoints(tmp_path).drop_damaged()
    assert checkpoint.is_symlink()


def test_T9_a_log_of_a_run_that_another_process_forgot_is_forgotten(tmp_path: Path) -> None:
    vanished(tmp_path / "01234567-0123-0123-0123-0123456789ab.db-wal")
    assert BatchingEventLog(str(tmp_path)).forget_old_logs() == 0


def test_T9_a_local_copy_that_another_page_dropped_is_no_error(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_bytes(b"x")
    assert vanished(tmp_path / "gone-copy") in trim([tmp_path / "gone-copy", kept], limit=0)
    assert kept.exists()
