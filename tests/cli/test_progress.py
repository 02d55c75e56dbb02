"""The file that says how far the work has come is a courtesy: it never fails the work."""

from __future__ import annotations

import datetime as dt
import json
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from btc_assets.cli.backfill import ProgressLines
from btc_assets.io import progress
from btc_assets.io.progress import Progress


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


def test_several_stages_are_one_bar_that_never_falls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It jumped from 15 % to 0 % and back to 17 % when an asset reported its own part."""
    monkeypatch.setattr(progress, "_plan", progress.Plan({"loading": 10.0, "fitting": 30.0}))
    seen = []
    for stage, fraction in [
        ("loading", 0.5), ("loading candles", 0.0), ("loading", 0.4), ("loading", 1.0), ("fitting", 0.5),
        ("loading", 0.9),
    ]:  # fmt: skip
        progress.report(str(tmp_path), stage, fraction)
        now = progress.read(str(tmp_path))
        assert now is not None
        seen.append((now.step, now.steps, now.share))
    assert seen == [(1, 2, 0.125), (1, 2, 0.125), (1, 2, 0.125), (1, 2, 0.25), (2, 2, 0.625), (2, 2, 0.625)]


def test_what_is_left_is_estimated_from_how_fast_it_went(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of work that goes on where an earlier start had come to, only what was done since counts."""
    plan = progress.Plan({"fitting": 1.0}, began_at=0.5, share=0.5, since=time.monotonic() - 60)
    monkeypatch.setattr(progress, "_plan", plan)
    progress.report(str(tmp_path), "fitting", 0.75)
    now = progress.read(str(tmp_path))
    assert now is not None
    assert now.remaining == "about 60 s left"


def test_a_pipe_reads_of_the_work_of_its_own_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`btc backtest` beside `btc up` printed how far the other had come."""
    monkeypatch.setattr(progress, "_reported", None)
    lines, theirs = ProgressLines(), Progress("fitting", 0.1, updated_at=dt.datetime.now(dt.UTC).isoformat())
    (tmp_path / "progress.json").write_text(json.dumps(asdict(theirs)))
    assert progress.read(str(tmp_path)) == theirs
    lines.say()
    assert capsys.readouterr().err == ""
    progress.report("s3://bucket", "forecasting", 0.5, "10 of 20 origins")
    lines.say()
    lines.say()
    assert capsys.readouterr().err == "Forecasting, 50%: 10 of 20 origins\n"
