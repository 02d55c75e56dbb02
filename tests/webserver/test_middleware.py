"""No other web page drives Dagster through the operator's browser, and the UI goes on working."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from dash_browser import chromium, launch
from loopback import Handler, Server, free_port, wait_for
from playwright.sync_api import Browser, Page, sync_playwright

PAUSE = "mutation { setAutoMaterializePaused(paused: true) }"
IS_PAUSED = "{ instance { autoMaterializePaused } }"
ROOT = Path(__file__).parents[2]


class Dagster:
    """A real webserver without code, over an instance of its own."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        command = ["-m", "btc_assets.webserver", "-p", str(self.port), "--empty-workspace"]
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("BTC_", "DAGSTER_"))}
        environment |= {"DAGSTER_HOME": str(folder), "BTC_DAGSTER_HOSTS": "dagster.example.org"}
        (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        with (folder / "webserver.log").open("wb") as sink:
            self.process = subprocess.Popen(
                [sys.executable, *command], cwd=folder, env=environment, stdout=sink, stderr=sink
            )

    def ask(self, method: str, path: str, body: str | None = None, **headers: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {"Content-Type": "application/json"} | named)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def paused(self) -> bool:
        status, text = self.ask("POST", "/graphql", json.dumps({"query": IS_PAUSED}))
        assert status == 200, text
        return bool(json.loads(text)["data"]["instance"]["autoMaterializePaused"])

    def pause(self, **headers: str) -> tuple[int, str]:
        return self.ask("POST", "/graphql", json.dumps({"query": PAUSE}), **headers)


@pytest.fixture(scope="module")
def dagster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dagster]:
    server = Dagster(tmp_path_factory.mktemp("dagster"))
    try:
        wait_for(f"http://127.0.0.1:{server.port}/server_info", server.process)
        server.ask("POST", "/graphql", json.dumps({"query": PAUSE.replace("true", "false")}))
        yield server
    finally:
        server.process.kill()
        server.process.wait()


EVIL = {"Origin": "https://evil.example"}


@pytest.mark.parametrize(
    "headers",
    [
        EVIL,
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
        {"Host": "evil.example"},
        {"Host": "evil.example:3000", "Origin": "http://evil.example:3000"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": ""},
        {"Host": "[::1"},
        {
            "Host": "dagster.example.org",
            "Origin": "https://dagster.example.org:1",
            "Sec-Fetch-Site": "same-site",
        },
    ],
)
def test_P4_a_change_that_another_page_asks_for_is_refused(dagster: Dagster, headers: dict[str, str]) -> None:
    status, text = dagster.pause(**headers)
    assert status in (400, 403), text
    assert not dagster.paused()


def test_P4_a_mutation_by_get_is_refused_whoever_asks(dagster: Dagster) -> None:
    hidden = "query a { version } " + PAUSE.replace("mutation", "mutation b")
    for query in (PAUSE, hidden):
        status, text = dagster.ask("GET", f"/graphql?operationName=b&query={quote(query)}")
        assert (status, text) == (403, "A GraphQL mutation is sent with POST.\n")
        assert dagster.ask("HEAD", f"/graphql?query={quote(query)}")[0] == 403
    assert not dagster.paused()
    assert dagster.ask("GET", f"/graphql?query={quote('{ version }')}")[0] == 200


def test_P4_a_page_of_another_origin_may_link_to_the_ui_and_not_frame_or_embed_it(dagster: Dagster) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert dagster.ask("GET", "/runs", **link, **{"Sec-Fetch-Dest": "document"})[0] == 200
    assert dagster.ask("GET", "/runs", **link, **{"Sec-Fetch-Dest": "iframe"})[0] == 403
    assert dagster.ask("GET", "/server_info", **{"Sec-Fetch-Site": "cross-site"})[0] == 403


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost:3000",
        "[::1]:3000",
        "webserver",
        "dagster.internal",
        "dagster.example.org",
        "dagster.example.org.",
    ],
)
def test_P4_a_program_is_answered_under_every_name_of_ours(dagster: Dagster, host: str) -> None:
    assert dagster.ask("GET", "/server_info", Host=host)[0] == 200
    origin = f"https://{host}"
    assert (
        dagster.ask("POST", "/graphql", json.dumps({"query": IS_PAUSED}), Host=host, Origin=origin)[0] == 200
    )


