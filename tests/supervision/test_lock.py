"""One `btc up` a store and a home; a killed one leaves no lock behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from btc_assets.cli.up import hold_folders
from btc_assets.errors import ConfigurationError
from btc_assets.settings import load

HOLD = """
import sys
from btc_assets.cli.up import hold_folders
from btc_assets.settings import load
with hold_folders(load({}, data_dir=sys.argv[1], source="simulated")):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_T9_the_lock_of_a_killed_process_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    settings = load({}, data_dir=str(tmp_path), source="simulated")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(ConfigurationError, match="another `btc up`"), hold_folders(settings):
        pass
    holder.kill()
    holder.communicate()
    with hold_folders(settings) as folder:
        assert folder.is_dir()


def test_P3_two_homes_on_one_store_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load({}, data_dir=str(tmp_path / "data"), source="simulated")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "a"))
    with hold_folders(settings):
        monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "b"))
        with pytest.raises(ConfigurationError, match="BTC_DATA_DIR"), hold_folders(settings):
            pass


def test_P3_two_stores_on_one_home_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    with hold_folders(load({}, data_dir=str(tmp_path / "one"), source="simulated")):
        other = load({}, data_dir=str(tmp_path / "two"), source="simulated")
        with pytest.raises(ConfigurationError, match="DAGSTER_HOME"), hold_folders(other):
            pass


def test_P3_stores_whose_homes_lie_side_by_side_run_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "homes" / "a"))
    with hold_folders(load({}, data_dir=str(tmp_path / "one"), source="simulated")):
        monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "homes" / "b"))
        with hold_folders(load({}, data_dir=str(tmp_path / "two"), source="simulated")):
            pass
