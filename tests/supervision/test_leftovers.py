"""A test run leaves nothing running, whatever becomes of its tests or of itself."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from leftovers import VARIABLE, left_of

from btc_assets.supervision.process_identity import is_running

ROOT = Path(__file__).parents[2]

CHILD = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print("there", flush=True)
time.sleep(600)
"""

TEST = """
import os, subprocess, sys, time

def test_leaves_a_process_behind():
    command = [sys.executable, "child.py"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    child.stdout.readline()
    print("RUN", os.environ["UNDER_TESTS"], flush=True)
    {end}
"""

ENDS = {
    "it fails": "assert False",
    "it is killed": "os.kill(os.getpid(), 9)",
    "it takes too long": "time.sleep(600)",
    "the run stops at once": "os._exit(3)",
}


@pytest.mark.parametrize("how", ENDS)
def test_P5_a_test_run_leaves_nothing_running(how: str, tmp_path: Path) -> None:
    (tmp_path / "child.py").write_text(CHILD)
    (tmp_path / "test_it.py").write_text(TEST.replace("{end}", ENDS[how]))
    environment = {k: v for k, v in os.environ.items() if k != VARIABLE and not k.startswith("PYTEST")}
    plugins = ["-p", "leftovers", "-p", "pytest_timeout", "-p", "no:cacheprovider", "--timeout", "8"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-s", *plugins, "-c", os.devnull, "test_it.py"],
        cwd=tmp_path,
        env=environment
        | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'support'}", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0, done.stdout
    (owner,) = re.findall(r"RUN (\S+)", done.stdout)
    assert not is_running(owner)
    deadline = time.monotonic() + 20
    while left := list(left_of(owner)):
        assert time.monotonic() < deadline, [process.cmdline() for process in left]
        psutil.wait_procs(left, timeout=0.2)
