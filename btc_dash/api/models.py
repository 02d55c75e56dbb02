"""The bodies that the API answers with, as models that check what is sent and document it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, PlainSerializer, WithJsonSchema, create_model

from btc_assets.chances.questions import EVENTS
from btc_assets.contracts import HORIZONS, LEVELS, QUANTILES
from btc_assets.health.missing_days import Age
from btc_assets.scoring.drift import Verdict as DriftVerdict
from btc_assets.statistics.comparison import Verdict
from btc_dash.data.query import KINDS, Model
from btc_dash.data.values import Options

Moment = Annotated[
    dt.datetime,
    PlainSerializer(dt.datetime.isoformat),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Horizon = Annotated[int, Field(ge=1, le=HORIZONS)]


class Body(BaseModel):
    """What all bodies share: no field that is not documented."""

    model_config = ConfigDict(extra="forbid")


class OfMarket(Body):
    """What belongs to one market."""

    symbol: str
    simulated: bool


class Target(Body):
    """One day of a forecast."""

    horizon: Horizon
    target_date: dt.date


if TYPE_CHECKING:
    ForecastDay = Target
else:
    _QUANTILES: dict[str, Any] = dict.fromkeys(QUANTILES, (FiniteFloat, ...))
    _CLOSE = (FiniteFloat | None, Field(description="what happened, once it has"))
    ForecastDay = create_model("ForecastDay", __base__=Target, **_QUANTILES, close=_CLOSE)


class Forecast(OfMarket):
    """A forecast: 21 quantiles of the close (USDT) for each of the next days."""

    model: Model
    origin_date: dt.date
    last_close: FiniteFloat
    vintage: dt.date
    issued_at: Moment
    computed: bool = Field(description="made for this request, no part of the record")
    provisional: bool = Field(description="from a day that is not over")
    backfilled: bool = Field(description="made after its first day was over")
    levels: list[Share] = Field(min_length=len(LEVELS), max_length=len(LEVELS))
    forecast: list[ForecastDay] = Field(min_length=1, max_length=HORIZONS)


class ChanceRecord(Body):
    """How past answers of about the same chance did: of the same kind, about as many days ahead."""

    said: Share = Field(description="the mean chance that was given")
    happened: Share = Field(description="the share that came true")
    answers: Count
    independent: Count = Field(description="how many are about days that do not overlap")


class Chance(OfMarket):
    """The answer to a question about the price."""

    model: Model
    origin_date: dt.date
    last_close: FiniteFloat
    issued_at: Moment
    computed: bool = Field(description="from a forecast made for this request, no part of the record")
    event: Annotated[str, Options("event", EVENTS)]
    question: str
    answer: str
    days: Horizon
    target_date: dt.date
    chance: Share | None = Field(description="0 to 1; null where a quantity was asked for")
    by_day: list[Share] = Field(description="the chance by (above, below, between: on) each day")
    levels: list[Share] = Field(description="the levels of ``quantiles``")
    quantiles: dict[str, list[FiniteFloat]] = Field(
        description="highest, lowest, worth (USDT), fall (0 to 1)"
    )
    at_risk: dict[str, FiniteFloat] = Field(
        description="loss of worth (USDT) not exceeded with this confidence"
    )
    shortfall: dict[str, FiniteFloat] = Field(description="mean loss (USDT) where it is exceeded")
    record: ChanceRecord | None


class Score(Body):
    """How a model's past forecasts did at one horizon; the last four only where ``days`` is asked for."""

    model: str
    horizon: Horizon
    forecasts: Count
    mean_absolute_percentage_error: FiniteFloat
    naive_mean_absolute_percentage_error: FiniteFloat
    crps_ratio: FiniteFloat = Field(description="CRPS over the random walk's; below 1 is better")
    inside_50: Share
    inside_80: Share
    inside_95: Share
    against_random_walk: Verdict | None = None
    p_value: FiniteFloat | None = Field(default=None, description="of that comparison, two-sided")
    independent_forecasts: Count | None = Field(default=None, description="how many do not overlap")
    drift: DriftVerdict | None = Field(default=None, description="of recent forecasts, of whatever kind")


class Scores(OfMarket):
    """How past forecasts did, by model and days ahead."""

    kind: Annotated[str, Options("kind", KINDS)]
    scores: list[Score]


class RankedModel(Body):
    """How one model did on the days that all ranked models have; best first."""

    model: str
    crps_ratio: FiniteFloat = Field(description="CRPS over the random walk's; below 1 is better")
    crps_ratio_low: FiniteFloat | None = Field(description="of its 95 % interval; null with too few outcomes")
    crps_ratio_high: FiniteFloat | None
    inside_80: Share
    inside_95: Share
    independent_forecasts: Count = Field(description="how many do not overlap")
    against_best: Verdict | None = Field(description="Diebold-Mariano against the first; null: the first")
    p_value: FiniteFloat | None = Field(description="of that comparison, two-sided")
    confidence_set_p: Share | None = Field(
        description="up to which level it stays in the model confidence set; null with too few outcomes"
    )
    maybe_best: bool | None = Field(description="whether it may be the best, at 95 % confidence")


class UnrankedModel(Body):
    """A model with too few of these days to be ranked."""

    model: str
    first: dt.date = Field(description="the first day that it has")
    days: Count = Field(description="how many of the days it has")
    of: Count


class Leaderboard(OfMarket):
    """All scored models on the same days, and which of them cannot be told apart."""

    kind: Annotated[str, Options("kind", KINDS[1:])]
    horizon: Horizon | None = Field(description="days ahead; null: the mean over 1 to 30")
    since: dt.date | None
    until: dt.date | None
    days: Count
    verdict: str
    models: list[RankedModel]
    not_ranked: list[UnrankedModel]


class Health(Body):
    """Whether there is a forecast to show and how old its data is."""

    status: Literal["ok", "degraded", "unavailable"]
    data: Age
    newest_close: dt.date | None
    newest_origin: dt.date | None
    seconds_since_close: int | None
    store_outage_since: Moment | None
    simulated: bool


class Problem(BaseModel):
    """An error (RFC 9457); ``errors`` says by parameter what is wrong with it."""

    type: str
    title: str
    status: int
    detail: str
    errors: dict[str, str] = Field(default_factory=dict)
