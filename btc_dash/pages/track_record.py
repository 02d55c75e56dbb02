"""The track record: what was said, what happened, and an honest verdict."""

from __future__ import annotations

import polars as pl
from dash import Dash, dcc, html
from dash.development.base_component import Component

from btc_assets.contracts import BASELINES, HORIZONS, MODELS, NETWORKS
from btc_assets.market.calendar import DAY
from btc_assets.scoring.drift import window
from btc_dash.charts import track_record as charts
from btc_dash.data import chances, market, track_record
from btc_dash.data.context import Context
from btc_dash.data.ledger import LedgerHead, ledger_head
from btc_dash.data.query import RecordQuestion, parse
from btc_dash.pages import question_form, states
from btc_dash.pages.controls import Choice, Entry, Table
from btc_dash.pages.panel import graph, panel
from btc_dash.text import chance_text
from btc_dash.text import formatting as fmt
from btc_dash.text.record_text import drift_sentence, record_sentences

_PRESETS = {n: fmt.days(n) for n in (1, 7, 14, 30, 90)}
_MODEL_NAMES = {name: fmt.model(name) for name in ("ensemble", *NETWORKS)}
_KIND_NAMES = {"all": "All", "live": "Live", "late": "Late", "backfilled": "Back-filled"}
_HEAD = (
    "Model", "Forecasts", "Independent", "Average miss", "No change", "Score",
    "In 50 %", "In 80 %", "In 95 %",
)  # fmt: skip
_FEWEST = 10
_HIGH, _LOW = 380, 290
"""Heights of charts, pixels."""


def page(context: Context, question: RecordQuestion, complaints: dict[str, str], search: str) -> Component:
    """Return the whole page for one horizon, model and kind of forecast."""
    ledger = ledger_head(context.cache)
    intro = [
        html.H1("Track record"),
        html.P(
            "Live forecasts were issued within hours after the close that they start from (their record says "
            "how many), late ones later that day. Back-filled ones were made afterwards by a model that had "
            "not seen that day.",
            className="lead",
        ),
        html.P(_origin(context), className="lead"),
        html.P(dcc.Link("All models on the same days: the leaderboard", href="/leaderboard")),
        html.P(f"{ledger.dates.sentence()}.{_late(ledger)}") if ledger else None,
    ]
    controls = _controls(question, complaints)
    return question_form.page("track", search, intro, controls, body(context, question))


def _late(ledger: LedgerHead) -> str:
    """Count the late forecasts apart from the live and the back-filled ones."""
    if not ledger.late:
        return ""
    forecasts = "1 forecast was" if ledger.late == 1 else f"{ledger.late:,} forecasts were"
    return f" {forecasts} late: before the first target closed, but not within the hours that count as live."


def _origin(context: Context) -> list[Component | str]:
    """Say where the record comes from and how to make it reach further back."""
    days = track_record.origins(context.cache)
    if days is None:
        return []
    first, last, live = days
    command = f"btc backfill --from {first - 365 * DAY} --to {first - DAY}"
    filling = states.record_filling(context)
    return [
        f"{fmt.days((last - first).days + 1)} from {fmt.day(first)} to {fmt.day(last)}, {live:,} live. "
        "After a start btc up back-fills older days by itself, the newest first, as far as "
        f"BTC_RECORD_DAYS says ({context.settings.record_days}). "
        f"{f'{filling} ' if filling else ''}To look a year further back at once, run ",
        html.Code(command),
        " where this page is served from.",
    ]


def body(context: Context, question: RecordQuestion) -> list[Component | None]:
    """Return everything that depends on the question."""
    table = track_record.totals(context.cache, question.kind).filter(model=question.model)
    row = table.filter(horizon=question.days)
    if row.is_empty():
        return [_nothing_yet(context, question)]
    ahead = fmt.days(question.days)
    return [
        html.Section([html.P(s) for s in record_sentences(context.cache, question)], className="summary"),
        _hindsight(context, question),
        html.Div(
            [
                *_by_horizon(table, fmt.model(question.model)),
                panel(
                    f"Where in the forecast prices fell, {ahead} ahead",
                    "Share of prices in each tenth of the forecast. Level: the ranges are right; more in the "
                    "middle: too wide; more at the ends: too narrow.",
                    graph("track-pit", charts.pit_figure(row.row(0, named=True)), _LOW),
                ),
                panel("Changes", "Refits that were held back, and drift.", _events(context, question)),
            ],
            className="pair",
        ),
        _calibration(context, question),
        _chances(context, question),
        panel(
            f"Scores {ahead} ahead",
            "Score: CRPS, which rewards ranges that are narrow and right, as a ratio to the plain random "
            "walk's; below 1 is better, ± is a 95 % margin. Independent: how many do not overlap. The plain "
            "random walk takes its ranges from the last year's returns, the mixture from one, two and three "
            "years; no change has no range.",
            _scores(context, question),
        ),
    ]


def _hindsight(context: Context, question: RecordQuestion) -> Component | None:
    """Draw what was said for each day of the last year; nothing where nothing was issued so long before."""
    said = track_record.hindsight(context.cache, question.model, question.days)
    if said.is_empty():
        return None
    return panel(
        "What it said, what happened",
        f"Each day with what was forecast for it {fmt.days(question.days)} before; the last year.",
        graph("track-said", charts.hindsight_figure(said, market.history(context.cache)), _HIGH),
        legend=(("actual", "What happened"), ("median", "Middle of the forecast"), ("band80", "80 % range")),
    )


