"""The file that says how far the work has come is a courtesy: it never fails the work."""

from __future__ import annotations

from pathlib import Path

from btc_assets.io import progress


def test_T2_progress_that_cannot_be_written_does_not_fail_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("where a folder should be, which stops root too")
    progress.report(str(tmp_path / "file" / "real"), "fitting", 0.5)
    assert progress.read(str(tmp_path / "file" / "real")) is None


def test_T9_drafts_of_killed_workers_go_when_the_work_is_done(tmp_path: Path) -> None:
    for name in ("progress.4711.tmp", ".progress.json.abcdef.tmp"):
        (tmp_path / name).write_text("{")
    progress.report(str(tmp_path), "fitting", 0.5)
    assert progress.read(str(tmp_path)) is not None
    progress.done(str(tmp_path))
    assert list(tmp_path.iterdir()) == []
