"""``make screenshots``: pictures of every page and state, from a real browser, into docs/pictures.

The store behind them is the tests' own, so the pictures change only when the pages do.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "support"))

SHOTS = {
    "forecast": ("/?days=30", "desktop", "light"),
    "forecast-dark": ("/?days=30&view=candles", "desktop", "dark"),
    "forecast-phone": ("/?days=14", "phone", "dark"),
    "hindsight": ("/?days=14&as_of=2026-11-01", "desktop", "light"),
    "track-record": ("/track-record?days=7", "desktop", "light"),
    "track-record-phone": ("/track-record?days=7", "phone", "light"),
    "leaderboard": ("/leaderboard?days=1", "desktop", "light"),
    "models": ("/models?model=lstm", "desktop", "dark"),
    "about": ("/about", "desktop", "light"),
}
"""Name of the picture: the address, the window and the scheme."""

WIDEST = 1280
"""Pixels; a phone's window is drawn at its own width."""

STATE_SHOTS = ("simulated", "stale", "very stale", "outage", "down", "loading", "empty", "bad input")


def save(shot: bytes, path: Path) -> None:
    """Write the picture with a palette, which is a third of the size."""
    picture = Image.open(io.BytesIO(shot)).convert("RGB")
    if picture.width > WIDEST:
        picture = picture.resize((WIDEST, picture.height * WIDEST // picture.width), Image.Resampling.LANCZOS)
    picture.quantize(256, Image.Quantize.MEDIANCUT, kmeans=2, dither=Image.Dither.NONE).save(
        path, optimize=True
    )
    print(f"{path} {path.stat().st_size / 1000:.0f} kB")


def main() -> None:
    """Draw them all."""
    from dash_browser import DESKTOP, PHONE, BrowserWindows, launch
    from dash_states import STATES, States

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    folder: Path = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        import dash_data

        dash_data.fill(Path(scratch) / "filled" / "real")
        states = States(Path(scratch) / "filled", Path(scratch) / "states")
        windows = BrowserWindows(launch(playwright))
        shots = {name: ("filled", *shot) for name, shot in SHOTS.items()}
        shots |= {
            f"state-{state.replace(' ', '-')}": (state, STATES[state].path, "desktop", "light")
            for state in STATE_SHOTS
        }
        for name, (state, path, window, scheme) in shots.items():
            viewport = {"desktop": DESKTOP, "phone": PHONE}[window]
            with windows.visit(states.url(state), viewport, scheme) as there:
                page = there.open(path)
                page.mouse.move(0, 0)
                shot = page.screenshot(full_page=not name.startswith("state-"), animations="disabled")
            save(shot, folder / f"{name}.png")
        states.stop()


if __name__ == "__main__":
    main()
