"""Assembling the Space: what is in it, what is refused."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from lambda_runtime import ROOT


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts/make_space.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    real = tmp_path / "data" / "real"
    for name in ("tables/forecasts", "models/mlp", "dagster/history", "logs"):
        (real / name).mkdir(parents=True)
        (real / name / "part.parquet").write_bytes(b"rows")
    (real / "up.lock").touch()
    (real / "tables/forecasts/.part.abc.tmp").write_bytes(b"draft")
    (tmp_path / "data" / "simulated").mkdir()
    return tmp_path / "data"


def test_K5_the_space_holds_app_lock_and_the_data_of_its_source_alone(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "space"
    done = make("--data", str(data), "--out", str(out))
    assert done.returncode == 0, done.stderr
    published = {str(path.relative_to(out / "data")) for path in (out / "data").rglob("*") if path.is_file()}
    assert published == {"real/tables/forecasts/part.parquet", "real/models/mlp/part.parquet"}
    assert not (out / "data/simulated").exists()
    assert (out / "btc_dash/wsgi.py").exists()
    assert "--hash=sha256:" in (out / "requirements.txt").read_text()
    assert "ENV BTC_SOURCE=binance" in (out / "Dockerfile").read_text()
    assert not list(out.rglob("__pycache__"))


def test_the_front_matter_is_what_the_platform_expects() -> None:
    text = (ROOT / "deploy/space/README.md").read_text()
    front = yaml.safe_load(re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)[1])
    assert (front["sdk"], front["app_port"], front["license"]) == ("docker", 7860, "apache-2.0")
    assert len(front["short_description"]) <= 60
    assert "PORT=7860" in (ROOT / "deploy/space/Dockerfile").read_text()


def test_assembling_again_replaces_what_was_there(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "space"
    assert make("--data", str(data), "--out", str(out)).returncode == 0
    (out / "stale.txt").write_text("old")
    assert make("--out", str(out), "--source", "simulated").returncode == 0
    assert not (out / "stale.txt").exists()
    assert not (out / "data").exists()


def test_a_folder_that_is_no_space_is_not_touched(data: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    done = make("--data", str(data), "--out", str(tmp_path / "mine"))
    assert done.returncode == 1
    assert "is no Space" in done.stderr
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "precious"


def test_K5_a_data_folder_without_tables_says_what_to_do(tmp_path: Path) -> None:
    done = make("--data", str(tmp_path), "--out", str(tmp_path / "space"))
    assert done.returncode == 1
    assert "run `btc up` or `btc backfill` first" in done.stderr
    assert not (tmp_path / "space").exists()


def test_a_space_that_follows_holds_no_data_and_asks_its_address(tmp_path: Path) -> None:
    out = tmp_path / "space"
    done = make("--follow", "https://example.org/btc.tar.gz", "--out", str(out))
    assert done.returncode == 0, done.stderr
    said = (out / "Dockerfile").read_text()
    assert "ENV BTC_FOLLOW=https://example.org/btc.tar.gz BTC_DATA_DIR=/tmp/data" in said
    assert said.splitlines()[-1] == 'CMD ["python", "-m", "btc_assets.cli", "follow"]'
    assert not (out / "data").exists()


def test_a_whole_space_has_every_package_and_begins_with_what_is_published(tmp_path: Path) -> None:
    out = tmp_path / "space"
    done = make("--whole", "--published", "https://example.org/record", "--out", str(out))
    assert done.returncode == 0, done.stderr
    said = (out / "Dockerfile").read_text()
    assert "ENV BTC_PUBLISHED=https://example.org/record BTC_DATA_DIR=/tmp/data" in said
    assert said.splitlines()[-1] == 'CMD ["python", "-m", "btc_assets.cli", "up"]'
    packages = (out / "requirements.txt").read_text()
    assert all(f"\n{name}==" in packages for name in ("dagster", "tensorflow-cpu", "gunicorn"))


@pytest.mark.parametrize(
    "given",
    [
        ("--whole", "--follow", "https://example.org/btc.tar.gz"),
        ("--follow", "https://example.org/btc.tar.gz", "--published", "https://example.org"),
    ],
)
def test_what_does_not_go_together_is_refused(given: tuple[str, ...], tmp_path: Path) -> None:
    done = make(*given, "--out", str(tmp_path / "space"))
    assert done.returncode == 1
    assert "one of --data, --follow and --whole" in done.stderr


@pytest.mark.parametrize("address", ["ftp://example.org/a", "https://example.org/a\nUSER root", "btc.tar.gz"])
def test_a_space_follows_web_addresses_alone(address: str, tmp_path: Path) -> None:
    done = make("--follow", address, "--out", str(tmp_path / "space"))
    assert done.returncode == 1
    assert "a plain http(s) address is needed" in done.stderr
    assert not (tmp_path / "space").exists()
