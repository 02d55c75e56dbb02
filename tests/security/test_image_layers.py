"""The search through the layers of images finds what was put there for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from image_layers import files_with, unwanted_files


@pytest.mark.parametrize(
    "name",
    [
        ".env",
        "app/.aws/credentials",
        "root/.ssh/id_rsa",
        "root/.cache/pip/wheel",
        "etc/pip.conf",
        "tmp/left",
        "app/.git/HEAD",
    ],
)
def test_what_no_image_needs_is_found(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("secret")
    assert unwanted_files([tmp_path]) != []


def test_an_empty_mount_point_and_the_program_itself_are_no_finding(tmp_path: Path) -> None:
    for name, content in (("etc/pip.conf", ""), ("app/btc_assets/settings.py", "x")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    assert unwanted_files([tmp_path]) == []


def test_a_path_of_the_build_machine_is_found_in_any_file(tmp_path: Path) -> None:
    (tmp_path / "module.pyc").write_bytes(b"\0\1/home/builder/checkout/btc\0")
    (tmp_path / "other").write_bytes(b"nothing")
    assert files_with([tmp_path], "/home/builder", "https://index") == [str(tmp_path / "module.pyc")]
    assert files_with([tmp_path], "/root/elsewhere") == []
