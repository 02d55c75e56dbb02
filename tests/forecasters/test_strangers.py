"""Packages of strangers: found, tried and run without a change here; a broken one costs only itself."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from cli_fixture import RunBtc
from stranger_package import write_package

from btc_assets.forecasters.discovery import chosen, entrants

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "forecaster"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's package, installed where no index and no network is needed."""
    folder = tmp_path_factory.mktemp("installed")
    source = shutil.copytree(EXAMPLE, folder / "source")
    target = folder / "site"
    uv = Path(sys.executable).with_name("uv")
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--python", sys.executable]
    subprocess.run([uv, "pip", "install", "-q", *options, "--target", target, source], check=True, timeout=60)
    return target


def test_the_example_is_short_and_keeps_every_rule(installed: Path, btc: RunBtc) -> None:
    lines = sum(path.read_text().count("\n") for path in EXAMPLE.iterdir() if path.is_file())
    assert lines <= 40
    found = btc("forecaster", "check", "sixty_day_normal", PYTHONPATH=str(installed))
    assert found.returncode == 0, found.stdout + found.stderr
    assert found.stdout.endswith("sixty_day_normal keeps every rule\n")
    assert "ok   reads_no_future" in found.stdout


def test_the_page_shows_the_example_as_it_is() -> None:
    page = (ROOT / "docs" / "forecasters.md").read_text()
    for name in ("pyproject.toml", "sixty_day_normal.py"):
        assert (EXAMPLE / name).read_text() in page, name


def test_one_that_breaks_a_rule_is_said_in_json_with_exit_code_1(btc: RunBtc) -> None:
    found = btc(
        "forecaster", "check", "odd_forecasters:narrow", "--json", PYTHONPATH=str(ROOT / "tests/support")
    )
    report = json.loads(found.stdout)
    assert (found.returncode, report["ok"], report["name"]) == (1, False, "narrow")
    broken = [rule["rule"] for rule in report["rules"] if not rule["ok"]]
    assert broken[0] == "shape"


def test_broken_packages_are_named_and_cost_only_themselves(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_package(tmp_path, "gone", {"lost_module": "lost_module:Forecaster"})
    write_package(tmp_path, "half", {"half": "sixty_day_normal"})
    write_package(tmp_path, "thief", {"random_walk": "sixty_day_normal:SixtyDayNormal"})
    write_package(tmp_path, "twin-a", {"twin": "sixty_day_normal:SixtyDayNormal"})
    write_package(tmp_path, "twin-b", {"twin": "sixty_day_normal:Other"})
    write_package(tmp_path, "torn", {"no equals sign": ""})
    for folder in (installed, tmp_path):
        monkeypatch.syspath_prepend(folder)
    problems = {(each.name, each.package): each.problem for each in entrants()}
    assert problems["sixty_day_normal", "sixty-day-normal"] == ""
    assert problems["random_walk", "btc-assets"] == ""
    assert "there is no module lost_module" in problems["lost_module", "gone"]
    assert "is not module:attribute" in problems["half", "half"]
    assert "belongs to a forecaster of btc-assets" in problems["random_walk", "thief"]
    assert "twin-a and twin-b" in problems["twin", "twin-a"]
    assert "its metadata cannot be read" in problems["torn", "torn"]
    assert "sixty_day_normal" in {each.name for each in chosen("all")}
    assert [each.problem for each in chosen("sixty_day_normal, nobody")][1].startswith("no installed package")
    assert chosen("") == []


def test_the_list_says_who_competes(installed: Path, btc: RunBtc) -> None:
    settings = {"PYTHONPATH": str(installed), "BTC_FORECASTERS": "sixty_day_normal"}
    lines = btc("forecaster", "list", **settings).stdout.splitlines()
    assert [line.split()[0] for line in lines if line.endswith("in the arena")] == ["sixty_day_normal"]


def test_a_process_that_asks_does_not_outlive_the_one_that_started_it() -> None:
    code = (
        "import sys; from btc_assets.forecasters.discovery import find\n"
        "from btc_assets.forecasters.worker_process import WorkerProcess\n"
        "worker = WorkerProcess(find('odd_forecasters:Honest'))\n"
        "print(worker._process.pid, flush=True); sys.stdin.read()"
    )
    environment = {"PYTHONPATH": str(ROOT / "tests" / "support"), "PATH": "/usr/bin:/bin"}
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        worker = psutil.Process(int(parent.stdout.readline()))
        parent.send_signal(signal.SIGKILL)
    worker.wait(timeout=20)
    assert not worker.is_running()
