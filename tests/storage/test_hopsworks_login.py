"""Logging in to Hopsworks through the unmodified client: keys, certificates, servers that misbehave."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
from loopback import free_port

from btc_assets.errors import BtcError, ConfigurationError, StorageUnavailable, Unsupported
from btc_assets.settings import Settings, load

pytestmark = pytest.mark.hopsworks
SECRET = "canary-0123456789"


@pytest.fixture
def login(hopsworks_server, monkeypatch):
    """The login module, logged out before and after."""
    from btc_assets.storage.hopsworks import login

    for name in ("HOPSWORKS_API_KEY", "HOPSWORKS_API_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    hopsworks_server.reset()
    log_out(login)
    yield login
    log_out(login)


def log_out(login) -> None:
    if login._logged_in_as is not None:
        import hopsworks

        hopsworks.logout()
    login._project = login._logged_in_as = None


def changed(settings: Settings, **changes: object) -> Settings:
    return load({}, **{**settings.model_dump(exclude_unset=True), **changes})


def test_one_login_serves_the_whole_process(login, hopsworks_server, hopsworks_settings) -> None:
    project = login.connect(hopsworks_settings)
    requests = len(hopsworks_server.calls)
    assert login.connect(hopsworks_settings) is project
    assert len(hopsworks_server.calls) == requests == 4
    with pytest.raises(Unsupported, match="one login a process"):
        login.connect(changed(hopsworks_settings, hopsworks_project="other"))


def test_certificates_stay_in_our_own_folder(login, hopsworks_settings) -> None:
    login.connect(hopsworks_settings)
    folder = hopsworks_settings.cache_dir / "hopsworks"
    assert folder.stat().st_mode & 0o077 == 0
    assert list(folder.rglob("*.pem"))


def test_logging_and_warnings_are_left_as_they_were(login, hopsworks_settings, capsys) -> None:
    root, formatter = logging.getLogger(), warnings.formatwarning
    before = (root.level, list(root.handlers))
    login.connect(hopsworks_settings)
    assert (root.level, list(root.handlers)) == before
    assert warnings.formatwarning is formatter
    assert capsys.readouterr().out == ""


def test_K1_a_missing_key_or_project_names_the_setting(login, hopsworks_settings) -> None:
    with pytest.raises(ConfigurationError, match="BTC_HOPSWORKS_API_KEY"):
        login.connect(changed(hopsworks_settings, hopsworks_api_key=""))
    with pytest.raises(ConfigurationError, match="BTC_HOPSWORKS_PROJECT"):
        login.connect(changed(hopsworks_settings, hopsworks_project=""))


@pytest.mark.parametrize("key", [f"{SECRET}\n", f" {SECRET}", f"{SECRET}\n{SECRET}", f"{SECRET}\0"])
def test_K1_a_key_with_a_blank_is_refused_without_showing_it(login, hopsworks_settings, key) -> None:
    with pytest.raises(ConfigurationError, match="BTC_HOPSWORKS_API_KEY holds a blank") as caught:
        login.connect(changed(hopsworks_settings, hopsworks_api_key=key))
    assert SECRET not in str(caught.value)


def test_the_key_comes_from_the_environment_or_a_secrets_file(
    login, hopsworks_settings, monkeypatch, tmp_path
) -> None:
    bare = changed(hopsworks_settings, hopsworks_api_key="")
    file = tmp_path / "key"
    file.write_text("from-file\n")
    monkeypatch.setenv("HOPSWORKS_API_KEY_FILE", str(file))
    assert login.api_key(bare) == "from-file"
    monkeypatch.setenv("HOPSWORKS_API_KEY", "from-environment")
    assert login.api_key(bare) == "from-environment"
    assert login.api_key(changed(bare, hopsworks_api_key="from-settings")) == "from-settings"
    monkeypatch.delenv("HOPSWORKS_API_KEY")
    file.unlink()
    with pytest.raises(ConfigurationError, match="HOPSWORKS_API_KEY_FILE: cannot read"):
        login.api_key(bare)


def test_K2_a_key_that_is_refused_is_not_shown(login, hopsworks_settings, caplog) -> None:
    with pytest.raises(ConfigurationError, match=r"answers 401.*API key") as caught:
        login.connect(changed(hopsworks_settings, hopsworks_api_key=SECRET))
    assert SECRET not in str(caught.value) + caplog.text


def test_an_unknown_project_is_said_to_be_unknown(login, hopsworks_settings) -> None:
    with pytest.raises(BtcError, match="project nope"):
        login.connect(changed(hopsworks_settings, hopsworks_project="nope"))


def test_an_untrusted_certificate_is_refused_with_what_to_set(login, hopsworks_settings, monkeypatch) -> None:
    monkeypatch.delenv("HOPSWORKS_TRUST_STORE_PATH")
    with pytest.raises(ConfigurationError, match="HOPSWORKS_TRUST_STORE_PATH"):
        login.connect(hopsworks_settings)


def test_an_untrusted_certificate_can_be_accepted_on_purpose(login, hopsworks_settings, monkeypatch) -> None:
    monkeypatch.delenv("HOPSWORKS_TRUST_STORE_PATH")
    monkeypatch.setenv("HOPSWORKS_HOSTNAME_VERIFICATION", "false")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert login.connect(hopsworks_settings).name == "btc"


def test_a_server_that_is_not_there_is_unavailable(login, hopsworks_settings) -> None:
    with pytest.raises(StorageUnavailable, match="does not answer"):
        login.connect(changed(hopsworks_settings, hopsworks_host=f"127.0.0.1:{free_port()}"))


def test_a_server_that_hangs_at_login_is_given_up(
    login, hopsworks_server, hopsworks_settings, monkeypatch
) -> None:
    from hopsworks_emulator.server import slow

    monkeypatch.setattr(login, "LOGIN_DEADLINE", 0.3)
    hopsworks_server.faults.append(slow(1.5))
    began = time.monotonic()
    with pytest.raises(StorageUnavailable, match="no answer within"):
        login.connect(hopsworks_settings)
    assert time.monotonic() - began < 1.4
    time.sleep(1.6)  # let the abandoned login end before the next test logs in


def test_the_default_path_imports_nothing_of_hopsworks() -> None:
    script = """
import sys, tempfile
from btc_assets.settings import load
from btc_assets.factory import open_registry, open_tables
settings = load({}, data_dir=tempfile.mkdtemp())
open_tables(settings), open_registry(settings)
heavy = {"hopsworks", "hopsworks_common", "hsfs", "hsml", "boto3", "pyarrow", "pandas"} & sys.modules.keys()
sys.exit(f"imported {heavy}" if heavy else 0)
"""
    root = Path(__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
