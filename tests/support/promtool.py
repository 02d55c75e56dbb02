"""Prometheus's own tool, and its text format read back."""

from __future__ import annotations

import shutil
import subprocess

from prometheus_client.parser import text_string_to_metric_families


def promtool(*command: str, given: str | None = None) -> None:
    """Run Prometheus's own tool; Debian's package `prometheus` brings it."""
    tool = shutil.which("promtool")
    assert tool, "install Debian's package prometheus: sh scripts/install_debian.sh debian.txt"
    done = subprocess.run([tool, *command], input=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def values(text: str, name: str) -> dict[tuple[str, ...], float]:
    return {
        tuple(sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }
