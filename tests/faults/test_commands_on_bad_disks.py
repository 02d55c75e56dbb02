"""Every command on a real disk that is full or read-only: it works, or says why in one sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
SAYS = {"full": "No space left on device", "nearly full": "No space left on device", "read-only": "Read-only"}
NO_WRITE = ("settings", "verify", "rebuild", "migrate", "ledger", "doctor", "export --proof")
"""Commands that fail on this store before they write anything, or write nothing."""


@pytest.mark.parametrize("fault", SAYS)
def test_T2_T3_T12_every_command_works_or_says_in_one_sentence_what_is_wrong(
    tmp_path: Path, fault: str, record_property: Callable[[str, object], None]
) -> None:
    namespace = ["unshare", "--map-root-user", "--mount"]
    if subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine lets nobody mount a file system")
    disk, outside = tmp_path / "disk", tmp_path / "outside"
    disk.mkdir()
    outside.mkdir()
    script = ROOT / "tests" / "support" / "commands_on_bad_disk.py"
    done = subprocess.run(
        [*namespace, sys.executable, str(script), str(disk), str(outside), fault],
        env={"PYTHONPATH": f"{ROOT}:{script.parent}", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads((outside / "said.json").read_text())
    for each in found:
        what, code, said = each["command"], each["code"], each["err"]
        assert "Traceback" not in said + each["out"], said
        if each["reading"]:
            assert code == 0, f"{what}: {said}"
        elif not what.startswith(NO_WRITE):
            last = said.strip().splitlines()[-1]
            assert code == 1, what
            assert last.startswith("btc: "), said
            assert SAYS[fault] in last, f"{what}: {said}"
    (doctor,) = [each for each in found if each["command"] == "doctor"]
    assert doctor["code"] == 1
    for finding in ("disk", "dagster_records"):
        assert f"broken  {finding}: " in doctor["out"]
    record_property("trials", len(found))
