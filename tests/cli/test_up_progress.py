"""What `btc up` says once all is ready."""

from __future__ import annotations

from btc_assets.cli.up_progress import ready_line
from btc_assets.settings import load


def test_only_what_is_served_here_is_said_to_be_ready() -> None:
    settings = load({"BTC_WEB_PORT": "8051", "BTC_DAGSTER_PORT": "3001"})
    page, dagster = "http://127.0.0.1:8051 (page)", "http://127.0.0.1:3001 (Dagster)"
    assert ready_line(settings, page=True) == f"Ready: {page}, {dagster}. Ctrl-C stops both."
    assert ready_line(settings, page=False) == f"Ready: {dagster}. Ctrl-C stops it."
