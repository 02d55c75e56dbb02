"""The Space, assembled, built and probed as Hugging Face would: port 7860, user 1000."""

from __future__ import annotations

import http.server
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import images
import pytest
from exchange import Exchange
from graph_environment import LAST, GraphEnvironment, point_settings_at
from image_layers import require_clean

from btc_assets.backup.make import backup
from btc_assets.cli.tables import all_tables
from btc_assets.launch import open_instance

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


@pytest.fixture
def published(loaded: tuple[Path, Exchange], tmp_path: Path) -> Iterator[str]:
    """The address of the archive of a store with one forecast."""
    shutil.copytree(loaded[0], tmp_path / "store")
    (tmp_path / "web").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        settings = point_settings_at(patch, loaded[1], tmp_path / "store")
        with open_instance(settings) as instance:
            graph = GraphEnvironment(loaded[1], settings, instance)
            graph.register(LAST, LAST)
            graph.run("walk_forward", LAST, LAST)
        backup(settings, tmp_path / "web" / "btc.tar.gz", list(all_tables().values()))
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "web"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/btc.tar.gz"
    server.shutdown()
    server.server_close()


def test_a_space_that_follows_shows_the_forecast_of_the_archive(published: str, tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    given = ["--follow", published, "--out", str(folder)]
    subprocess.run([sys.executable, str(images.ROOT / "scripts/make_space.py"), *given], check=True)
    image = images.build("localhost/btc-follow:test", "Dockerfile", images.python_base(), context=folder)
    with images.started(image) as container:
        said = json.loads(container.wait_for("http://127.0.0.1:7860/api/v1/forecast?days=7"))
        assert said["origin_date"] == LAST.isoformat()
        assert "All is well: 2 records of BTCUSDT" in container.logs()
