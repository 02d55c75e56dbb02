"""The forecasters that come with the project keep the rules, and are light until they run."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from btc_assets.contracts import BASELINES, MEDIAN
from btc_assets.forecasters import discovery
from btc_assets.forecasters.check import check
from btc_assets.forecasters.discovery import SHIPPED, chosen, find
from btc_assets.forecasters.protocol import Needs, Observed
from btc_assets.forecasters.shipped.conformal import ConformalWalk
from btc_assets.forecasters.shipped.har import Har
from btc_assets.forecasters.simulated_data import simulated_data
from btc_assets.forecasters.worker import load
from btc_assets.market.calendar import DAY, FIRST_DAY

ENTRANTS = [name for name in SHIPPED if name not in BASELINES]
ORIGIN = FIRST_DAY + 1500 * DAY
DATA = simulated_data([], ORIGIN + DAY)


def observed(days: int) -> Observed:
    return DATA.observed(ORIGIN, Needs(days=days))


@pytest.mark.parametrize("name", ENTRANTS)
def test_it_forecasts_a_plausible_fan(name: str) -> None:
    forecaster = load(SHIPPED[name], name)
    given = observed(forecaster.needs.days)
    quantiles = forecaster.forecast(given)
    assert quantiles.tobytes() == forecaster.forecast(given).tobytes()
    assert quantiles.shape == (90, 21)
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert np.abs(np.log(quantiles[:, MEDIAN] / given.last_close)).max() < 0.3
    widths = np.log(quantiles[:, -1] / quantiles[:, 0])
    past = np.std(given.log_returns)
    assert 1.0 < widths[0] / past < 12.0
    assert 4.0 < widths[-1] / widths[0] < 25.0


def test_one_that_draws_keeps_every_rule() -> None:
    report = check(find("garch"))
    assert report.ok, [result for result in report.results if not result.kept]


def test_a_missing_day_stops_nobody() -> None:
    given = observed(1461)
    gap = given.candles.filter(given.candles["date"] != ORIGIN - 40 * DAY)
    for name in ENTRANTS:
        forecaster = load(SHIPPED[name], name)
        quantiles = forecaster.forecast(Observed(given.symbol, ORIGIN, gap.tail(forecaster.needs.days)))
        assert np.isfinite(quantiles).all(), name


def test_har_and_the_conformal_walk_follow_a_hand_made_market() -> None:
    """Twice as lively a market has ranges twice as wide, and neither forecasts a drift."""
    given = observed(1461)
    lively = given.candles.with_columns(
        **{name: given.last_close * (given.candles[name] / given.last_close) ** 2 for name in
           ("open", "high", "low", "close")}
    )  # fmt: skip
    for forecaster in (Har(), ConformalWalk()):
        calm = np.log(forecaster.forecast(given) / given.last_close)
        wild = np.log(forecaster.forecast(Observed(given.symbol, ORIGIN, lively)) / given.last_close)
        assert np.allclose(wild, 2 * calm, rtol=1e-6, atol=1e-9)
        assert np.allclose(calm[:, MEDIAN], 0.0)


def test_nothing_of_theirs_is_imported_before_they_run() -> None:
    code = (
        "import sys; from btc_assets.forecasters.discovery import SHIPPED\n"
        "from btc_assets.forecasters.worker import load\n"
        "for name, target in SHIPPED.items(): load(target, name)\n"
        "print([m for m in ('arch', 'scipy', 'statsforecast', 'pandas') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"


def test_without_its_library_one_says_what_to_install_and_all_leaves_it_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(discovery.LIBRARIES, "garch", "arch_that_is_not_there")
    assert find("garch").problem == "it needs arch_that_is_not_there; install btc-assets[arena]"
    assert "garch" not in {each.name for each in chosen("all")}
    assert chosen("garch")[0].problem
    assert "ewma_t" in {each.name for each in chosen("all")}
