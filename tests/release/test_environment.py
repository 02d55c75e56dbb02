"""The environment that `make` sets up holds what the lock names, and nothing that an older lock named."""

from __future__ import annotations

import importlib.metadata
import re
import sysconfig
from pathlib import Path

LOCK = Path(__file__).parents[2] / "requirements" / "all.txt"
OWN = {"btc-assets", "pip", "setuptools", "uv"}


def test_the_environment_is_what_the_lock_says() -> None:
    """Packages of 0.2.0 that no lock names stayed, and one of them broke the building of others."""
    named = set(re.findall(r"^([a-z0-9.-]+==[^ ;]+)", LOCK.read_text(), flags=re.MULTILINE))
    there = {
        f"{name}=={each.version}"
        for each in importlib.metadata.distributions(path=[sysconfig.get_path("purelib")])
        if (name := re.sub("[-_.]+", "-", str(each.name)).lower()) not in OWN
    }
    assert sorted(there - named) == []
