"""No secret is in a file that git keeps: `detect-secrets` over all of them, offline.

What it finds and a person has looked at is in `.secrets.baseline` (hashes of example values). After adding an
example value: `detect-secrets scan $(git ls-files ...) > .secrets.baseline`, look at what is new, commit.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from detect_secrets import SecretsCollection
from detect_secrets.settings import default_settings

ROOT = Path(__file__).parents[2]
NOT_TEXT = (".png", ".zip", ".br", ".gz", ".ico")


@pytest.fixture(scope="module", autouse=True)
def _default_settings() -> Iterator[None]:
    with default_settings():
        yield


def tracked() -> list[str]:
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip("not a git repository: nothing says which files are kept")
    made = ("requirements/", "btc_dash/vendor/", ".secrets.baseline")
    # Locks hold hashes of packages by the thousand; the vendored script has a hash of its own.
    return [f for f in listing.stdout.splitlines() if not f.startswith(made) and not f.endswith(NOT_TEXT)]


def found_in(path: Path) -> set[str]:
    secrets = SecretsCollection()
    secrets.scan_file(str(path))
    return {secret.secret_hash for file in secrets.data.values() for secret in file}


def test_no_file_holds_a_secret_that_nobody_has_looked_at() -> None:
    baseline = json.loads((ROOT / ".secrets.baseline").read_text())["results"]
    known = {name: {entry["hashed_secret"] for entry in entries} for name, entries in baseline.items()}
    new = {
        name
        for name in tracked()
        if (ROOT / name).is_file() and found_in(ROOT / name) - known.get(name, set())
    }
    assert new == set(), "look at these files; .secrets.baseline lists what is known to be no secret"


def test_a_secret_would_be_found(tmp_path: Path) -> None:
    key = "AKIA" + "QWERTYUIOPASDFGH"
    (tmp_path / "settings.py").write_text(f'aws_access_key_id = "{key}"\npassword = "{key[::-1]}x9"\n')
    assert found_in(tmp_path / "settings.py")
