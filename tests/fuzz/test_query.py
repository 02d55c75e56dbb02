"""The query parser of the web app: any address gives a question within its limits and plain complaints."""

from __future__ import annotations

import datetime as dt
import html

from mutation import fuzzed

from btc_assets.contracts import HORIZONS, MODELS, NETWORKS
from btc_assets.market.calendar import FIRST_DAY
from btc_dash.data.query import (
    KINDS,
    SPANS,
    STARTS,
    VIEWS,
    ForecastRequest,
    LeaderboardQuery,
    LeaderboardRequest,
    ModelQuestion,
    Question,
    RecordQuestion,
    arguments,
    parse,
    parse_strictly,
)

LAST = dt.date(2026, 11, 21)


@fuzzed("query")
def test_any_address_gives_a_question_that_can_be_answered(data: bytes) -> None:
    """And what it complains of is short and on one line."""
    given = arguments(data.decode("utf-8", "replace"))
    question, complaints = parse(Question, given, LAST)
    assert 1 <= question.days <= HORIZONS
    assert question.model in MODELS
    assert question.as_of is None or FIRST_DAY <= question.as_of <= LAST
    assert question.span in SPANS
    assert question.view in VIEWS
    assert question.start in STARTS
    record, more = parse(RecordQuestion, given)
    assert 1 <= record.days <= HORIZONS
    assert record.kind in KINDS
    model, most = parse(ModelQuestion, given)
    assert model.model in NETWORKS
    board, wrong = parse(LeaderboardQuery, given, LAST)
    assert board.days is None or 1 <= board.days <= HORIZONS
    assert board.kind in KINDS[1:]
    assert board.since is None or FIRST_DAY <= board.since <= LAST
    assert parse(LeaderboardQuery, arguments(board.search), LAST) == (board, {})
    names = [parse_strictly(kind, given, LAST)[1] for kind in (ForecastRequest, LeaderboardRequest)]
    for text in [t for said in (complaints, more, most, wrong, *names) for t in said.values()]:
        assert text.isprintable()
        assert len(text) < 200
        assert len(html.escape(text)) < 400
    assert parse(Question, arguments(question.search), LAST) == (question, {})
