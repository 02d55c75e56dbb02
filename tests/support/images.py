"""Building and running container images without a registry: buildah, podman, and a base made here.

The bases named in the Dockerfiles come from registries that a test machine may not reach, so they are
stood in for: Debian's own Python for ``python:*-slim``, and the same with `awslambdaric` and AWS's
conventions for Lambda's. Everything after ``FROM`` is built as it ships.
"""

from __future__ import annotations

import fcntl
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import loopback

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "btc-assets-images"
PYTHON_BASE, LAMBDA_BASE = "localhost/btc-python-base:1", "localhost/btc-lambda-base:1"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_DEBIAN = "python3,python3-venv,python3-pip,ca-certificates,netbase,tzdata"


def run(*command: str, timeout: float = 1800, **given: str) -> str:
    """Standard output of ``command``; fails with what it said."""
    environ = os.environ | {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "overlay"} | given
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environ, cwd=ROOT)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return done.stdout


def missing_tools() -> list[str]:
    """The tools that are needed and not installed."""
    return [tool for tool in ("buildah", "podman", "runc", "mmdebstrap") if shutil.which(tool) is None]


def require_tools() -> None:
    """Fail, with the command that helps, where the tools are not installed."""
    missing = missing_tools()
    assert not missing, f"{', '.join(missing)} not found; install them with: make test-images"


def build(name: str, dockerfile: str, base: str, *arguments: str, context: Path = ROOT) -> str:
    """Build ``dockerfile`` on ``base`` and return the image's name."""
    with _pip_settings() as pip:
        run(
            *("buildah", "bud", "--network", "host", "--format", "docker", "--pull-never", "--layers"),
            *("-v", f"{CERTIFICATES}:{CERTIFICATES}:ro", "-v", f"{pip}:/etc/pip.conf:ro"),
            *("--build-arg", f"BASE_IMAGE={base}", "-f", str(context / dockerfile), "-t", name),
            *(*arguments, str(context)),
        )
    return name


def python_base() -> str:
    """A stand-in for ``python:3.x-slim``: Debian stable with its Python, made once."""
    with _one_at_a_time():
        return _python_base()


def _python_base() -> str:
    if not _exists(PYTHON_BASE):
        root = CACHE / "debian.tar"
        if not root.exists():
            part = CACHE / "debian.part.tar"
            run("mmdebstrap", "--quiet", "--variant=minbase", f"--include={_DEBIAN}", "bookworm", str(part))
            part.rename(root)
        container = run("buildah", "from", "scratch").strip()
        run("buildah", "add", "-q", container, str(root), "/")
        run("buildah", "commit", "-q", "--rm", container, PYTHON_BASE)
    return PYTHON_BASE


def lambda_base() -> str:
    """A stand-in for AWS's base for Lambda: its folder, its entry point, its runtime client."""
    with _one_at_a_time():
        return _lambda_base()


def _lambda_base() -> str:
    if not _exists(LAMBDA_BASE):
        client = f"awslambdaric=={importlib.metadata.version('awslambdaric')}"
        text = (
            f"FROM {_python_base()}\n"
            f"RUN python3 -m pip install --quiet --break-system-packages {client}\n"
            "ENV LAMBDA_TASK_ROOT=/var/task PYTHONPATH=/var/task\n"
            "WORKDIR /var/task\n"
            'ENTRYPOINT ["python3", "-m", "awslambdaric"]\n'
        )
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "Dockerfile").write_text(text)
            build(LAMBDA_BASE, "Dockerfile", PYTHON_BASE, context=Path(folder))
    return LAMBDA_BASE


def inspect(image: str) -> dict:
    """The image's configuration."""
    return dict(json.loads(run("podman", "image", "inspect", image))[0])


def size(image: str) -> int:
    """Bytes of all layers."""
    return int(inspect(image)["Size"])


@dataclass
class Container:
    """A running container."""

    name: str

    def logs(self) -> str:
        done = subprocess.run(["podman", "logs", self.name], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    def execute(self, *command: str) -> str:
        return run("podman", "exec", self.name, *command)

    def wait_for(self, url: str, seconds: float = 120) -> bytes:
        """The body at ``url`` once it answers."""
        try:
            return loopback.wait_for(url, seconds=seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.logs()[-4000:]}") from None

    def wait_for_log(self, text: str, seconds: float) -> None:
        """Wait until it has said ``text``."""
        deadline = time.monotonic() + seconds
        while text not in self.logs():
            assert time.monotonic() < deadline, f"no {text!r} in {seconds} s:\n{self.logs()[-4000:]}"
            time.sleep(0.5)

    def copy(self, path: str, target: Path) -> None:
        """Copy a file out of it; `podman cp` does not see what lies in memory."""
        command = ["podman", "exec", self.name, "cat", path]
        with target.open("wb") as file:
            subprocess.run(command, stdout=file, check=True)


def podman_run(image: str, *arguments: str) -> list[str]:
    """The command that runs ``image`` as it would be run in production: read-only, without privileges."""
    options, _, command = "\0".join(arguments).partition("\0--\0")
    return [
        *("podman", "run", "--rm", "--runtime", "runc", "--pull=never", "--network", "host"),
        *("--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096"),
        *("--read-only", "--tmpfs", "/tmp:rw,size=512m,mode=1777", "--cap-drop=all"),
        *([part for part in options.split("\0") if part]),
        image,
        *([part for part in command.split("\0") if part]),
    ]


@contextmanager
def started(image: str, *arguments: str) -> Iterator[Container]:
    """``image`` running in the background; options, then after ``--`` the command."""
    command = podman_run(image, *arguments)
    command.insert(2, "--detach")
    container = Container(run(*command).strip())
    try:
        yield container
    finally:
        subprocess.run(["podman", "stop", "-t", "10", container.name], capture_output=True, check=False)


def _exists(image: str) -> bool:
    return (
        subprocess.run(["buildah", "inspect", "--type", "image", image], capture_output=True).returncode == 0
    )


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Bases are made by one of several test processes; the others wait and find them made."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def package_index() -> list[str]:
    """The addresses that pip is told to ask on this machine, in place of its own."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True)
    pairs = [line.partition("=") for line in listed.stdout.splitlines()]
    return [value.strip("'") for name, _, value in pairs if name in ("global.index-url", ":env:.index-url")]


@contextmanager
def _pip_settings() -> Iterator[Path]:
    """This machine's pip settings for the build alone, so that it reaches what pip reaches here."""
    lines = ["[global]", f"cert = {CERTIFICATES}", "timeout = 120"]
    lines += [f"index-url = {address}" for address in package_index()]
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write("\n".join(dict.fromkeys(lines)) + "\n")
        file.flush()
        Path(file.name).chmod(0o644)
        yield Path(file.name)


@contextmanager
def package_settings() -> Iterator[list[str]]:
    """Options for ``podman run`` of a container in which pip and uv reach what pip reaches here."""
    with _pip_settings() as pip:
        mounted = [f"{CERTIFICATES}:{CERTIFICATES}:ro", f"{pip}:/etc/pip.conf:ro"]
        given = [
            f"SSL_CERT_FILE={CERTIFICATES}",
            *(f"UV_DEFAULT_INDEX={index}" for index in package_index()[:1]),
        ]
        yield [*(f"--volume={path}" for path in mounted), *(f"--env={pair}" for pair in given)]
