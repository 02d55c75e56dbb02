"""The Space, assembled, built and probed as Hugging Face would: port 7860, user 1000."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import images
import pytest
from exchange import Exchange
from graph_environment import LAST, GraphEnvironment, point_settings_at
from image_layers import require_clean
from loopback import free_port, serve_folder

from btc_assets.backup.make import backup
from btc_assets.backup.published import ARCHIVE, STATE
from btc_assets.factory import all_tables
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
    with serve_folder(tmp_path / "web") as address:
        yield f"{address}/btc.tar.gz"


def test_a_space_that_follows_shows_the_forecast_of_the_archive(published: str, tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    given = ["--follow", published, "--out", str(folder)]
    subprocess.run([sys.executable, str(images.ROOT / "scripts/make_space.py"), *given], check=True)
    image = images.build("localhost/btc-follow:test", "Dockerfile", images.python_base(), context=folder)
    with images.started(image) as container:
        said = json.loads(container.wait_for("http://127.0.0.1:7860/api/v1/forecast?days=7"))
        assert said["origin_date"] == LAST.isoformat()
        assert "All is well: 2 records of BTCUSDT" in container.logs()


@pytest.fixture
def whole(tmp_path: Path) -> str:
    """The Space that runs everything, of the simulated market; an image that knows no place yet."""
    images.require_tools()
    folder = tmp_path / "repository"
    given = ["--whole", "--source", "simulated", "--out", str(folder)]
    subprocess.run([sys.executable, str(images.ROOT / "scripts/make_space.py"), *given], check=True)
    return images.build("localhost/btc-whole:test", "Dockerfile", images.python_base(), context=folder)


PACK = """
from pathlib import Path
from btc_assets.backup import make, published
from btc_assets.factory import all_tables
from btc_assets.factory import open_pair
from btc_assets.ledger.records import head
from btc_assets.settings import load

settings, place = load(), Path("/tmp/place")
place.mkdir()
archive = place / published.ARCHIVE
manifest = make.backup(settings, archive, list(all_tables().values()), with_dagster=False)
state = published.next_state(None, manifest, head(open_pair(settings), settings.symbol), archive)
(place / published.STATE).write_bytes(state.encode())
"""
"""Makes a state of the store of a container, as `btc daily` does."""


@pytest.mark.timeout(3000)
def test_a_space_runs_everything_and_after_a_restart_goes_on_from_what_is_published(
    whole: str, tmp_path: Path
) -> None:
    """Nothing is published at first: it loads, fits, forecasts. Then its disk is lost."""
    page = "http://127.0.0.1:7860/api/v1/forecast?days=7"
    place = tmp_path / "place"
    place.mkdir()
    with serve_folder(place) as address:
        given = ["-e", f"BTC_PUBLISHED={address}", "-e", f"BTC_DAGSTER_PORT={free_port()}"]
        with images.started(whole, *given) as container:
            container.wait_for_log("Ready: ", 1800)
            began = json.loads(container.wait_for(page))
            assert "nothing is published yet" in container.logs()
            container.execute("python", "-c", PACK)
            for name in (ARCHIVE, STATE):
                container.copy(f"/tmp/place/{name}", place / name)
        with images.started(whole, *given) as container:
            container.wait_for_log("Ready: ", 600)
            again = json.loads(container.wait_for(page))
            assert "state-000001 of" in container.logs()
            assert "fitting" not in container.logs()
    assert began["simulated"]
    assert (again["origin_date"], again["issued_at"]) == (began["origin_date"], began["issued_at"])
