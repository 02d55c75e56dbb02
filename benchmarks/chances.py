"""How the answers to questions about the price did over past forecasts, beside simple answers and a peer.

    python -m benchmarks.chances --klines raw_klines.parquet --forecasts forecasts.parquet \\
        --window 2021-01-01:2022-12-31 --window 2023-01-01:2025-05-31 --picture docs/pictures/chances.png

``--klines`` is what ``btc export raw_klines`` writes, ``--forecasts`` what ``walk_forward.py`` or
``btc export forecasts`` does. With ``--peer`` paths of a GARCH(1,1) are asked the same questions; that needs
``pip install arch``.
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from rich.progress import track

from btc_assets.chances.answers import falls_to
from btc_assets.chances.outcomes import AHEAD, KINDS, MOVES
from btc_assets.chances.paths import Paths, paths
from btc_assets.chances.reliability import Tenth, tenths
from btc_assets.chances.scores import score_chances, standard_chances
from btc_assets.contracts import QUANTILES
from btc_assets.modeling.history import Floats, History, history

COVERED = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95)
QUANTITIES = ("range", "fall from here", "fall from the peak")
SHOWN = (7, 30, 90)


def main() -> None:
    """Parse the command line, ask, score, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--klines", type=Path, required=True)
    parser.add_argument("--forecasts", type=Path, required=True)
    parser.add_argument("--window", action="append", required=True, help="origins, FIRST:LAST; repeatable")
    parser.add_argument("--model", default="ensemble")
    parser.add_argument("--picture", type=Path, help="where to draw the reliability of touches")
    parser.add_argument("--peer", action="store_true", help="ask GARCH paths, too")
    arguments = parser.parse_args()
    false_alarms()
    klines = pl.read_parquet(arguments.klines)
    made = pl.read_parquet(arguments.forecasts).filter(model=arguments.model)
    scored = {}
    for window in arguments.window:
        first, last = (dt.date.fromisoformat(day) for day in window.split(":"))
        issued = made.filter(pl.col("origin_date").is_between(first, last))
        print(f"\n===== origins {first} to {last}, {arguments.model}")
        scored[window] = score_chances(issued, klines)
        if arguments.peer:
            scored[window] = scored[window].join(
                garch(issued, klines), on=["origin_date", "kind", "horizon", "move"]
            )
        averages(scored[window])
        reliability(scored[window])
        with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_hide_dataframe_shape=True):
            print(coverage(issued, klines))
    print("\n===== all windows together")
    averages(pl.concat(scored.values()))
    if arguments.picture:
        draw(scored, arguments.picture)


def false_alarms(windows: int = 200, days: int = 730) -> None:
    """Print how often true chances lie outside the band of a tenth: of a walk that ends higher or lower."""
    for horizon in AHEAD:
        walks = np.cumsum(np.random.default_rng(3).standard_normal((windows, days + horizon)), axis=1)
        asked = {"origin_date": [dt.date(2020, 1, 1) + dt.timedelta(day) for day in range(days)]}
        outside = 0
        for walk in walks:
            happened = walk[horizon:] > walk[:-horizon]
            scores = pl.DataFrame(asked | {"horizon": horizon, "chance": 0.5, "happened": happened})
            outside += not next(tenths(scores)).holds
        print(f"{horizon:3} days: {outside / windows:.1%} of true chances outside the band")


def averages(scores: pl.DataFrame) -> None:
    """Print Brier scores, and what was said beside what happened."""
    columns = ["chance", "past_frequency", "twice_beyond", *({"garch"} & set(scores.columns))]
    for kind in KINDS:
        for name, least in (("all moves", 0.0), ("5, 10, 20 %", 0.03)):
            print(f"\n{kind}, {name}: Brier and mean chance of {', '.join(columns)}")
            for days in AHEAD:
                rows = scores.filter(pl.col("move").abs() > least, kind=kind, horizon=days)
                happened = rows["happened"].cast(pl.Float64)
                briers = [((rows[column] - happened) ** 2).mean() for column in columns]
                said = [rows[column].mean() for column in columns]
                print(
                    f"{days:3} days  Brier " + " ".join(_cell(value, 1) for value in briers)
                    + f"   happened {_cell(happened.mean(), 100)}   said "
                    + " ".join(_cell(value, 100) for value in said)
                )  # fmt: skip


def _cell(value: object, factor: int) -> str:
    if not isinstance(value, float):
        return "      -"
    return f"{factor * value:7.4f}" if factor == 1 else f"{factor * value:6.1f}%"


def reliability(scores: pl.DataFrame) -> None:
    """Print every tenth of the chances, horizon by horizon."""
    print(
        "\ntenths: said -> happened [95 % band], answers, independent; * said outside, of 50 answers or more"
    )
    for kind in KINDS:
        for days in AHEAD:
            for tenth in tenths(scores.filter(kind=kind, horizon=days)):
                mark = "" if tenth.holds or tenth.answers < 50 else " *"
                band = f"[{tenth.low:6.1%}, {tenth.high:6.1%}]"
                print(
                    f"{kind:7}{days:3}: {tenth.said:6.1%} -> {tenth.happened:6.1%} {band} "
                    f"{tenth.answers:5} {tenth.independent:4}{mark}"
                )