def _by_horizon(table: pl.DataFrame, name: str) -> list[Component]:
    """Draw the average miss and how often prices ended inside, by days ahead, where there are enough."""
    enough = table.filter(pl.col("n") >= _FEWEST)
    enough = table if enough.is_empty() else enough
    same = charts.middle_is_no_change(enough)
    return [
        panel(
            "Average miss by days ahead",
            "As a share of the price. The middle is the last close by design, so assuming no change "
            "misses by the same."
            if same
            else "As a share of the price; lower is better.",
            graph("track-miss", charts.error_figure(enough, name), _LOW),
            legend=(("median", name),) if same else (("median", name), ("naive", "No change")),
        ),
        panel(
            "How often prices ended inside",
            "The 50, 80 and 95 % ranges; on the dotted lines they would be exact.",
            graph("track-cover", charts.coverage_figure(enough), _LOW),
            legend=(("cover95", "95 %"), ("cover80", "80 %"), ("cover50", "50 %")),
        ),
    ]


def _calibration(context: Context, question: RecordQuestion) -> Component | None:
    """Return how the 80 % range held over time; nothing with fewer targets than say something."""
    path = track_record.coverage_over_time(context.cache, question.model, question.days)
    if path.height < 2:
        return None
    return panel(
        "Do the ranges still hold?",
        f"Of the last {window(question.days)} prices up to each day, the share that ended inside the 80 % "
        "range, of all kinds. Outside the band it is more than chance.",
        graph("track-drift", charts.drift_figure(path), _LOW),
        legend=(("median", "Inside the 80 % range"), ("chance", "What chance allows, 99 times in 100")),
    )


def _chances(context: Context, question: RecordQuestion) -> Component | None:
    """Show whether what was said of touching a price came true; nothing where no answer has come due."""
    past = chances.past_answers(context.cache, question.model, "touch", question.days, question.kind)
    if not past.tenths:
        return None
    return panel(
        "Did it come true as often as was said?",
        chance_text.how_honest(past),
        graph("track-chances", charts.reliability_figure(past.tenths), _LOW),
        legend=(("median", "Of each tenth of chances, what came true"), ("naive", "As often as was said")),
    )


def _controls(question: RecordQuestion, complaints: dict[str, str]) -> Component:
    return html.Section(
        [
            Entry("track-days", "number", "Days ahead", str(question.days), ("1", str(HORIZONS)),
                  ("One day less", "One day more"), _PRESETS, complaints.get("days")),
            Choice("track-model", "Model", _MODEL_NAMES, question.model, complaints.get("model")),
            Choice("track-kind", "Forecasts", _KIND_NAMES, question.kind, complaints.get("kind")),
        ],
        className="controls",
        **{"aria-label": "What to show"},
    )  # fmt: skip


def _nothing_yet(context: Context, question: RecordQuestion) -> Component:
    others = {
        kind: n
        for kind, n in track_record.counts(context.cache).items()
        if n and kind not in ("all", question.kind)
    }
    hint = "A forecast is scored once the day it is about is over."
    if others and question.kind != "all":
        hint += f" There are {_KIND_NAMES[next(iter(others))].lower()} ones to look at."
    title = f"No {'' if question.kind == 'all' else _KIND_NAMES[question.kind].lower() + ' '}scores yet"
    return html.Section([html.H2(title), html.P(f"{hint}")], className="state")


def _scores(context: Context, question: RecordQuestion) -> Component:
    table = track_record.totals(context.cache, question.kind).filter(horizon=question.days)
    rows = {row["model"]: row for row in table.iter_rows(named=True)}
    lines = []
    for name in (*reversed(MODELS), *reversed(BASELINES)):
        if name not in rows:
            continue
        row = rows[name]
        against = track_record.compare_with_rivals(context.cache, name, question.days, question.kind).get(
            "random_walk"
        )
        margin = f" ± {against.margin:.3f}" if against and against.margin and name != "random_walk" else ""
        cells = [
            fmt.model(name),
            f"{row['n']:,}",
            f"{max(row['n'] // question.days, 1):,}",
            fmt.percent(row["ape"], 2),
            fmt.percent(row["naive_ape"], 2),
            f"{row['crps_ratio']:.3f}{margin}",
            *(fmt.percent(row[f"in{c}"]) for c in track_record.COVERAGES),
        ]
        lines.append(cells)
    return Table("scores", "Scores", _HEAD, lines, chosen=fmt.model(question.model))


def _events(context: Context, question: RecordQuestion) -> Component:
    """List drift, then what happened to vintages, newest first."""
    found: list[Component] = []
    now = drift_sentence(track_record.drift(context.cache, question.model, question.days))
    found.append(html.Li([html.Strong("Now"), now]))
    for event in market.events(context.cache, question.model)[:6]:
        found.append(html.Li([html.Strong(fmt.day(event.day)), f"{fmt.model(event.model)}: {event.text}"]))
    return html.Ul(found, className="events")


def register(app: Dash, context: Context) -> None:
    """Attach the callback: form and address ask the same question."""
    question_form.connect(
        app,
        "track",
        lambda values: parse(RecordQuestion, values),
        lambda asked: body(context, asked),
        {
            "days": lambda asked: str(asked.days),
            "model": lambda asked: asked.model,
            "kind": lambda asked: asked.kind,
        },
    )
