"""What listens, and where: this machine alone, unless a person says otherwise."""

from __future__ import annotations

import ipaddress
import re
import sys
from pathlib import Path

import pytest
import yaml

from btc_assets.cli.up import dagster_command, warn_of_public_address
from btc_assets.settings import load

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))

from benchmarks.bench_web import serving  # noqa: E402


def test_by_default_nothing_listens_beyond_this_machine() -> None:
    settings = load({})
    assert ipaddress.ip_address(settings.web_host).is_loopback
    assert ipaddress.ip_address(settings.dagster_host).is_loopback
    command = dagster_command(settings)
    assert command[command.index("--host") + 1] == "127.0.0.1"


def test_the_page_listens_where_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BTC_WEB_HOST", "PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WEB_CONCURRENCY", "1")
    with serving(str(tmp_path)) as (port, _, process):
        listening = {
            c.laddr
            for p in (process, *process.children())
            for c in p.net_connections()
            if c.status == "LISTEN"
        }
    assert listening == {("127.0.0.1", port)}


OPEN, CLOSED = ("0.0.0.0", "192.168.1.5", "::"), ("127.0.0.1", "localhost", "::1")


@pytest.mark.parametrize(("host", "warned"), [(h, True) for h in OPEN] + [(h, False) for h in CLOSED])
def test_an_open_door_to_dagster_is_warned_of(
    capsys: pytest.CaptureFixture[str], host: str, warned: bool
) -> None:
    warn_of_public_address(load({}, dagster_host=host))
    assert ("has no login" in capsys.readouterr().err) == warned


def test_every_published_port_in_the_docs_is_this_machine_s() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "deploy").rglob("*.md")]
    published = [
        m for page in pages for m in re.findall(r"docker run.*? -p (\S+)", page.read_text(), re.DOTALL)
    ]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_compose_publishes_page_and_dagster_alone_and_on_this_machine() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    published = {name: each["ports"] for name, each in services.items() if "ports" in each}
    assert published.keys() == {"page", "dagster"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


@pytest.mark.parametrize(
    "name", ["Dockerfile", "deploy/space/Dockerfile", "deploy/workers/Dockerfile", "lambda_image/Dockerfile"]
)
def test_no_image_runs_as_root(name: str) -> None:
    text = (ROOT / name).read_text()
    if "lambda" in name:
        return  # Lambda chooses a user of its own
    users = re.findall(r"^USER (\S+)", text, re.MULTILINE)
    assert users
    assert not {"root", "0"} & {user.partition(":")[0] for user in users}
