"""The wheel, built as a release builds it and installed away from the checkout."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from installation import ROOT, Installation, build_wheel, install
from loopback import free_port, wait_for

import btc_assets
from btc_dash.server import plotly_js

EVERYTHING = {"all"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def base(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return install(wheel, tmp_path_factory.mktemp("base"), set())


@pytest.fixture(scope="module")
def everything(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return install(wheel, tmp_path_factory.mktemp("everything"), EVERYTHING)


def test_the_wheel_holds_the_packages_and_their_data_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.split("/")[0].split("-")[0] for name in names} == {"btc_assets", "btc_dash"}
    for needed in (
        "btc_assets/py.typed",
        "btc_dash/py.typed",
        "btc_dash/index.html",
        "btc_dash/assets/app.css",
        "btc_dash/vendor/plotly-finance.min.js.br",
    ):
        assert needed in names
    modules = {path for package in ("btc_assets", "btc_dash") for path in (ROOT / package).rglob("*.py")}
    assert {str(path.relative_to(ROOT)) for path in modules} <= names


def test_the_wheel_says_its_version_python_and_extras(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith("dist-info/METADATA")]
        said = Parser().parsestr(archive.read(name).decode())
    assert said["Version"] == btc_assets.__version__
    assert said["Requires-Python"] == "<3.14,>=3.11"
    extras = {"graph", "train", "web", "aws", "arena", "workers", "hopsworks", "all"}
    assert set(said.get_all("Provides-Extra")) == extras


@pytest.mark.parametrize("program", ["btc", "btc-assets"])
def test_both_commands_start_and_say_the_version(base: Installation, program: str) -> None:
    said = base.run(program, "--version")
    assert (said.returncode, said.stdout) == (0, f"btc-assets {btc_assets.__version__}\n"), said.stderr
    assert "btc verify" in base.run(program, "--help").stdout


def test_it_runs_from_the_wheel_and_not_from_the_checkout(base: Installation) -> None:
    said = base.run(
        "python", "-c", "import btc_assets, btc_dash; print(btc_assets.__file__, btc_dash.__file__)"
    )
    assert all(Path(path).is_relative_to(base.environment) for path in said.stdout.split()), said.stdout


@pytest.mark.parametrize(
    ("program", "arguments", "missing"),
    [
        ("btc", ["up"], "`btc up` needs dagster"),
        ("btc", ["up", "--once"], "`btc up` needs dagster"),
        ("btc", ["up", "--no-page"], "install btc-assets[graph,train],"),
        ("btc-assets", ["up", "--source", "simulated"], "`btc up` needs dagster"),
        (
            "btc",
            ["backtest", "--from", "2024-01-01", "--to", "2024-01-02"],
            "install btc-assets[graph,train],",
        ),
        ("btc", ["backfill", "--from", "2024-01-01", "--to", "2024-01-02"], "needs dagster"),
        ("btc", ["tune", "--trials", "1"], "install btc-assets[graph,train],"),
        ("btc", ["follow", "https://example.org/btc.tar.gz"], "`btc follow` needs dash"),
        ("python", ["-m", "btc_dash"], "the web page needs dash"),
    ],
)
def test_a_base_installation_names_the_missing_extra_in_one_sentence(
    base: Installation, program: str, arguments: list[str], missing: str
) -> None:
    said = base.run(program, *arguments, BTC_SOURCE="simulated")
    assert said.returncode == 2, said.stdout + said.stderr
    assert missing in said.stderr
    assert "install btc-assets[" in said.stderr
    assert said.stderr.count("\n") == 1, said.stderr


@pytest.mark.parametrize("command", ["settings", "doctor", "verify", "export", "forecast", "notify"])
def test_a_base_installation_answers_every_other_command_without_a_traceback(
    base: Installation, command: str
) -> None:
    arguments = ["forecasts", "--out", "forecasts.parquet"] if command == "export" else []
    said = base.run("btc", command, *arguments, BTC_SOURCE="simulated")
    assert "Traceback" not in said.stdout + said.stderr
    assert said.returncode in (0, 1, 2), said.stderr


@pytest.mark.images
def test_the_code_location_loads(everything: Installation) -> None:
    said = everything.run(
        "python", "-c", "from btc_assets.definitions import defs; defs.resolve_asset_graph()"
    )
    assert said.returncode == 0, said.stderr


def require_page(command: list[str | Path], folder: Path, environment: dict[str, str]) -> None:
    """Run ``btc up`` by ``command`` until its page, styles and scripts have answered, then Ctrl-C."""
    port, log = free_port(), folder / "up.log"
    ports = ["--web-port", str(port), "--dagster-port", str(free_port())]
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [*command, "up", "--source", "simulated", *ports],
            cwd=folder, env=environment, stdout=sink, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        site = f"http://127.0.0.1:{port}"
        page = wait_for(f"{site}/", process).decode()
        assert "app.css" in page
        assert wait_for(f"{site}/assets/app.css", process)
        script = wait_for(f"{site}{plotly_js.ADDRESS}", process)
        assert hashlib.sha256(script).hexdigest() == plotly_js.SHA256
    finally:
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 0, log.read_text()


@pytest.mark.images
@pytest.mark.timeout(300)
def test_btc_up_serves_the_page_with_its_own_scripts_and_styles(everything: Installation) -> None:
    program = everything.environment / "bin" / "btc-assets"
    require_page([program], everything.folder, everything.variables())


@pytest.mark.images
@pytest.mark.timeout(600)
def test_uvx_starts_it_from_the_wheel_in_an_environment_that_it_makes(
    wheel: Path, base: Installation
) -> None:
    uvx = Path(sys.executable).with_name("uvx")
    locked = {
        "UV_CONSTRAINT": str(ROOT / "requirements" / "all.txt"),
        "UV_TOOL_DIR": str(base.folder / "tools"),
    }
    command: list[str | Path] = [uvx, "--isolated", "--find-links", wheel.parent, "btc-assets[all]"]
    require_page(command, base.folder, base.variables(**locked))
