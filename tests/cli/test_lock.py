"""One `btc up` a data folder; a killed one leaves no lock behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from btc_assets.cli.up import lock_data_folder
from btc_assets.errors import ConfigurationError
from btc_assets.settings import load

HOLD = """
import sys, time
from btc_assets.cli.up import lock_data_folder
from btc_assets.settings import load
with lock_data_folder(load({}, data_dir=sys.argv[1], source="simulated")):
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
    with pytest.raises(ConfigurationError, match="another `btc up`"), lock_data_folder(settings):
        pass
    holder.kill()
    holder.communicate()
    with lock_data_folder(settings) as home:
        assert home.is_dir()
