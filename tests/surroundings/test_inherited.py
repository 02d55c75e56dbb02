"""What a process inherits - folder, environment, terminal - does not change or break what it does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_fixture import RunBtc

from btc_assets.errors import ConfigurationError
from btc_assets.settings import load
from btc_assets.supervision.processes import SURROUNDINGS, Supervisor, require_free_port

ONE_DAY = ("backfill", "--from", "2024-03-01", "--to", "2024-03-01", "--assets", "raw_klines")


SUPPORT = {"PYTHONPATH": str(Path(__file__).parents[1] / "support")}


def test_E1_an_env_file_of_the_working_folder_is_read_by_every_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", {"BTC_WEB_PORT": "8051"})
    (tmp_path / ".env").write_text('BTC_SYMBOL="ETHUSDT"\nBTC_WEB_PORT=9\nOTHER=there\n')
    settings = load()
    assert (settings.symbol, settings.web_port) == ("ETHUSDT", 8051), "the environment goes first"
    assert os.environ["OTHER"] == "there"


@pytest.mark.parametrize("module", ["btc_assets.definitions", "btc_dash.wsgi", "btc_assets.cli"])
def test_E1_a_wrong_env_file_stops_graph_page_and_command(module: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("BTC_NOTIFY=nobodyy\n")
    command = [sys.executable, "-c", f"import {module}"]
    if module == "btc_assets.cli":
        command = [sys.executable, "-m", module, "settings"]
    done = subprocess.run(command, cwd=tmp_path, env=clean(), capture_output=True, text=True)
    assert done.returncode != 0
    assert "BTC_NOTIFY = 'nobodyy'" in done.stderr


@pytest.mark.parametrize("count", ["0", "", "many", "-1", "1.5"])
@pytest.mark.parametrize("name", ["POLARS_MAX_THREADS", "POLARS_ASYNC_THREAD_COUNT", "TOKIO_WORKER_THREADS"])
def test_E2_a_number_of_threads_that_ends_a_library_is_named(name: str, count: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} = {count!r}: must be a whole number"):
        load({name: count})


def test_E2_a_command_says_it_in_one_sentence(btc: RunBtc) -> None:
    done = btc("doctor", POLARS_MAX_THREADS="0")
    assert done.returncode != 0
    assert done.stderr.count("\n") == 1, done.stderr


def test_E1_children_get_every_setting_and_absolute_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that a flag sets back to the default, too: the child inherits the variable otherwise."""
    settings = load({"BTC_SOURCE": "archive", "BTC_ARCHIVE": "dumps"}, source="binance")
    environment = settings.environment()
    assert environment["BTC_SOURCE"] == "binance"
    assert Path(environment["BTC_ARCHIVE"]) == Path("dumps").absolute()
    assert Path(environment["BTC_DATA_DIR"]) == Path("data").absolute()
    assert load(environment).binance_url == settings.binance_url


def clean() -> dict[str, str]:
    there = {k: v for k, v in os.environ.items() if not k.startswith(("BTC_", "DAGSTER_", "PYTEST"))}
    return there | {"PYTHONPATH": str(Path(__file__).parents[2])}


