"""A real Chromium for the web app's tests and pictures, and what it must never see."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import axe_core_python
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
_AXE = (Path(axe_core_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_SETTLED = """() => !document.querySelector("[data-dash-is-loading=true], .first-wait")
    && [...document.querySelectorAll(".dash-graph")].every(graph => graph.querySelector(".main-svg"))
    && [...document.images].every(image => image.complete)"""


def chromium() -> str | None:
    """Where Chromium is, first the one without a window's parts; None where it is not installed."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


def launch(playwright: Playwright, *flags: str) -> Browser:
    """Start it, headless, with more ``flags``."""
    return playwright.chromium.launch(executable_path=chromium(), args=[*_FLAGS, *flags])


class PageVisit:
    """One page in one browser context, and everything that went wrong in it."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base
        self.complaints: list[str] = []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self._note("error", str(error)))
        page.on("request", self._requested)

    def open(self, path: str, wait_for: str = "main > *") -> Page:
        """Go to ``path`` and wait until ``wait_for`` is there and nothing is on its way."""
        self.page.goto(self.base + path)
        self.page.wait_for_selector(wait_for)
        self.settle()
        return self.page

    def settle(self) -> None:
        """Wait until no callback is under way and every chart is drawn."""
        for _ in range(400):
            if self.page.evaluate(_SETTLED):
                return
            self.page.wait_for_timeout(25)
        raise AssertionError(f"{self.page.url} does not come to rest")

    def axe(self) -> list[str]:
        """Violations that axe-core finds, in words."""
        self.page.evaluate(_AXE)
        found: list[dict[str, Any]] = self.page.evaluate(
            "async () => (await axe.run({resultTypes: ['violations']})).violations"
        )
        return [f"{v['id']}: {v['help']}: {[n['target'] for n in v['nodes']][:3]}" for v in found]

    def sideways(self) -> int:
        """Pixels by which the page is wider than the window."""
        return int(
            self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        )

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._note("console", message.text)

    def _requested(self, request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https") and parts.netloc != urlsplit(self.base).netloc:
            self._note("foreign request", request.url)

    def _note(self, kind: str, text: str) -> None:
        if "was preloaded using link preload" in text:
            return  # not used within a few seconds: that the machine is busy is no fault of the page
        self.complaints.append(f"{kind}: {text}")


class BrowserWindows:
    """Browser contexts by window and scheme, each opened once so that its cache serves later visits."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: dict[tuple[int, str], BrowserContext] = {}

    @contextmanager
    def visit(
        self, base: str, viewport: dict[str, int] = DESKTOP, scheme: str = "light", **more: Any
    ) -> Iterator[PageVisit]:
        """A page of its own in the window's context, or in a fresh one where it needs ``more``."""
        key = (viewport["width"], scheme)
        context = None if more else self._contexts.get(key)
        if context is None:
            context = self._fresh(viewport, scheme, **more)
            if not more:
                self._contexts[key] = context
        page = context.new_page()
        try:
            yield PageVisit(page, base)
        finally:
            (context if more else page).close()

    def _fresh(self, viewport: dict[str, int], scheme: str, **more: Any) -> BrowserContext:
        context = self._browser.new_context(viewport=viewport, color_scheme=scheme, **more)
        context.set_default_timeout(20_000)
        return context
