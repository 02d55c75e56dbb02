"""The pages say where the record comes from, and how far the work that fills it backwards has come."""

from __future__ import annotations

from pathlib import Path

import dash_data
import pytest
from dash_server import context_at

from btc_assets.io import progress
from btc_assets.settings import load
from btc_dash.app import create_app
from btc_dash.pages import routing


@pytest.mark.parametrize("path", ["/", "/track-record"])
def test_the_work_that_fills_the_record_is_named_while_it_goes_on(
    tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dash_data.fill(tmp_path / "real", origins=8)
    context = context_at(load({}, data_dir=str(tmp_path)))
    app = create_app(context=context)

    def shown() -> str:
        with app.server.test_request_context(path):
            return str(routing.render(context, path, ""))

    before = shown()
    assert "filling the track record" not in before.lower()
    plan = progress.Plan({"fitting": 1.0}, progress.RECORD, "filling the track record, 120 of 730 days done")
    monkeypatch.setattr(progress, "_plan", plan)
    progress.report(context.settings.root, "fitting", 0.5)
    assert "Filling the track record, 120 of 730 days done." in shown()
    progress.done(context.settings.root, progress.RECORD)
    assert shown() == before


def test_the_track_record_says_where_it_comes_from_and_how_to_deepen_it(tmp_path: Path) -> None:
    dash_data.fill(tmp_path / "real", origins=8)
    context = context_at(load({}, data_dir=str(tmp_path), record_days=365))
    with create_app(context=context).server.test_request_context("/track-record"):
        said = str(routing.render(context, "/track-record", ""))
    assert "as far as BTC_RECORD_DAYS says (365)" in said
    assert "btc backfill --from" in said
