"""The Space, assembled, built and probed as Hugging Face would: port 7860, user 1000."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import images
import pytest
from image_layers import require_clean

pytestmark = [pytest.mark.images, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> str:
    images.require_tools()
    folder = tmp_path_factory.mktemp("space") / "repository"
    table = folder.parent / "data" / "simulated" / "tables" / "forecasts"
    table.mkdir(parents=True)
    (table / "note.txt").write_text("bundled")
    given = ["--data", str(folder.parent / "data"), "--source", "simulated", "--out", str(folder)]
    subprocess.run([sys.executable, str(images.ROOT / "scripts/make_space.py"), *given], check=True)
    return images.build("localhost/btc-space:test", "Dockerfile", images.python_base(), context=Path(folder))


def test_the_page_answers_on_the_platform_s_port(space: str) -> None:
    with images.started(space) as container:
        page = container.wait_for("http://127.0.0.1:7860/").decode()
        assert "<title>" in page
        assert container.execute("id", "-u").strip() == "1000"
        assert container.execute("cat", "/app/data/simulated/tables/forecasts/note.txt") == "bundled"


def test_K2_no_layer_holds_a_secret_a_cache_or_a_path_of_the_build_machine(space: str) -> None:
    require_clean(space, images.python_base())
