"""The dev container: its image, and the README's own set-up in it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import images
import pytest

pytestmark = [pytest.mark.images, pytest.mark.timeout(1800)]

FOLDER = images.ROOT / ".devcontainer"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what git keeps, which the container's user may write to."""
    listed = subprocess.run(["git", "ls-files"], cwd=images.ROOT, check=True, capture_output=True, text=True)
    for name in listed.stdout.splitlines():
        if (images.ROOT / name).is_file():
            (tmp_path / "checkout" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(images.ROOT / name, tmp_path / "checkout" / name)
    subprocess.run(["chown", "-R", "1000:1000", tmp_path / "checkout"], check=True)
    return tmp_path / "checkout"


def test_the_set_up_of_the_readme_works_in_it(checkout: Path) -> None:
    images.require_tools()
    given = json.loads((FOLDER / "devcontainer.json").read_text())
    image = images.build(
        "localhost/btc-dev:test", given["build"]["dockerfile"], images.python_base(), context=FOLDER
    )
    with images.package_settings() as options:
        said = images.run(
            *("podman", "run", "--rm", "--runtime", "runc", "--pull=never", "--network", "host"),
            *("--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096", *options),
            *("-u", given["remoteUser"], "-v", f"{checkout}:/workspace", "-w", "/workspace", image),
            *("sh", "-c", "make --silent setup && sudo -n true && git --version && .venv/bin/btc --version"),
        )
    assert "git version" in said
    assert "btc-assets" in said
