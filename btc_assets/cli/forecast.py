"""``btc forecast``: the forecast of any horizon from any past or present origin, in the terminal."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any

import typer

from btc_assets.cli.options import AsJson, AsOf, Model, closed_day, one_of
from btc_assets.errors import ConfigurationError, TableMissing
from btc_assets.market.calendar import DAY
from btc_assets.settings import Settings, load
from btc_assets.vocabulary import ENSEMBLE, HORIZONS, MODELS

if TYPE_CHECKING:
    import polars as pl

    from btc_assets.storage.tables import TableStore


def forecast(
    days: Annotated[int, typer.Option("--days", help="How many days ahead, 1 to 90.")] = 14,
    model: Model = ENSEMBLE,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> None:
    """Print the issued forecast: the likely price and its 50, 80 and 95 % intervals for each day ahead."""
    if not 1 <= days <= HORIZONS:
        raise ConfigurationError(f"--days {days}: forecasts reach 1 to {HORIZONS} days ahead")
    one_of(model, MODELS, "model")
    settings = load()
    rows = read_forecast(settings, model, days, as_of)
    if as_json:
        typer.echo(to_json(rows, settings))
    else:
        print_table(rows, settings)


def read_forecast(settings: Settings, model: str, days: int, as_of: str | None) -> pl.DataFrame:
    """Read the rows of ``forecasts`` of one model and origin, horizons 1 to ``days``.

    Raises:
        TableMissing: nothing was issued yet, or not from that origin; says what to run.
    """
    import polars as pl

    from btc_assets.contracts import FORECASTS
    from btc_assets.factory import open_pair
    from btc_assets.storage.tables import read_pair

    origin = None if as_of is None else closed_day(as_of, "--as-of")
    start, end = (origin, origin + DAY) if origin else (None, None)
    tables = open_pair(settings)
    rows = read_pair(tables, FORECASTS, settings.symbol, start=start, end=end).filter(model=model)
    if rows.is_empty():
        where = f"from {origin}" if origin else "yet"
        said = f"no {model} forecast was issued {where} in {settings.root}"
        raise TableMissing(f"{said}; {advice(settings, tables, origin)}")
    return rows.filter((pl.col("origin_date") == rows["origin_date"].max()) & (pl.col("horizon") <= days))


def advice(settings: Settings, tables: TableStore, origin: dt.date | None) -> str:
    """Say what makes a forecast from ``origin`` that was not issued, or why none can be made."""
    from btc_assets.contracts import RAW_KLINES
    from btc_assets.health.services import is_up
    from btc_assets.io import progress
    from btc_assets.modeling.hyperparameters import MAX_WINDOW
    from btc_assets.modeling.samples import fewest_candles
    from btc_assets.storage.tables import read_pair

    if settings.read_only:
        return "it can only be read here, so whoever writes it must issue one"
    work = progress.read(settings.root)
    if work is not None and is_up(settings):
        left = f", {work.remaining}" if work.remaining else ""
        return f"`btc up` is at work ({work.title}{left}): ask again when it says Ready"
    known = read_pair(tables, RAW_KLINES, settings.symbol, ["date"])["date"].sort().to_list()
    if not known:
        return "there are no prices yet, either: run `btc up`"
    if origin is None:
        return "run `btc up`"
    if origin not in known:
        return f"there is no price of that day, prices reach from {known[0]} to {known[-1]}: run `btc up`"
    needed = fewest_candles(MAX_WINDOW)
    if known.index(origin) < needed:
        first = f", the first possible one is from {known[needed]}" if len(known) > needed else ""
        return f"a network needs {needed:,} days of prices before it{first}"
    return f"run `btc backfill --from {origin} --to {origin}`"


def to_json(rows: pl.DataFrame, settings: Settings) -> str:
    """Return the rows as JSON, with the contract's field names."""
    import json

    first = rows.row(0, named=True)
    fixed = ("symbol", "model", "origin_date", "vintage", "issued_at")
    document = {name: str(first[name]) for name in fixed} | {
        "simulated": settings.simulated,
        "backfilled": is_backfilled(first),
        "unit": "USDT",
        "forecasts": [
            {name: str(v) if isinstance(v, dt.date) else v for name, v in row.items() if name not in fixed}
            for row in rows.to_dicts()
        ],
    }
    return json.dumps(document, indent=2)


def is_backfilled(row: dict[str, Any]) -> bool:
    """Tell whether a forecast was issued only after its first day had closed."""
    from btc_assets.market.issue_timing import issue_kind

    return issue_kind(row["origin_date"], row["issued_at"]) == "back-filled"


def print_table(rows: pl.DataFrame, settings: Settings) -> None:
    """Print the rows as a table."""
    from rich.console import Console
    from rich.table import Table

    from btc_assets.market.pair import price_text

    first = rows.row(0, named=True)
    label = "SIMULATED prices, " if settings.simulated else ""
    title = f"{first['symbol']} from the close of {first['origin_date']} (UTC), {label}{first['model']}, USDT"
    table = Table("day", "date", "likely", "50 %", "80 %", "95 %", title=title)
    for row in rows.to_dicts():
        spans = [
            f"{price_text(row[a])} to {price_text(row[b])}"
            for a, b in (("q250", "q750"), ("q100", "q900"), ("q025", "q975"))
        ]
        table.add_row(f"+{row['horizon']}", str(row["target_date"]), price_text(row["q500"]), *spans)
    late = is_backfilled(first)
    issued = f"{'back-filled on' if late else 'issued'} {first['issued_at']:%Y-%m-%d %H:%M} UTC"
    console = Console()
    console.print(table)
    console.print(
        f"Vintage of {first['vintage']}, {issued}{', after its first day had closed' if late else ''}. "
        "Statistical estimates from past prices, not financial advice.",
        style="dim",
    )
