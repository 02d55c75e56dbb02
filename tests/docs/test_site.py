"""The documentation site: it builds without the network, leads nowhere wrong, and asks no other host."""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from dash_browser import launch
from loopback import serve_folder
from playwright.sync_api import sync_playwright

pytestmark = pytest.mark.faults  # no fault, but long

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / ".venv" / "bin"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `make docs` fills: ``zensical.toml``, ``docs-source``, and the site in ``docs``."""
    folder = tmp_path_factory.mktemp("site")
    gather = [str(PROGRAMS / "python"), "scripts/build_docs.py", str(folder)]
    subprocess.run(gather, cwd=ROOT, check=True, timeout=60)
    build = [str(PROGRAMS / "zensical"), "build", "--strict", "--clean", "-f", str(folder / "zensical.toml")]
    said = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)
    if said.returncode:
        pytest.fail(said.stdout, pytrace=False)
    return folder


class Page(HTMLParser):
    """What a page links, what it loads by itself, and the places in it that can be linked."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.places: set[str] = set()
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.places |= {found[name] for name in ("id", "name") if name in found}
        if tag in ("a", "area"):
            self.links |= {found["href"]} if "href" in found else set()
        else:
            self.loads |= {found[name] for name in ("href", "src") if name in found}


@pytest.fixture(scope="module")
def pages(built: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in sorted((built / "docs").rglob("*.html")) if path.name != "404.html"}


def test_every_link_and_every_anchor_of_the_site_leads_somewhere(pages: dict[Path, Page]) -> None:
    broken = []
    for path, page in pages.items():
        for address in page.links | page.loads:
            if urlsplit(address).scheme:
                continue
            file, place = urldefrag(address)
            target = (path.parent / unquote(file)).resolve() if file else path
            if target.is_dir():
                target /= "index.html"
            known = pages[target].places if target in pages else set()
            if not target.exists() or (place and place not in known and not place.startswith("__")):
                broken.append(f"{path.name} -> {address}")
    assert broken == []


def test_no_page_loads_anything_from_another_host(pages: dict[Path, Page]) -> None:
    loaded = {address for page in pages.values() for address in page.loads}
    assert {address for address in loaded if urlsplit(address).netloc} <= {"https://zensical.org/"}


def test_every_document_is_a_page_in_the_navigation(built: Path) -> None:
    nav = str(tomllib.loads((built / "zensical.toml").read_text())["project"]["nav"])
    for path in (built / "docs-source").rglob("*.md"):
        assert repr(path.relative_to(built / "docs-source").as_posix()) in nav, f"{path.name} is in no menu"


def test_every_module_is_in_the_reference(built: Path) -> None:
    text = "\n".join(path.read_text() for path in (built / "docs-source" / "code").glob("*.md"))
    for package in ("btc_assets", "btc_dash", "lambda_image"):
        for path in (ROOT / package).rglob("*.py"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            if not name.endswith("__main__"):
                assert f"::: {name}\n" in text


@pytest.fixture(scope="module")
def served(built: Path) -> Iterator[str]:
    with serve_folder(built / "docs") as address:
        yield address


@pytest.mark.browser
def test_a_reader_finds_a_page_by_search_and_no_other_host_is_asked(served: str) -> None:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{served}/index.html")
        page.wait_for_load_state("networkidle")
        page.keyboard.press("/")
        page.keyboard.type("vintage")
        page.get_by_role("link", name="Glossary").last.wait_for()
        browser.close()
    assert [url for url in asked if not url.startswith((served, "data:", "blob:"))] == []