def coverage(issued: pl.DataFrame, klines: pl.DataFrame) -> pl.DataFrame:
    """How often the range and the largest fall lay below their quantiles, a row a quantity and days ahead."""
    h = history(klines)
    below: dict[tuple[str, int], list[float]] = {}
    for _, at, quantiles in track(list(_origins(issued, h)), "ranges"):
        made = paths(h, at, quantiles)
        for days in (d for d in AHEAD if at + d < len(h)):
            ahead = slice(at + 1, at + 1 + days)
            true = Paths(made.start, h.close[ahead, None], h.high[ahead, None], h.low[ahead, None])
            pairs = zip(QUANTITIES, _quantities(made, days), _quantities(true, days), strict=True)
            for name, said, was in pairs:
                below.setdefault((name, days), []).append(float((said < was).mean()))
    rows = []
    for (name, days), places in below.items():
        shares = {f"{level:.0%}": float((np.array(places) < level).mean()) for level in COVERED}
        rows.append({"quantity": name, "days": days} | {level: round(s, 3) for level, s in shares.items()})
    return pl.DataFrame(rows).sort("quantity", "days")


def _quantities(made: Paths, days: int) -> tuple[Floats, Floats, Floats]:
    spread = made.highest[days - 1] / made.lowest[days - 1]
    return spread, falls_to(made, from_peak=False)[days - 1], falls_to(made, from_peak=True)[days - 1]


def _origins(issued: pl.DataFrame, h: History) -> Iterator[tuple[dt.date, int, Floats]]:
    for (day,), rows in issued.sort("origin_date", "horizon").group_by("origin_date", maintain_order=True):
        assert isinstance(day, dt.date)
        yield day, h.index(day), rows.select(QUANTILES).to_numpy()


def garch(issued: pl.DataFrame, klines: pl.DataFrame) -> pl.DataFrame:
    """Chances from 2,000 paths of a GARCH(1,1) with Student's t, fitted each month on all candles before.

    These paths have closes only, so a level is touched when a day closes beyond it.
    """
    from arch import arch_model
    from arch.univariate import StudentsT

    h = history(klines)
    returns = 100.0 * np.diff(h.log_close)
    parts, month, parameters = [], None, None
    kind, ahead, move = (grid.ravel() for grid in np.meshgrid(KINDS, AHEAD, MOVES, indexing="ij"))
    for day, at, _ in track(list(_origins(issued, h)), "GARCH"):
        model = arch_model(returns[:at], mean="Zero", vol="GARCH", dist="t")
        model.distribution = StudentsT(seed=np.random.RandomState(at))
        if month != (day.year, day.month):
            month, parameters = (day.year, day.month), model.fit(disp="off").params
        drawn = model.fix(parameters).forecast(
            horizon=max(AHEAD), method="simulation", simulations=2000, reindex=False
        )
        steps = drawn.simulations.values[-1].T / 100.0
        close = h.close[at] * np.exp(np.cumsum(steps, axis=0))
        said = standard_chances(Paths(float(h.close[at]), close, close, close), list(AHEAD)).ravel()
        parts.append(
            pl.DataFrame({"kind": kind, "horizon": ahead.astype(np.int16), "move": move, "garch": said})
            .with_columns(origin_date=pl.lit(day))
        )  # fmt: skip
    return pl.concat(parts)


def draw(scored: dict[str, pl.DataFrame], file: Path) -> None:
    """What was said of touches beside what happened, a row a window and a column a horizon."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.6, 2.7 * len(scored) + 0.3), dpi=110, layout="tight")
    FigureCanvasAgg(figure)
    for row, (window, scores) in enumerate(scored.items()):
        for column, days in enumerate(SHOWN):
            axes = figure.add_subplot(len(scored), len(SHOWN), row * len(SHOWN) + column + 1)
            _diagram(axes, list(tenths(scores.filter(kind="touch", horizon=days))))
            axes.set_title(f"within {days} days, {window.replace(':', ' to ')}", fontsize=7)
            if column == 0:
                axes.set_ylabel("it came true", fontsize=8)
            if row == len(scored) - 1:
                axes.set_xlabel("the chance we gave", fontsize=8)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, metadata={"Software": None})


def _diagram(axes: Any, found: list[Tenth]) -> None:
    said, happened = [100 * t.said for t in found], [100 * t.happened for t in found]
    reach = np.array([[t.happened - t.low, t.high - t.happened] for t in found]).T
    axes.plot([0, 100], [0, 100], color="#999999", linewidth=1, linestyle="--")
    axes.errorbar(
        said,
        happened,
        yerr=100 * np.maximum(reach, 0),
        fmt="o",
        markersize=4,
        color="#1f5fbf",
        ecolor="#9db9e0",
    )
    axes.tick_params(labelsize=7)
    axes.set(xlim=(0, 100), ylim=(0, 100), xticks=range(0, 101, 25), yticks=range(0, 101, 25))
    axes.xaxis.set_major_formatter("{x:.0f} %")
    axes.yaxis.set_major_formatter("{x:.0f} %")


if __name__ == "__main__":
    main()
