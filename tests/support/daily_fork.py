"""A fork that publishes daily: the commands of its workflow, read from the file, on a stand-in for GitHub."""

from __future__ import annotations

import datetime as dt
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "daily.yml"
REPOSITORY = "you/btc-assets"
CLOCK = ROOT / "tests" / "support" / "simulated_clock"
NEEDED = (".venv", "Makefile", "requirements", "pyproject.toml")
"""What the commands find in a checkout."""


@dataclass
class Job:
    """One run of the workflow in a checkout of its own."""

    folder: Path
    environ: Mapping[str, str]
    steps: list[tuple[str, Mapping[str, str]]]
    """Commands, and the variables of each."""
    said: str = ""

    def run(self, *, upto: int | None = None, **more: str) -> bool:
        """Run the steps that are left until one fails, or ``upto`` are left; tell whether all went well."""
        while len(self.steps) > (upto or 0):
            command, environ = self.steps.pop(0)
            done = subprocess.run(
                ["bash", "-e", "-c", command],
                cwd=self.folder,
                env={**self.environ, **environ, **more},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            self.said += done.stdout
            if done.returncode:
                return False
        return True

    def kill(self, ready: Callable[[], object]) -> None:
        """Begin the next step, and kill all of it once ``ready``."""
        command, environ = self.steps.pop(0)
        with (self.folder / "log").open("w") as log:
            process = subprocess.Popen(
                ["bash", "-e", "-c", command],
                cwd=self.folder,
                env={**self.environ, **environ},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        while not ready():
            assert process.poll() is None, "it ended first: " + (self.folder / "log").read_text()
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    @property
    def store(self) -> Path:
        """The store it works on, once there is one."""
        return next(self.folder.glob("tmp/btc-daily-*/data/real"), self.folder / "nowhere")


@dataclass
class Fork:
    """The repository on the stand-in for GitHub, below ``folder``."""

    folder: Path
    environ: Mapping[str, str]
    github: str = ""
    """Address of the web server that shows ``folder/github``."""
    jobs: int = 0

    def __post_init__(self) -> None:
        (self.releases / "download").mkdir(parents=True)
        gh = self.folder / "bin" / "gh"
        gh.parent.mkdir()
        gh.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT}/tests/support/gh_release.py "$@"\n')
        gh.chmod(0o755)

    @property
    def releases(self) -> Path:
        return self.folder / "github" / REPOSITORY / "releases"

    @property
    def address(self) -> str:
        """Where the newest state is."""
        return f"{self.github}/{REPOSITORY}/releases/latest/download"

    def states(self) -> list[str]:
        """The names of all published states, oldest first."""
        return sorted(path.name for path in (self.releases / "download").iterdir())

    def job(self, now: dt.datetime, *, begin: bool = False) -> Job:
        """A run of the workflow that has not begun, on a machine whose clock says ``now`` then."""
        self.jobs += 1
        folder = self.folder / f"job-{self.jobs}"
        (folder / "tmp").mkdir(parents=True)
        for name in NEEDED:
            (folder / name).symlink_to(Path(sys.prefix) if name == ".venv" else ROOT / name)
        environ = {k: v for k, v in os.environ.items() if not k.startswith(("BTC_", "DAGSTER_"))}
        environ |= self.environ
        environ["PATH"] = f"{self.folder / 'bin'}:{environ['PATH']}"
        environ |= {"PYTHONPATH": str(CLOCK), "SIMULATED_NOW": now.isoformat()}
        environ |= {"GITHUB_FOLDER": str(self.folder / "github"), "TMPDIR": str(folder / "tmp")}
        return Job(folder, environ, self.steps(begin=begin))

    def steps(self, *, begin: bool) -> list[tuple[str, Mapping[str, str]]]:
        """The commands of the workflow, with GitHub's expressions filled in."""
        known = {
            "vars.BTC_SOURCE": "binance",
            "vars.BTC_LEDGER_SINK": "",
            "github.repository": REPOSITORY,
            "github.token": "a-token",
            "inputs.begin && '--begin' || ''": "--begin" if begin else "",
        }

        def filled(text: str) -> str:
            found = re.sub(r"\$\{\{ (.*?) \}\}", lambda match: known[match[1]], text)
            return found.replace("https://github.com", self.github)

        (job,) = yaml.safe_load(WORKFLOW.read_text())["jobs"].values()
        return [
            (step["run"], {name: filled(str(value)) for name, value in step.get("env", {}).items()})
            for step in job["steps"]
            if "run" in step
        ]