def test_E2_modules_of_the_working_folder_shadow_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("binance", "dash", "polars", "dagster"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('the wrong module')\n")
    monkeypatch.chdir(tmp_path)
    with Supervisor(tmp_path / "folder") as supervisor:
        process = supervisor.start("dash", ["run_code", "import dash, binance, polars"], SUPPORT)
        assert process.popen.wait(60) == 0, process.log_tail()


def test_E2_a_long_tmpdir_leaves_room_for_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    long = tmp_path / ("x" * 130)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    code = (
        "import socket, tempfile; s = socket.socket(socket.AF_UNIX); "
        "s.bind(tempfile.mktemp(prefix='a-folder-of-workers/'[:9]))"
    )
    with Supervisor(tmp_path / "folder") as supervisor:
        process = supervisor.start("socket", ["run_code", code], SUPPORT)
        assert process.popen.wait(60) == 0, process.log_tail()


def test_E2_children_keep_what_they_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of seven processes would compile 1,800 modules again at every start."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    (tmp_path / "never_seen.py").write_text("")
    path = {"PYTHONPATH": f"{SUPPORT['PYTHONPATH']}{os.pathsep}{tmp_path}"}
    with Supervisor(tmp_path / "folder") as supervisor:
        process = supervisor.start("import", ["run_code", "import never_seen"], path)
        assert process.popen.wait(60) == 0, process.log_tail()
    assert list(tmp_path.glob("__pycache__/never_seen.*.pyc"))


def test_E2_a_terminal_without_unicode_gets_question_marks(btc: RunBtc) -> None:
    result = btc("settings", BTC_NOTIFY_FROM="Bj\u00f6rn \u2013 ops", PYTHONIOENCODING="ascii")
    assert result.returncode == 0, result.stderr
    assert "Bj?rn ? ops" in result.stdout


def test_E2_what_children_write_is_utf_8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    assert SURROUNDINGS["PYTHONIOENCODING"].startswith("utf-8")
    with Supervisor(tmp_path) as supervisor:
        process = supervisor.start("say", ["run_code", "print('\u2013')"], SUPPORT)
        assert process.popen.wait(60) == 0, process.log_tail()
    assert "\u2013" in process.log.read_text()


KERAS = """
import btc_assets.modeling.networks as networks, numpy as np
from btc_assets.modeling.hyperparameters import HyperParameters
model = networks.build(HyperParameters("mlp", units=2, seeds=1, window=1), np.zeros(3), np.ones(3), 1)
import keras
print(keras.config.backend(), keras.config.floatx(), model.dtype)
"""


@pytest.mark.parametrize(
    "file",
    [
        '{"floatx": "float16", "backend": "theano", "epsilon": 1e-3}',
        pytest.param('{"floatx": "none"}', marks=pytest.mark.faults),
        pytest.param("[", marks=pytest.mark.faults),
    ],
)
def test_E3_settings_of_keras_do_not_reach_a_fit(tmp_path: Path, file: str) -> None:
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text(file)
    environment = clean() | {"HOME": str(tmp_path), "KERAS_BACKEND": "jax", "KERAS_MAX_EPOCHS": "1"}
    done = subprocess.run([sys.executable, "-c", KERAS], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:2] == ["tensorflow", "float32"]


@pytest.mark.parametrize(
    ("given", "shown"), [("::1", "[::1]"), ("[::1]", "[::1]"), ("localhost", "localhost")]
)
def test_E2_a_host_may_be_an_ipv6_address(given: str, shown: str) -> None:
    settings = load({"BTC_WEB_HOST": given, "BTC_DAGSTER_HOST": given})
    assert settings.web_url == f"http://{shown}:8050"
    assert settings.dagster_url == f"http://{shown}:3000"
    require_free_port(settings.web_host, 0, "the web page", "--web-port")


@pytest.mark.parametrize("host", ["", "a b", "::x", "http://localhost", "localhost:8050"])
def test_E2_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(ConfigurationError, match="BTC_WEB_HOST"):
        load({"BTC_WEB_HOST": host})


@pytest.mark.parametrize(
    "given",
    [
        {"BTC_BINANCE_URL": "data-api.binance.vision"},
        {"BTC_BINANCE_URL": "htps://data-api.binance.vision"},
        {"BTC_BINANCE_URL": "https://"},
        {"BTC_BINANCE_URL": ""},
        {"BTC_ARCHIVE": "htps://data.binance.vision/data"},
        {"BTC_DATA_DIR": "s4://bucket"},
        {"BTC_LANDING": "s3:///prefix"},
        {"BTC_S3_ENDPOINT": "localhost:9000"},
    ],
)
def test_E5_an_address_that_cannot_be_asked_is_refused_at_once(given: dict[str, str]) -> None:
    (name,) = given
    with pytest.raises(ConfigurationError, match=name):
        load(given)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"HTTP_PROXY": "http://127.0.0.1:9"}, "the proxy that HTTP_PROXY"),
        pytest.param({"HTTP_PROXY": "htp:/nonsense"}, "HTTP_PROXY", marks=pytest.mark.faults),
        pytest.param({"ALL_PROXY": "socks5://127.0.0.1:9"}, "pip install pysocks", marks=pytest.mark.faults),
    ],
)
def test_E5_a_proxy_that_cannot_be_used_is_named_at_once(
    btc: RunBtc, given: dict[str, str], says: str
) -> None:
    result = btc(
        *ONE_DAY, BTC_SOURCE="binance", BTC_BINANCE_URL="http://example.invalid", NO_PROXY="", **given
    )
    assert result.returncode == 1
    assert says in result.stderr
    assert "trying again" not in result.stderr


def test_E5_a_bundle_of_certificates_that_is_not_there_is_named_at_once(btc: RunBtc) -> None:
    url = "https://127.0.0.1:9"
    result = btc(*ONE_DAY, BTC_SOURCE="binance", BTC_BINANCE_URL=url, REQUESTS_CA_BUNDLE="/nowhere/ca.pem")
    assert result.returncode == 1
    assert "/nowhere/ca.pem" in result.stderr
    assert "trying again" not in result.stderr