ATTACK = """<!doctype html><title>evil</title>
<img src="{dagster}/graphql?query={query}">
<iframe name=hidden></iframe>
<form method=post target=hidden enctype="text/plain" action="{dagster}/graphql?query={query}"></form>
<script>
document.forms[0].submit();
const tried = [];
for (const type of ["text/plain", "application/json"])
  tried.push(fetch("{dagster}/graphql", {{method: "POST", mode: "no-cors", headers: {{"Content-Type": type}},
    body: JSON.stringify({{query: decodeURIComponent("{query}")}})}}).catch(() => null));
tried.push(new Promise(done => {{
  const socket = new WebSocket("{dagster}/graphql".replace("http", "ws"), "graphql-ws");
  socket.onopen = () => {{ document.title = "socket"; done(); }};
  socket.onerror = socket.onclose = done;
}}));
Promise.all(tried).then(() => document.body.append("attacked"));
</script>"""


class Evil(Handler):
    """Serves the attack, and the link that a person may follow."""

    dagster = ""

    def do_GET(self) -> None:
        page = ATTACK.format(dagster=self.dagster, query=quote(PAUSE))
        page += f'<a href="{self.dagster}/runs">Dagster</a>'
        self.reply(200, page.encode(), {"Content-Type": "text/html"})


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if chromium() is None:
        pytest.skip("no Chromium here: `make setup-dev` installs it")
    with sync_playwright() as playwright:
        opened = launch(playwright, "--host-resolver-rules=MAP *.example 127.0.0.1")
        yield opened
        opened.close()


@pytest.fixture
def evil(dagster: Dagster) -> Iterator[int]:
    server = Server(Evil).start()
    yield server.server_port
    server.stop()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


@pytest.mark.browser
@pytest.mark.parametrize("where", ["evil.example", "127.0.0.1"], ids=["another-site", "another-port"])
def test_P4_a_real_browser_on_another_origin_changes_nothing(
    dagster: Dagster, evil: int, page: Page, where: str
) -> None:
    Evil.dagster = f"http://127.0.0.1:{dagster.port}"
    page.goto(f"http://{where}:{evil}/")
    page.wait_for_selector("text=attacked")
    assert page.title() == "evil"
    assert not dagster.paused()
    page.click("text=Dagster")
    page.wait_for_url("**/runs*")
    page.wait_for_selector("text=Overview")


@pytest.mark.browser
def test_P4_a_name_that_was_rebound_is_not_answered(dagster: Dagster, page: Page) -> None:
    answer = page.goto(f"http://evil.example:{dagster.port}/")
    assert answer is not None
    assert answer.status == 403
    assert "BTC_DAGSTER_HOSTS" in page.content()


@pytest.mark.browser
def test_P4_the_ui_and_its_websockets_work(dagster: Dagster, page: Page) -> None:
    sockets: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: sockets.append(str(frame))))
    page.goto(f"http://127.0.0.1:{dagster.port}/runs")
    page.wait_for_selector("text=Overview")
    asked = """async query => (await fetch("/graphql", {method: "POST",
        headers: {"Content-Type": "application/json"}, body: JSON.stringify({query})})).json()"""
    assert page.evaluate(asked, PAUSE)["data"]["setAutoMaterializePaused"] is True
    assert page.evaluate(asked, PAUSE.replace("true", "false"))["data"]["setAutoMaterializePaused"] is False
    page.wait_for_function(
        """() => new Promise(done => {
            const socket = new WebSocket(location.origin.replace("http", "ws") + "/graphql", "graphql-ws");
            socket.onopen = () => socket.send(JSON.stringify({type: "connection_init", payload: {}}));
            socket.onmessage = event => done(JSON.parse(event.data).type === "connection_ack");
        })"""
    )
    assert any("connection_ack" in frame for frame in sockets)
