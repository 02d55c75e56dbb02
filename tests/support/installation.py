"""An installation of the built wheel, away from the checkout, with chosen extras and nothing else.

There is no network: the wheel's requirements are links to the packages that this environment has.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, PathDistribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Installation:
    """A virtual environment and an empty folder to work in."""

    environment: Path
    folder: Path

    def variables(self, **settings: str) -> dict[str, str]:
        """The environment variables of a user who has set ``settings`` and nothing else of ours."""
        ours = ("BTC_", "DAGSTER_", "PYTHON", "VIRTUAL_ENV")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        path = f"{self.environment / 'bin'}:{clean.get('PATH', '')}"
        return clean | {"PATH": path, "BTC_DATA_DIR": str(self.folder / "data"), "COLUMNS": "200"} | settings

    def run(self, program: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment's ``bin``."""
        return subprocess.run(
            [str(self.environment / "bin" / program), *arguments],
            cwd=self.folder,
            env=self.variables(**settings),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def uninstall(self) -> None:
        """Remove our own package; what it required stays."""
        uv = Path(sys.executable).with_name("uv")
        python = str(self.environment / "bin" / "python")
        subprocess.run(
            [uv, "pip", "uninstall", "--python", python, "btc-assets"], check=True, capture_output=True
        )


def build_wheel(folder: Path) -> Path:
    """Build the source archive and, from it, the wheel, as a release does."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    for name in listed:
        if (ROOT / name).is_file():
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / "source" / name)
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder / "dist")]
    subprocess.run([*build, str(folder / "source")], check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path, extras: set[str], beside: Iterable[str] = ()) -> Installation:
    """Make an environment in ``folder`` of the wheel, what it requires with ``extras``, and no more.

    ``beside``: further packages of this environment that it shall have, with what they require.
    """
    environment, working = folder / "environment", folder / "working"
    working.mkdir(parents=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    uv = Path(sys.executable).with_name("uv")
    target = ["--python", str(environment / "bin" / "python")]
    install = [str(uv), "pip", "install", "--quiet", "--offline", "--no-deps", *target, str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(environment)}))
    (ours,) = packages.glob("btc_assets-*.dist-info")
    wanted = _closure(PathDistribution(ours), extras)
    for name in beside:
        wanted |= {name: distribution(name)} | _closure(distribution(name), set())
    for found in wanted.values():
        _link(found, packages, environment / "bin")
    return Installation(environment, working)


def _closure(root: Distribution, extras: set[str]) -> dict[str, Distribution]:
    """Every distribution that ``root`` with ``extras`` requires here, by its normalised name."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    pending = [(root, extra) for extra in {"", *extras}]
    while pending:
        owner, extra = pending.pop()
        for text in owner.requires or []:
            wanted = Requirement(text)
            if wanted.marker and not wanted.marker.evaluate({"extra": extra}):
                continue
            name = _normal(wanted.name)
            found_here = root if name == _normal(root.name) else distribution(wanted.name)
            if found_here is not root:
                found[name] = found_here
            for further in {"", *wanted.extras} - {e for n, e in seen if n == name}:
                seen.add((name, further))
                pending.append((found_here, further))
    return found


def _link(found: Distribution, packages: Path, programs: Path) -> None:
    """Link what a distribution installed, file by file where several share a folder, and its programs."""
    for file in found.files or []:
        source = Path(str(found.locate_file(file)))
        if file.parts[0] != "..":
            destination = packages / file
        elif source.parent.name == "bin":
            destination = programs / source.name
        else:
            continue
        if source.exists() and not destination.exists():
            destination.parent.mkdir(parents=True, exist_ok=True)
            destination.symlink_to(source.resolve())


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
