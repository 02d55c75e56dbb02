"""The leaderboard: every scored model on the same days, and which of them cannot be told apart."""

from __future__ import annotations

from dash import Dash, dcc, html
from dash.development.base_component import Component

from btc_assets.market.calendar import FIRST_DAY
from btc_assets.scoring.leaderboard import Leaderboard
from btc_assets.scoring.summary import FAR, SHOWN
from btc_dash.charts import leaderboard as charts
from btc_dash.data import leaderboard, market, track_record
from btc_dash.data.context import Context
from btc_dash.data.query import LeaderboardQuery, LeaderboardRequest, parse
from btc_dash.pages import question_form
from btc_dash.pages.controls import Choice, Entry, Select, Table
from btc_dash.pages.panel import graph, panel
from btc_dash.server.middleware import client
from btc_dash.text import formatting as fmt
from btc_dash.text.leaderboard_text import HEAD, cells, sentences

MEAN = "mean"
_KIND_NAMES = {"live": "Live", "late": "Late", "backfilled": "Back-filled"}
_ROW, _AXIS = 34, 60
"""Height of a model's line in the chart and of the axis below, pixels."""


def page(context: Context, asked: LeaderboardQuery, complaints: dict[str, str], search: str) -> Component:
    """Return the whole page."""
    intro = [
        html.H1("Leaderboard"),
        html.P(
            "All models, ours and others', on the same days. The score (CRPS) rewards ranges that are narrow "
            "and right, as a ratio to the random walk's: below 1 is better.",
            className="lead",
        ),
        html.P(
            "Live, late and back-filled forecasts are never mixed: a model that is added today begins its "
            "live record today, however far it is back-filled.",
            className="lead",
        ),
        html.P(dcc.Link("One model in detail: the track record", href="/track-record")),
    ]
    controls = _controls(context, asked, complaints)
    return question_form.page("board", search, intro, controls, body(context, asked))


def body(context: Context, asked: LeaderboardQuery) -> list[Component | None]:
    """Return everything that depends on the question."""
    board = leaderboard.board(context, asked, client())
    if not board.standings:
        return [_nothing_yet(context, asked)]
    return [
        html.Section([html.P(s) for s in sentences(board, asked.kind)], className="summary"),
        _chart(board),
        panel(
            "In numbers",
            "Independent: outcomes that do not overlap. May be the best: whether the model is in the set "
            "that holds the best one with 95 % confidence (the model confidence set); models in it cannot be "
            "told apart. Beside the first: the Diebold-Mariano test of that pair alone.",
            Table("board", "Leaderboard", HEAD, [cells(s) for s in board.standings]),
        ),
        html.P(_links(asked), className="links"),
    ]


def _chart(board: Leaderboard) -> Component:
    shown = charts.drawn(board.standings)
    beyond = [fmt.model(s.model) for s in board.standings if s not in shown]
    note = "Bars are 95 % intervals; the dotted line is the plain random walk."
    if beyond:
        note += f" Beyond the right edge: {', '.join(beyond)}."
    told = any(s.maybe_best is False for s in shown)
    legend = [("dot-median", "May be the best"), ("grey-cross", "Not the best")] if told else []
    height = _AXIS + _ROW * len(shown)
    return panel(
        "Score", note, graph("board-scores", charts.score_figure(board.standings), height), legend=legend
    )


def _links(asked: LeaderboardQuery) -> list[Component]:
    everything = asked.model_copy(update={"since": None})
    table = LeaderboardRequest(**asked.model_dump(), format="csv")
    found: list[Component] = [html.A("Download CSV", href=f"/api/v1/leaderboard{table.search}")]
    if asked.since:
        found.append(dcc.Link("From the first day that all have", href=f"/leaderboard{everything.search}"))
    return found


def _nothing_yet(context: Context, asked: LeaderboardQuery) -> Component:
    counts = track_record.counts(context.cache)
    others = [kind for kind in _KIND_NAMES if counts[kind] and kind != asked.kind]
    elsewhere: dict[str, dict[str, object]] = {
        f"{_KIND_NAMES[kind]} forecasts": {"kind": kind, "since": None} for kind in others
    }
    if asked.days != 1 and counts[asked.kind]:
        elsewhere["1 day ahead"] = {"days": 1}
    links = [
        html.P(dcc.Link(name, href=f"/leaderboard{asked.model_copy(update=change).search}"))
        for name, change in elsewhere.items()
    ]
    hint = "A forecast is scored once the day it is about is over"
    hint += "; the mean over 1 to 30 days needs 30 of them." if asked.days is None else "."
    return html.Section([html.H2("Nothing to rank yet"), html.P(hint), *links], className="state")


def _controls(context: Context, asked: LeaderboardQuery, complaints: dict[str, str]) -> Component:
    days = sorted({*SHOWN, *FAR, *([asked.days] if asked.days else [])})
    ahead = {MEAN: "1 to 30 days, on average"} | {str(n): fmt.days(n) for n in days}
    last = market.last_day(context.cache) or FIRST_DAY
    since = asked.since.isoformat() if asked.since else ""
    return html.Section(
        [
            Select("board-days", "Days ahead", ahead, str(asked.days or MEAN), complaints.get("days")),
            Choice("board-kind", "Forecasts", _KIND_NAMES, asked.kind, complaints.get("kind")),
            Entry("board-since", "date", "Made from this day on", since,
                  (FIRST_DAY.isoformat(), last.isoformat()), ("One day earlier", "One day later"),
                  error=complaints.get("since")),
        ],
        className="controls",
        **{"aria-label": "What to rank"},
    )  # fmt: skip


def register(app: Dash, context: Context) -> None:
    """Attach the callback: form and address ask the same question."""
    question_form.connect(
        app,
        "board",
        lambda values: parse(LeaderboardQuery, values, market.last_day(context.cache)),
        lambda asked: body(context, asked),
        {
            "days": lambda asked: str(asked.days or MEAN),
            "kind": lambda asked: asked.kind,
            "since": lambda asked: asked.since.isoformat() if asked.since else "",
        },
    )
