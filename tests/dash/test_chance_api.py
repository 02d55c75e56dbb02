"""Questions about the price over HTTP, and paths as files."""

from __future__ import annotations

import io

import dash_data
import numpy as np
import polars as pl
import pytest
from dash_server import context_at
from flask.testing import FlaskClient

from btc_assets.contracts import LEVELS
from btc_assets.settings import Settings
from btc_dash.app import create_app

CHANCE = "/api/v1/chance?event="


def test_a_question_is_answered_with_how_such_answers_did(client: FlaskClient) -> None:
    body = client.get(f"{CHANCE}touch&price=%2B5%25&days=7").get_json()
    assert body["origin_date"] == dash_data.NEWEST.isoformat()
    assert body["target_date"] == "2026-11-28"
    assert body["question"] == "touches 95,796 USDT by 28 November 2026"
    assert body["answer"].startswith("The chance that BTC touches 95,796 USDT")
    assert body["chance"] == body["by_day"][6]
    assert 0.2 < body["chance"] < 0.6
    assert body["record"]["answers"] >= body["record"]["independent"] >= 1


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ("above&price=100000&by=2026-12-25", "by_day"),
        ("below&price=80000&days=90", "by_day"),
        ("between&low=90000&high=95000&days=1", "by_day"),
        ("stay&low=-10%25&high=%2B10%25&days=30", "by_day"),
        ("fall&fall=20&since=peak&days=30&as_of=2026-11-01", "by_day"),
        ("range&days=30&model=mlp", "quantiles"),
        ("worth&amount=0.5&days=30", "shortfall"),
    ],
)
def test_every_kind_of_question_can_be_asked(client: FlaskClient, query: str, holds: str) -> None:
    response = client.get(CHANCE + query)
    assert response.status_code == 200, response.get_data(as_text=True)
    assert response.get_json()[holds]


@pytest.mark.parametrize(
    ("query", "status", "field", "says"),
    [
        ("above&days=7", 400, "price", "Nothing is not a price"),
        ("above&price=1&days=91", 400, "days", "not a number of days from 1 to 90"),
        ("above&price=1&by=2026-11-21", 400, "by", "2026-11-21 is over"),
        ("touch&price=%2B0%25&days=7", 400, "price", "is there already"),
        ("rise&price=1&days=7", 400, "event", "choose above, below"),
        ("above&price=1&days=7&amount=3", 400, "amount", "above takes price, no amount"),
        ("above&price=1&days=7&day=3", 400, "day", "did you mean days"),
        ("above&price=1&days=7&as_of=2027-01-01", 404, None, "lies after the last closed day"),
    ],
)
def test_an_impossible_question_is_a_problem_that_names_the_field(
    client: FlaskClient, query: str, status: int, field: str | None, says: str
) -> None:
    response = client.get(CHANCE + query)
    assert (response.status_code, response.mimetype) == (status, "application/problem+json")
    problem = response.get_json()
    assert says in (problem["errors"][field] if field else problem["detail"])


@pytest.mark.parametrize("kind", ["csv", "npz", "parquet"])
def test_paths_come_as_a_file_with_the_issued_quantiles(client: FlaskClient, kind: str) -> None:
    issued = client.get("/api/v1/forecast?days=3").get_json()["forecast"][2]
    response = client.get(f"/api/v1/paths?days=3&n=81&format={kind}")
    assert response.status_code == 200
    assert f"btc-paths-ensemble-2026-11-21-3d.{kind}" in response.headers["Content-Disposition"]
    content = io.BytesIO(response.get_data())
    if kind == "npz":
        arrays = np.load(content)
        closes, low = arrays["close"][2], arrays["low"][2]
        assert str(arrays["date"][2]) == issued["target_date"]
    else:
        frame = pl.read_csv(content, try_parse_dates=True) if kind == "csv" else pl.read_parquet(content)
        assert frame.columns == ["path", "date", "close", "high", "low"]
        assert frame.height == 3 * 81
        last = frame.filter(pl.col("date") == pl.col("date").max())
        closes, low = last["close"].to_numpy(), last["low"].to_numpy()
    assert (low <= closes).all()
    found = np.quantile(closes, [LEVELS[1], 0.5, LEVELS[-2]])
    assert found == pytest.approx([issued["q050"], issued["q500"], issued["q950"]], abs=0.01)


def test_paths_and_answers_are_made_once_and_cost_the_client(settings: Settings) -> None:
    client = create_app(context=context_at(settings)).server.test_client()
    answers = [client.get(f"{CHANCE}above&price={100_000 + k}&days=7").status_code for k in range(40)]
    assert set(answers) == {200}
    paths = [client.get(f"/api/v1/paths?n={n}").status_code for n in range(2, 42)]
    assert paths[0] == 200
    assert paths[-1] == 429
