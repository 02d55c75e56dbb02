"""The images `dagster` and `dash`: built as they ship, started read-only as nobody, and probed."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from pathlib import Path

import images
import pytest
from image_layers import require_clean
from loopback import free_port
from postgres import postgres

pytestmark = [pytest.mark.images, pytest.mark.timeout(1800)]

HEALTHY = ("--tmpfs", "/cache:rw,mode=1777", "--no-healthcheck")

WEBSERVER = ["python", "-m", "btc_assets.webserver", "-h", "127.0.0.1"]


@pytest.fixture(scope="module")
def dash() -> str:
    images.require_tools()
    return images.build("localhost/btc-dash:test", "Dockerfile", images.python_base(), "--target", "dash")


@pytest.fixture(scope="module")
def dagster() -> str:
    images.require_tools()
    return images.build(
        "localhost/btc-dagster:test", "Dockerfile", images.python_base(), "--target", "dagster"
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An instance in a folder, in place of the deployed one that needs a database."""
    folder = tmp_path / "home"
    folder.mkdir()
    folder.chmod(0o777)
    (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    return folder


def health_command(image: str) -> list[str]:
    return [str(part) for part in images.inspect(image)["Healthcheck"]["Test"][1:]]


def test_the_page_draws_and_the_container_is_healthy(dash: str, data: Path) -> None:
    port = free_port()
    options = ["-e", f"PORT={port}", "-e", "BTC_SOURCE=simulated", "-v", f"{data}:/data:ro", *HEALTHY]
    with images.started(dash, *options) as container:
        page = container.wait_for(f"http://127.0.0.1:{port}/").decode()
        assert "<title>" in page
        container.execute(*health_command(dash))
        assert container.execute("id", "-u").strip() == "1000"
        layout = json.loads(container.wait_for(f"http://127.0.0.1:{port}/_dash-layout"))
        assert layout


def test_the_graph_loads_and_the_webserver_answers(dagster: str, data: Path, home: Path) -> None:
    port = free_port()
    options = [
        "-e",
        "BTC_SOURCE=simulated",
        "-v",
        f"{data}:/data:rw",
        "-v",
        f"{home}:/opt/dagster:rw",
        *HEALTHY,
    ]
    command = [
        "python",
        "-m",
        "btc_assets.webserver",
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
        "-w",
        "/app/workspace.yaml",
    ]
    with images.started(dagster, *options, "--", *command) as container:
        container.wait_for(f"http://127.0.0.1:{port}/server_info", seconds=240)
        query = {"query": "{ assetNodes { assetKey { path } } }"}
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/graphql",
            json.dumps(query).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=120) as response:
            nodes = json.load(response)["data"]["assetNodes"]
        assert {"raw_klines", "forecasts"} <= {node["assetKey"]["path"][0] for node in nodes}


def test_the_deployed_instance_serves_from_a_read_only_root(dagster: str, data: Path) -> None:
    """With the image's own dagster.yaml, on a real PostgreSQL, nothing mounted over DAGSTER_HOME."""
    port = free_port()
    given = {"BTC_SOURCE": "simulated", "DAGSTER_LOGS_BUCKET": "logs", "AWS_DEFAULT_REGION": "eu-central-1"}
    command = [
        "python",
        "-m",
        "btc_assets.webserver",
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
        "-w",
        "/app/workspace.yaml",
    ]
    with postgres() as database:
        options = [
            part for name, value in {**given, **database}.items() for part in ("-e", f"{name}={value}")
        ]
        with images.started(
            dagster, *options, "-v", f"{data}:/data:rw", *HEALTHY, "--", *command
        ) as container:
            body = container.wait_for(f"http://127.0.0.1:{port}/server_info", seconds=240)
            assert "dagster_webserver_version" in json.loads(body)
            assert "Read-only file system" not in container.logs()


def test_the_graph_image_materialises_a_day(dagster: str, data: Path, home: Path) -> None:
    options = [
        "-e",
        "BTC_SOURCE=simulated",
        "-v",
        f"{data}:/data:rw",
        "-v",
        f"{home}:/opt/dagster:rw",
        *HEALTHY,
    ]
    what = ["--select", "raw_klines", "--partition", "2020-02-29"]
    command = ["dagster", "asset", "materialize", "-m", "btc_assets.definitions", *what]
    images.run(*images.podman_run(dagster, *options, "--", *command))
    assert list(data.rglob("*.parquet"))


def test_the_daemon_and_the_code_server_are_in_the_same_image(dagster: str) -> None:
    for command in (["dagster-daemon", "run", "--help"], ["dagster", "code-server", "start", "--help"]):
        images.run(*images.podman_run(dagster, *HEALTHY, "--", *command))


@pytest.mark.parametrize("image", ["dash", "dagster"])
def test_no_build_tool_cache_or_root_is_left(image: str, request: pytest.FixtureRequest) -> None:
    name = request.getfixturevalue(image)
    config = images.inspect(name)["Config"]
    assert config["User"] == "1000:1000"
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    folders = "/root/.cache /opt/build /opt/wheel /app/btc_assets /opt/venv/bin/pip"
    script = f"command -v gcc uv; ls -d {folders} 2>/dev/null; true"
    found = subprocess.run(
        images.podman_run(name, "--entrypoint", "sh", *HEALTHY, "--", "-c", script),
        capture_output=True,
        text=True,
    )
    assert found.stdout == ""


def test_tensorflow_and_dagster_are_not_in_the_web_image(dash: str) -> None:
    listed = images.run(
        *images.podman_run(
            dash, "--entrypoint", "ls", *HEALTHY, "--", "/opt/venv/lib/python3.11/site-packages"
        )
    ).split()
    assert "dash" in listed
    assert not {"tensorflow", "keras", "dagster", "matplotlib", "hopsworks", "moto"} & set(listed)


@pytest.mark.parametrize("image", ["dash", "dagster"])
def test_K2_no_layer_holds_a_secret_a_cache_or_a_path_of_the_build_machine(
    image: str, request: pytest.FixtureRequest
) -> None:
    require_clean(request.getfixturevalue(image), images.python_base())
