"""The volatility page: what is expected, its place in the year, and what the width is made of."""

from __future__ import annotations

import dash_data
import numpy as np
import pytest
from flask.testing import FlaskClient

from btc_assets.modeling.width_parts import PARTS
from btc_dash.charts.volatility import rate
from btc_dash.data import market, volatility
from btc_dash.data.context import Context
from btc_dash.data.volatility import AHEAD
from btc_dash.pages import volatility as page


def test_expected_volatility_is_that_of_the_forecast_a_year(context: Context) -> None:
    forecast = market.issued(context.cache, "ensemble", dash_data.NEWEST)
    assert forecast is not None
    for e in volatility.expected(context.cache):
        low, high = (forecast.level(level)[e.days - 1] for level in (0.1, 0.9))
        assert e.now == pytest.approx(np.log(high / low) / 2.5631 * np.sqrt(365 / e.days), rel=1e-4)
        assert e.now == pytest.approx(rate(np.log(np.log(high / low)), e.days))
        assert e.forecasts == 60
        assert 0 <= e.lower + e.higher < 1


def test_the_parts_sum_to_the_issued_forecast(context: Context) -> None:
    parts = volatility.why(context, dash_data.NEWEST, "a client")
    assert tuple(parts) == (*PARTS, "restated")
    total = np.sum(list(parts.values()), axis=0)
    for e, log_width in zip(volatility.expected(context.cache), total, strict=True):
        assert rate(log_width, e.days) == pytest.approx(e.now, rel=1e-9)


def test_a_forecast_computed_from_what_is_there_has_nothing_restated(context: Context) -> None:
    origin = dash_data.NEWEST - 70 * (dash_data.TODAY - dash_data.NEWEST)
    parts = context.forecaster.width_parts("ensemble", origin, "a client")
    computed = context.forecaster.forecast("ensemble", origin, "a client")
    low, high = (np.array(computed.level(level)) for level in (0.1, 0.9))
    assert np.sum(list(parts.values()), axis=0) == pytest.approx(np.log(np.log(high / low)), abs=1e-9)


def test_realised_volatility_is_of_the_newest_day(context: Context) -> None:
    seen = volatility.realised_volatility(context.cache)
    assert seen["date"].max() == dash_data.NEWEST
    assert seen["volatility"].is_between(0.01, 5).all()


def test_the_page_says_why_in_words(context: Context, client: FlaskClient) -> None:
    with client.application.test_request_context():
        text = str(page.page(context))
    assert "the last year alone would expect" in text
    for days in AHEAD:
        assert ("Next day" if days == 1 else f"Next {days} days") in text
