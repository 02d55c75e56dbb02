"""The container images: what they weigh, and how long a container takes until it is healthy.

Needs root and the packages of scripts/debian-images.txt, which `make test-images` installs; builds what is
not built yet. The base's own layers are not counted: it is stood in for here.
"""

from __future__ import annotations

import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests" / "support"))

import images  # noqa: E402 - the tests' own way to build and run

Row = tuple[str, str, str]
"""What, measured, aim."""

STARTS = 3
IN_FOLDERS = ("--tmpfs", "/cache:rw,mode=1777", "--no-healthcheck", "-e", "BTC_SOURCE=simulated")


def run() -> list[Row]:
    """Sizes and starts of all images."""
    if missing := images.missing_tools():
        return [("images", f"not measured: no {', '.join(missing)} (make test-images)", "")]
    base, aws = images.python_base(), images.lambda_base()
    built = {
        target: images.build(f"localhost/btc-{target}:test", "Dockerfile", base, "--target", target)
        for target in ("dash", "dagster")
    }
    lambdas = {"ingest": "lambda_image/Dockerfile", "partition": "lambda_image/partition/Dockerfile"}
    rows = [(f"image {name}", megabytes(image, base), "") for name, image in built.items()]
    for name, dockerfile in lambdas.items():
        image = images.build(f"localhost/btc-{name}:test", dockerfile, aws)
        rows.append((f"image {name}", megabytes(image, aws), ""))
    web = ["dagster-webserver", "-h", "127.0.0.1", "-w", "/app/workspace.yaml", "-p"]
    for name, page, command in (("dash", "/", []), ("dagster", "/server_info", web)):
        seconds = statistics.median(healthy(built[name], page, command) for _ in range(STARTS))
        rows.append((f"{name}: container start to healthy", f"{seconds:.1f} s", ""))
    return rows


def megabytes(image: str, base: str) -> str:
    """What the image adds to its base."""
    return f"{(images.size(image) - images.size(base)) / 1e6:.0f} MB on its base"


def healthy(image: str, page: str, command: list[str]) -> float:
    """Seconds from `podman run` until the page that the image's health check asks for answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        data.chmod(0o777)
        options = [*IN_FOLDERS, "-e", f"PORT={port}", "-v", f"{data}:/data:rw"]
        if command:
            (data / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
            options += ["-v", f"{data}:/opt/dagster:rw"]
            options += ["--", *command, port]
        began = time.perf_counter()
        with images.started(image, *options) as container:
            container.wait_for(f"http://127.0.0.1:{port}{page}", seconds=240)
            return time.perf_counter() - began


if __name__ == "__main__":
    for what, measured, aim in run():
        print(f"{what:62} {measured:>20}  {aim}")
