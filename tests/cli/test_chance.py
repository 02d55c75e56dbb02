"""``btc chance`` answers from the forecast that was issued."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_fixture import RunBtc
from dash_data import NEWEST, fill

from btc_assets.settings import Settings


@pytest.fixture
def store(tmp_path: Path) -> None:
    fill(Settings(data_dir=str(tmp_path / "data")).root, origins=2)


@pytest.mark.usefixtures("store")
def test_a_question_is_answered_in_a_sentence_and_as_json(btc: RunBtc) -> None:
    said = btc("chance", "touch", "-10%", "--days", "30")
    assert said.returncode == 0, said.stderr
    assert "The chance that BTC touches 82,111 USDT by 21 December 2026 is about 1 in " in said.stdout
    assert f"from the close of {NEWEST}" in said.stdout
    asked = btc("chance", "between", "90,000", "95000", "--by", "2026-12-21", "--json")
    document = json.loads(asked.stdout)
    assert document["days"] == 30
    assert document["target_date"] == "2026-12-21"
    assert document["chance"] == document["by_day"][-1]
    assert 0.0 < document["chance"] < 0.5


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["above", "--days", "7"], "Nothing is not a price such as 100000 or +10%."),
        (["above", "1", "2", "--days", "7"], "above takes price, not “1” “2”."),
        (["above", "100000", "--by", "2026-11-21"], "2026-11-21 is over; ask for a day from 2026-11-22 on."),
        (["rises", "--days", "7"], "“rises” is no event"),
        (["range", "--days", "91"], "is not a number of days from 1 to 90"),
    ],
)
def test_an_impossible_question_gets_one_sentence(btc: RunBtc, arguments: list[str], says: str) -> None:
    result = btc("chance", *arguments)
    assert result.returncode == 2
    assert says in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
