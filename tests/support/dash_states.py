"""The states the system can be in, each served: for the browser's tests and the pictures."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dash_data
from dash_server import Served, context_at

from btc_assets.errors import StorageError
from btc_assets.io import progress
from btc_assets.settings import load
from btc_dash.app import create_app
from btc_dash.data.cache import TableCache
from btc_dash.data.context import Context


@dataclass(frozen=True)
class State:
    """Where to look, what must be read there, and whether there is a chart."""

    says: str
    path: str = "/"
    chart: bool = False


STATES = {
    "simulated": State("Simulated market.", chart=True),
    "stale": State("Stale data.", chart=True),
    "very stale": State("Very stale data.", chart=True),
    "outage": State("This is the last good page", chart=True),
    "down": State("The store does not answer"),
    "empty": State("No prices yet"),
    "no forecasts": State("the strongest forecast that needs no fitting"),
    "loading": State("Loading history (40 %)"),
    "no scores": State("No scores yet", "/track-record"),
    "nothing to rank": State("Nothing to rank yet", "/leaderboard"),
    "no models": State("has not been fitted", "/models"),
    "bad input": State("“9999” is not a whole number", "/?days=9999", chart=True),
    "not found": State("Page not found", "/nowhere"),
}


class Flaky:
    """A store that can be switched off; everything else goes to the real one."""

    def __init__(self, tables: Any, down: bool = False) -> None:
        self._tables, self.down = tables, down

    def __getattr__(self, name: str) -> Any:
        if self.down:
            raise StorageError("the store is down")
        return getattr(self._tables, name)


class States:
    """Serves each state the first time it is asked for."""

    def __init__(self, filled: Path, scratch: Path) -> None:
        self._filled, self._scratch = filled, scratch
        self._served: dict[str, Served] = {}

    def url(self, state: str) -> str:
        """The address of a server in ``state``."""
        if state not in self._served:
            self._served[state] = Served(create_app(context=self._context(state)))
        return self._served[state].url

    def finish_loading(self, state: str = "loading") -> None:
        """What `btc up` does when it is done: the tables are there, the progress is gone."""
        root = self._scratch / state.replace(" ", "-") / "real"
        dash_data.fill(root, origins=8)
        progress.done(str(root))

    def stop(self) -> None:
        """Stop every server."""
        for server in self._served.values():
            server.stop()

    def _context(self, state: str) -> Context:
        folder = self._scratch / state.replace(" ", "-")
        filled = context_at(load({}, data_dir=str(self._filled)))
        late = {"stale": dt.timedelta(hours=30), "very stale": dt.timedelta(days=9)}
        if state in late:
            return replace(filled, now=lambda: dash_data.NOW + late[state])
        if state == "simulated":
            folder.mkdir(parents=True)
            (folder / "simulated").symlink_to(self._filled / "real")
            return context_at(load({}, data_dir=str(folder), source="simulated"))
        if state in ("outage", "down"):
            return self._broken(filled, warm=state == "outage")
        if state in ("filled", "bad input", "not found"):
            return filled
        if state in ("no forecasts", "no scores", "nothing to rank", "no models"):
            dash_data.fill(folder / "real", origins=0)
        context = context_at(load({}, data_dir=str(folder)))
        if state in ("loading", "no forecasts"):
            if state == "loading":
                progress.report(context.settings.root, "loading history", 0.4, "1,240 of 3,100 days")
            context = replace(
                context, cache=TableCache(context.cache._tables, context.cache.symbol, check_every=0.2)
            )
        return context

    @staticmethod
    def _broken(context: Context, warm: bool) -> Context:
        """A site whose store is gone, after the forecast page was shown once where ``warm``."""
        tables = Flaky(context.cache._tables)
        cache = TableCache(tables, context.cache.symbol, check_every=0)  # type: ignore[arg-type]
        broken = replace(context, cache=cache)
        if warm:
            client = create_app(context=broken).server.test_client()
            for shown in ("forecast", "health"):
                client.get(f"/api/v1/{shown}")
        tables.down = True
        return broken
