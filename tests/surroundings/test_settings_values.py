"""Values that a shell, a file or a slip leaves in a setting: each is refused by name, none is guessed at."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from btc_assets.errors import ConfigurationError
from btc_assets.settings import load, without_user

CANARY = "canary-7f3a"
MAIL = {"BTC_NOTIFY": "mail", "BTC_NOTIFY_SMTP": "smtp://h", "BTC_NOTIFY_FROM": "a@b", "BTC_NOTIFY_TO": "c@d"}


def refusal(given: dict[str, str]) -> str:
    with pytest.raises(ConfigurationError) as refused:
        load(given)
    return str(refused.value)


@pytest.mark.parametrize("value", ["8050\n", " 8050", "8050\r", '"8050"', "'8050'", "$PORT", "${PORT}"])
def test_K3_what_a_shell_or_a_file_left_in_a_number_is_named(value: str) -> None:
    assert refusal({"BTC_WEB_PORT": value}).startswith(f"BTC_WEB_PORT = {value!r}: ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SOURCE_DEADLINE", "inf"),
        ("SOURCE_DEADLINE", "1e999"),
        ("STALE_AFTER_HOURS", "Infinity"),
        ("STALE_AFTER_HOURS", "nan"),
        ("STALE_AFTER_HOURS", "1e300"),
        ("SYMBOL", "btcusdt"),
        ("S3_ANONYMOUS", "enabled"),
        ("WEB_PORT", "9" * 5000),
        ("WEB_METRICS_PORT", "8050"),
        ("METRICS_PORT", "8050"),
        ("HOPSWORKS_HOST", "https://c.app.hopsworks.ai"),
    ],
)
def test_K3_a_value_out_of_bounds_is_refused_in_plain_words(name: str, value: str) -> None:
    said = refusal({f"BTC_{name}": value})
    assert said.startswith(f"BTC_{name} = ")
    assert not any(jargon in said for jargon in ("Input", "String", "pattern", "Value error"))
    assert len(said) < 400


@pytest.mark.parametrize("text", ["btcusdt", "BTC/USDT", "BTC-usdt", "btc_usdt"])
def test_K3_a_pair_as_others_write_it_is_guessed(text: str) -> None:
    assert "did you mean BTCUSDT?" in refusal({"BTC_SYMBOL": text})


@pytest.mark.parametrize("key", ["btc_web_port", "BTC_web_port", "Btc_Web_Port"])
def test_K3_a_setting_in_other_letters_is_not_overlooked(key: str) -> None:
    assert refusal({key: "1"}) == f"unknown setting {key}; did you mean BTC_WEB_PORT?"


@pytest.mark.parametrize("name", ["DATA_DIR", "CACHE_DIR", "ARCHIVE"])
@pytest.mark.parametrize("value", ["data ", "\tdata", "'data'", "$HOME/data", "${X}", "data\udcff", "a\nb"])
def test_K4_a_folder_that_nobody_means_is_refused(name: str, value: str) -> None:
    assert f"BTC_{name}" in refusal({f"BTC_{name}": value})


@pytest.mark.parametrize("value", ["s3://", "s3:/bucket", "s3:///x", "https:/x", "file:/x", "https://"])
@pytest.mark.parametrize("name", ["DATA_DIR", "CACHE_DIR"])
def test_K4_a_mistyped_address_is_no_folder(name: str, value: str) -> None:
    assert f"BTC_{name} = " in refusal({f"BTC_{name}": value})


def test_K4_the_root_is_not_taken_for_no_folder_at_all() -> None:
    assert load({"BTC_DATA_DIR": "//"}).root == "//real"
    assert load({"BTC_DATA_DIR": "data//"}).root == "data/real"


def test_E1_a_folder_with_a_semicolon_reaches_children_as_it_is(tmp_path: Path) -> None:
    given = {"BTC_DATA_DIR": f"{tmp_path}/a;b", "BTC_LEDGER_SINK": f"{tmp_path}/h; ~/heads"}
    made = load(given).environment()
    assert made["BTC_DATA_DIR"] == given["BTC_DATA_DIR"]
    assert made["BTC_LEDGER_SINK"] == f"{tmp_path}/h;{Path.home()}/heads"


@pytest.mark.parametrize(
    "host", ["256.1.1.1", "...", "a..b", "[::1", "127.0.0.1:8050", "*", "-x", "münchen.de"]
)
def test_E2_what_cannot_be_a_host_is_refused(host: str) -> None:
    assert "is no IP address and no name of a host" in refusal({"BTC_WEB_HOST": host})


@pytest.mark.parametrize("hosts", ["https://d.example", "d.example:3000", "*", "*.example.org", "a b"])
def test_P4_a_name_of_dagster_that_could_never_match_is_refused(hosts: str) -> None:
    assert "is not the name of a host alone" in refusal({"BTC_DAGSTER_HOSTS": f"fine.example, {hosts}"})


@pytest.mark.parametrize(
    "address",
    [
        "https://x:99999",
        "https://x:abc",
        "https://[::1",
        "https://a b",
        "https://..",
        f"https://{'a' * 64}.com",
        "https://x?y=1",
        "https://x#y",
        f"https://me:{CANARY}@x",
    ],
)
@pytest.mark.parametrize("name", ["BINANCE_URL", "S3_ENDPOINT"])
def test_E5_an_address_that_no_request_can_have_is_refused_without_its_password(
    name: str, address: str
) -> None:
    said = refusal({f"BTC_{name}": address})
    assert said.startswith(f"BTC_{name} = ")
    assert "canary" not in said
    assert "canary" not in without_user(address)


@pytest.mark.parametrize(
    "address", ["https://", "https:///x", "https://a b/c", "https://x:99999/", "ftp://x"]
)
def test_E5_a_webhook_that_cannot_be_posted_to_is_refused(address: str) -> None:
    said = refusal({"BTC_NOTIFY": "webhook", "BTC_NOTIFY_WEBHOOK": address})
    assert said.startswith("BTC_NOTIFY_WEBHOOK: is not an http:// or https:// address")


@pytest.mark.parametrize(
    "wrong",
    [
        {"BTC_NOTIFY_SMTP": "smtp://h:port"},
        {"BTC_NOTIFY_SMTP": "smtp://h:0"},
        {"BTC_NOTIFY_SMTP": "smtp://:25"},
        {"BTC_NOTIFY_SMTP": "mail.example.org:25"},
        {"BTC_NOTIFY_TO": "c@d;e@f"},
        {"BTC_NOTIFY_TO": ",,"},
    ],
)
def test_E5_mail_that_cannot_be_sent_is_refused(wrong: dict[str, str]) -> None:
    (name,) = wrong
    assert name in refusal(MAIL | wrong)
    load(MAIL)


@pytest.mark.parametrize("sink", ["s3://", "git+https://", "heads,other", "a\nb", "http://x"])
def test_E5_a_sink_that_is_none_is_refused(sink: str) -> None:
    assert "BTC_LEDGER_SINK = " in refusal({"BTC_LEDGER_SINK": f"heads; {sink}"})


@pytest.mark.parametrize("secret", ["canary-7f3a\n", " canary-7f3a", "canary\n7f3a"])
@pytest.mark.parametrize("name", ["BTC_NOTIFY_SMTP_PASSWORD", "BTC_HOPSWORKS_API_KEY", "BTC_NOTIFY_WEBHOOK"])
def test_K1_a_secret_with_a_line_break_is_named_and_not_shown(name: str, secret: str) -> None:
    said = refusal({name: secret})
    assert said.startswith(f"{name}: ")
    assert "canary" not in said


@pytest.mark.parametrize("kind", ["folder", "link to nothing", "pipe"])
def test_E1_an_env_file_that_is_none_is_not_overlooked(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a container engine makes a folder of a file that it is to mount and that is not there."""
    monkeypatch.chdir(tmp_path)
    if kind == "folder":
        (tmp_path / ".env").mkdir()
    elif kind == "pipe":
        os.mkfifo(tmp_path / ".env")
    else:
        (tmp_path / ".env").symlink_to("secrets/btc.env")
    with pytest.raises(ConfigurationError, match=r"\.env is no file; put one there, or remove it"):
        load()


def test_E1_a_virtual_environment_of_that_name_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").mkdir()
    (tmp_path / ".env" / "pyvenv.cfg").write_text("")
    load()


@pytest.mark.parametrize(
    "line",
    ["BTC_WEB_PORT 9008", "BTC_WEB_PORT: 9008", "set BTC_WEB_PORT=9008", "BTC_WEB_PORT", 'BTC_WEB_PORT="9'],
)
def test_E1_a_line_of_an_env_file_that_is_not_understood_is_named(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BTC_SOURCE", "simulated")
    (tmp_path / ".env").write_text(f"# BTC_SOURCE is elsewhere\n\nOTHER thing\n{line}\n")
    with pytest.raises(ConfigurationError, match=r"\.env, line 4: not understood; write BTC_WEB_PORT=value"):
        load()
