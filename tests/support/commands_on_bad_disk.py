"""Run every command on a disk of its own that is full or read-only; note what each said, as JSON.

``python commands_on_bad_disk.py FOLDER OUTSIDE FAULT``, in a mount namespace of its own.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

DAY = "2026-11-21"

NEARLY = 400_000
"""Bytes that are left on a disk that is nearly full: enough to begin with, and not to end."""

READING = (
    ["settings"],
    ["forecast", "--days", "3"],
    ["chance", "above", "1", "--days", "3"],
    ["export", "forecasts", "--out", "{outside}/forecasts.parquet"],
)
"""What must work where nothing can be written."""

WRITING = (
    ["backfill", "--from", DAY, "--to", DAY, "--assets", "raw_klines"],
    ["backtest", "--from", DAY, "--to", DAY],
    ["tune", "--trials", "1"],
    ["up", "--once"],
    ["export", "forecasts", "--out", "{disk}/forecasts.csv"],
    ["export", "--proof", "--out", "{disk}/proof"],
    ["backup", "--out", "{disk}/backup.tar.gz"],
    ["ledger", "publish"],
    ["rebuild", DAY],
    ["migrate", "--from", "local", "--to", "hopsworks"],
    ["verify"],
    ["doctor"],
)
"""What may fail, in one sentence."""


def prepare(disk: Path) -> None:
    """A store with forecasts, and Dagster's records, on ``disk``."""
    import dash_data

    from btc_assets.launch import open_instance
    from btc_assets.settings import load

    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=80m", "tmpfs", str(disk)], check=True)
    os.environ |= {
        "BTC_DATA_DIR": str(disk / "data"),
        "BTC_CACHE_DIR": str(disk / "cache"),
        "BTC_SOURCE": "simulated",
        "COLUMNS": "200",
    }
    dash_data.fill(disk / "data" / "simulated", origins=5, source="simulated")
    with open_instance(load()):
        pass


def spoil(disk: Path, fault: str) -> None:
    """Make it full, or read-only."""
    if fault == "read-only":
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        return
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    if fault == "nearly full":
        os.truncate(ballast, ballast.stat().st_size - NEARLY)


def run(arguments: list[str]) -> dict[str, object]:
    """What ``btc ARGUMENTS`` says, and its exit code."""
    from btc_assets.cli import main

    sys.argv = ["btc", *arguments]
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        except BaseException:
            traceback.print_exc()
            code = "exception"
    return {"command": " ".join(arguments), "code": code, "out": out.getvalue(), "err": err.getvalue()}


def main_() -> None:
    """Prepare the disk, spoil it, and run them all."""
    disk, outside, fault = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    prepare(disk)
    spoil(disk, fault)
    found = []
    for command in (*READING, *WRITING):
        began = dt.datetime.now(dt.UTC)
        said = run([part.format(disk=disk, outside=outside) for part in command])
        took = (dt.datetime.now(dt.UTC) - began).total_seconds()
        found.append({**said, "seconds": took, "reading": command in READING})
    Path(outside, "said.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main_()
