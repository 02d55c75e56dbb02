"""`btc notify`: whether a notification would reach anybody."""

from __future__ import annotations

from cli_fixture import RunBtc
from smtp_server import hook


def test_btc_notify_shows_whether_anybody_is_reached(btc: RunBtc) -> None:
    with hook() as web:
        settings = {"BTC_NOTIFY": "log,webhook", "BTC_NOTIFY_WEBHOOK": web.address}
        good = btc("notify", **settings)
        assert (good.returncode, good.stdout) == (0, "log: taken\nwebhook: taken\n")
        assert "ALARM [BTCUSDT] test notification" in good.stderr
        web.status = 500
        bad = btc("notify", **settings)
    assert bad.returncode == 1
    assert "webhook: NOT delivered: webhook at 127.0.0.1: HTTP 500" in bad.stdout
    assert "canary" not in bad.stdout + bad.stderr
