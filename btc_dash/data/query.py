"""Describe what can be asked, as models that validate the address, the form and the API and document them."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Mapping
from typing import Annotated, TypeVar
from urllib.parse import parse_qs, urlencode

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from btc_assets.chances.paths import COUNT
from btc_assets.chances.questions import EVENTS
from btc_assets.contracts import HORIZONS, MODELS, NETWORKS
from btc_assets.market.calendar import FIRST_DAY
from btc_dash.data.values import (
    VINTAGE_NAME,
    Options,
    parse_count,
    parse_day,
    parse_days,
    parse_days_or_mean,
    parse_text,
    parse_vintage,
    quote,
)

DEFAULT_DAYS = 14
DEFAULT_MODEL = "ensemble"
PRESETS = (1, 7, 14, 30, 90)
VIEWS = ("line", "candles")
STARTS = ("close", "now")
OVERS = ("none", *MODELS, "random_walk")
"""What can be drawn over the forecast: another model, or the plain random walk."""

SPANS = {"50": 50, "180": 180, "365": 365, "all": None}
"""Days of history a chart can show; None is all of it."""

KINDS = ("all", "live", "late", "backfilled")
"""Which scored forecasts count: all, those issued within hours, later that day, and afterwards."""

FORMATS = ("json", "csv")
PRICE_PARTS = {"price", "low", "high"}
QUESTION_PARTS = ("price", "low", "high", "fall", "since", "amount")
"""Parts of a question about the price; which of them it has depends on its event."""

PATH_FORMATS = ("csv", "npz", "parquet")
_LONGEST_SEARCH = 2000

Q = TypeVar("Q", bound=BaseModel)

Days = Annotated[int, Field(ge=1, le=HORIZONS), BeforeValidator(parse_days)]
DaysOrMean = Annotated[
    int | None,
    BeforeValidator(parse_days_or_mean),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": HORIZONS},
                {"type": "string", "enum": ["mean"]},
            ]
        }
    ),
]
Day = Annotated[
    dt.date | None, BeforeValidator(parse_day), WithJsonSchema({"type": "string", "format": "date"})
]
Vintage = Annotated[
    str | None,
    BeforeValidator(parse_vintage),
    WithJsonSchema({"type": "string", "pattern": f"^{VINTAGE_NAME}$"}),
]
Model = Annotated[str, Options("model", MODELS)]
Text = Annotated[str | None, BeforeValidator(parse_text), WithJsonSchema({"type": "string", "maxLength": 32})]


class _Query(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    def as_kind(self, kind: type[Q]) -> Q:
        """Return the same question as ``kind`` has it, without what only this kind asks."""
        return kind.model_construct(**self.model_dump(include=set(kind.model_fields)))

    @property
    def search(self) -> str:
        """The query string that asks this again: days, model, and what is not at its default."""
        always = {"days", "model"} & set(type(self).model_fields)
        parts = self.model_dump(include=always, exclude_none=True) | self.model_dump(exclude_defaults=True)
        return f"?{urlencode(parts)}" if parts else ""


class ForecastQuery(_Query):
    """One forecast, as the API takes it."""

    days: Days = Field(default=DEFAULT_DAYS, description="days ahead")
    model: Model = Field(default=DEFAULT_MODEL, description="which model")
    as_of: Day = Field(
        default=None, description=f"the day to forecast from, {FIRST_DAY} or later; without it, the newest"
    )
    start: Annotated[str, Options("start", STARTS)] = Field(
        default="close", description="from the last close, or from the running day as it stands now"
    )
    vintage: Vintage = Field(
        default=None, description="a vintage trained no later than the origin; without it, the one in force"
    )


class Question(ForecastQuery):
    """One question to the forecast page: the forecast, how to draw it, and what to ask of it."""

    span: Annotated[str, Options("span", tuple(SPANS))] = "50"
    view: Annotated[str, Options("view", VIEWS)] = "line"
    over: Annotated[str, Options("over", OVERS)] = "none"
    event: Annotated[str, Options("event", EVENTS)] = "touch"
    price: Text = None
    low: Text = None
    high: Text = None
    fall: Text = None
    since: Text = None
    amount: Text = None


class ForecastRequest(ForecastQuery):
    """The parameters of ``/api/v1/forecast``."""

    format: Annotated[str, Options("format", FORMATS)] = Field(default="json", description="json or csv")


class ChanceRequest(_Query):
    """The parameters of ``/api/v1/chance``; a question to the home page has the same names."""

    event: Annotated[str, Options("event", EVENTS)] = Field(default="above", description="what may happen")
    price: Text = Field(default=None, description="above, below, touch: 100000, or +10% of the close")
    low: Text = Field(default=None, description="between, stay: the lower price")
    high: Text = Field(default=None, description="between, stay: the upper price")
    fall: Text = Field(default=None, description="fall: per cent, such as 20")
    since: Text = Field(default=None, description="fall: counted from here (the last close) or from the peak")
    amount: Text = Field(default=None, description="worth: how many BTC")
    days: Text = Field(default=None, description=f"how many days ahead, 1 to {HORIZONS}")
    by: Text = Field(default=None, description="the day by which, instead of days")
    model: Model = Field(default=DEFAULT_MODEL, description="which model")
    as_of: Day = Field(default=None, description="the day to ask from; without it, the newest")

    def parts(self) -> dict[str, str]:
        """Return the question as ``btc_assets.chances.questions`` reads it."""
        given = self.model_dump(exclude={"model", "as_of"}, exclude_none=True)
        return {name: str(value) for name, value in given.items()}


class PathsRequest(_Query):
    """The parameters of ``/api/v1/paths``."""

    days: Days = Field(default=30, description="days ahead")
    n: Annotated[int, Field(ge=2, le=COUNT), BeforeValidator(parse_count)] = Field(
        default=500,
        description="how many paths; with 1 + a multiple of 40 their quantiles are the issued ones",
    )
    model: Model = Field(default=DEFAULT_MODEL, description="which model")
    as_of: Day = Field(default=None, description="the day they start from; without it, the newest")
    format: Annotated[str, Options("format", PATH_FORMATS)] = Field(
        default="csv", description="csv, npz or parquet"
    )


class RecordQuestion(_Query):
    """One question to the track record, and the parameters of ``/api/v1/scores``."""

    days: Days = Field(default=DEFAULT_DAYS, description="only this many days ahead")
    model: Model = Field(default=DEFAULT_MODEL, description="only this model")
    kind: Annotated[str, Options("kind", KINDS)] = Field(
        default="all", description="live, late, back-filled or all forecasts"
    )


class LeaderboardQuery(_Query):
    """One question to the leaderboard."""

    days: DaysOrMean = Field(
        default=None, description="only this many days ahead; without it (or mean), the mean over 1 to 30"
    )
    kind: Annotated[str, Options("kind", KINDS[1:])] = Field(
        default="live", description="live, late or back-filled forecasts; they are never mixed"
    )
    since: Day = Field(
        default=None,
        description="the first day to forecast from that counts; without it, the first that all models have",
    )


class LeaderboardRequest(LeaderboardQuery):
    """The parameters of ``/api/v1/leaderboard``."""

    format: Annotated[str, Options("format", FORMATS)] = Field(default="json", description="json or csv")


class ModelQuestion(_Query):
    """One question to the models page: a network and the name of one of its vintages (None: the newest)."""

    model: Annotated[str, Options("model", NETWORKS)] = NETWORKS[0]
    vintage: Vintage = None


def arguments(search: object) -> Mapping[str, object]:
    """Split a query string into its parameters; one given twice stays a list, which no model takes."""
    if not isinstance(search, str) or len(search) > _LONGEST_SEARCH:
        return {}
    try:
        found = parse_qs(search.removeprefix("?"), keep_blank_values=True, max_num_fields=32)
    except ValueError:
        return {}
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def parse(
    kind: type[Q], values: Mapping[str, object], last: dt.date | None = None
) -> tuple[Q, dict[str, str]]:
    """Read a question of ``kind`` and, by field, what is wrong with it; values may be anything.

    A field with something wrong takes its default, so that a bad link still shows a page next to the message.
    Parameters that ``kind`` does not have are left out, and so are controls that were emptied. ``last`` is
    the last day a forecast can start from, None if unknown.
    """
    known = {n: values[n] for n in kind.model_fields if values.get(n) is not None}
    given = {name: value for name, value in known.items() if value != "" or name == "days"}
    return parse_strictly(kind, given, last)


def parse_strictly(
    kind: type[Q], given: Mapping[str, object], last: dt.date | None = None
) -> tuple[Q, dict[str, str]]:
    """Read like ``parse``, but name unknown and empty parameters too; for the API."""
    try:
        return kind.model_validate(given, context=last), {}
    except ValidationError as error:
        wrong = {str(e["loc"][0]): e for e in error.errors()}
    messages = {
        name[:32]: unknown(name, kind) if e["type"] == "extra_forbidden" else str(e["ctx"]["error"])
        for name, e in wrong.items()
    }
    good = {name: value for name, value in given.items() if name not in wrong}
    return kind.model_validate(good, context=last), messages


def unknown(name: str, kind: type[BaseModel]) -> str:
    """Say that ``kind`` has no parameter ``name``, and which it has."""
    near = difflib.get_close_matches(name[:32], kind.model_fields, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(kind.model_fields)}."
    return f"{quote(name)} is not a parameter; {hint}"
