"""How the answers to questions about the price did over past forecasts, beside simple answers and peers.

    python -m benchmarks.chances --klines raw_klines.parquet --forecasts forecasts.parquet \\
        --window 2021-01-01:2022-12-31 --window 2023-01-01:2025-05-31 --picture docs/pictures/chances.png

``--klines`` is what ``btc export raw_klines`` writes, ``--forecasts`` what ``walk_forward.py`` or
``btc export forecasts`` does. With ``--peers`` simulated paths of GARCH and AutoARIMA are asked the same
questions; that needs ``pip install arch statsforecast``.
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import polars as pl

from benchmarks.chance_peers import auto_arima, garch
from btc_assets.chances.answers import falls_to
from btc_assets.chances.outcomes import AHEAD, KINDS, MOVES
from btc_assets.chances.paths import Paths, paths
from btc_assets.chances.reliability import JUDGED, Tenth, joint_limit, tenths
from btc_assets.chances.scores import score_chances
from btc_assets.contracts import QUANTILES
from btc_assets.modeling.history import Floats, History, history

CENTRAL = (0.50, 0.80, 0.90)
PEERS = (garch, auto_arima)
KEY = ("origin_date", "kind", "horizon", "move")
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
    parser.add_argument("--peers", action="store_true", help="ask paths of GARCH and AutoARIMA, too")
    parser.add_argument("--processes", type=int, help="how many work at once; one a core unless given")
    arguments = parser.parse_args()
    klines = pl.read_parquet(arguments.klines)
    made = pl.read_parquet(arguments.forecasts).filter(model=arguments.model)
    peers = PEERS if arguments.peers else ()
    scored = {}
    with ProcessPoolExecutor(arguments.processes, get_context("spawn")) as pool:
        asked = {}
        for window in arguments.window:
            first, last = (dt.date.fromisoformat(day) for day in window.split(":"))
            issued = made.filter(pl.col("origin_date").is_between(first, last))
            answers = [pool.submit(score_chances, issued, klines)]
            answers += [pool.submit(peer, _days(issued), klines) for peer in peers]
            asked[window] = answers, pool.submit(coverage, issued, klines)
        false_alarms()
        for window, (answers, covered) in asked.items():
            print(f"\n===== origins {window.replace(':', ' to ')}, {arguments.model}")
            scored[window], *others = (answer.result() for answer in answers)
            for other in others:
                scored[window] = scored[window].join(other, on=KEY, how="left")
            averages(scored[window])
            reliability(scored[window])
            with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_hide_dataframe_shape=True):
                print(covered.result())
    print("\n===== all windows together")
    averages(pl.concat(scored.values()))
    if arguments.picture:
        draw(scored, arguments.picture)


def _days(issued: pl.DataFrame) -> list[dt.date]:
    return list(issued["origin_date"].unique().sort())


def false_alarms(windows: int = 200, days: int = 730) -> None:
    """Print how often true chances lie outside the bands, of a walk whose volatility comes and goes.

    The volatility is known in advance, so that the chance of a close beyond each of the ``MOVES`` is exact.
    """
    rng, moves = np.random.default_rng(3), np.log1p(MOVES)
    origins = np.repeat(np.arange(days), len(MOVES)).astype("datetime64[D]")
    chance_below = np.vectorize(NormalDist().cdf)
    for horizon in AHEAD:
        outside, judged, joint = 0, 0, 0
        for _ in range(windows):
            volatility = 0.033 * np.exp(_persistent(rng.standard_normal(days + horizon)))
            walk = np.cumsum(volatility * rng.standard_normal(len(volatility)))
            variance = np.cumsum(volatility**2)
            spread = np.sqrt(variance[horizon:] - variance[:-horizon])[:, None]
            said = chance_below(-np.abs(moves) / spread)
            happened = (walk[horizon:] - walk[:-horizon])[:, None] * np.sign(moves) > np.abs(moves)
            scores = pl.DataFrame({"chance": said.ravel(), "happened": happened.ravel()}).with_columns(
                origin_date=pl.Series(origins), horizon=horizon
            )
            found = list(banded(scores))
            judged += sum(tenth.answers >= JUDGED for tenth, _, _ in found)
            outside += sum(alone for _, alone, _ in found)
            joint += any(jointly for _, _, jointly in found)
        print(
            f"{horizon:3} days: of true chances {outside / judged:.1%} of tenths lie outside their own band, "
            f"and in {joint / windows:.1%} of diagrams any outside the joint one"
        )


def _persistent(shocks: Floats) -> Floats:
    """Return log volatility that forgets 3 % a day [days]."""
    found = np.zeros(len(shocks))
    for day in range(1, len(shocks)):
        found[day] = 0.97 * found[day - 1] + 0.12 * shocks[day]
    return found


def banded(scores: pl.DataFrame) -> Iterator[tuple[Tenth, bool, bool]]:
    """Give each tenth of one horizon and whether it lies outside its own band, and the joint one.

    Tenths of fewer than ``JUDGED`` answers lie outside neither.
    """
    for own, joint in zip(tenths(scores), tenths(scores, limit=joint_limit(scores)), strict=True):
        judged = own.answers >= JUDGED
        yield own, judged and not own.holds, judged and not joint.holds


def averages(scores: pl.DataFrame) -> None:
    """Print Brier scores, and what was said beside what happened."""
    peers = [peer.__name__ for peer in PEERS if peer.__name__ in scores.columns]
    columns = ["chance", "past_frequency", "twice_beyond", *peers]
    if "auto_arima" in peers:
        print("\n--- origins that every peer was asked")
        _averages(scores.drop_nulls(peers), columns)
        print("\n--- all origins")
    _averages(scores, columns[:-1] if "auto_arima" in peers else columns)


def _averages(scores: pl.DataFrame, columns: list[str]) -> None:
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
    """Print every tenth of the chances, horizon by horizon, and how many lie outside their bands."""
    print("\ntenths: said -> happened [95 % band], answers, independent; * outside, ** the joint band, too")
    for kind in KINDS:
        judged, outside, far = 0, 0, 0
        for days in AHEAD:
            rows = scores.filter(kind=kind, horizon=days)
            for tenth, alone, jointly in banded(rows):
                judged += tenth.answers >= JUDGED
                outside, far = outside + alone, far + jointly
                band = f"[{tenth.low:6.1%}, {tenth.high:6.1%}]"
                print(
                    f"{kind:7}{days:3}: {tenth.said:6.1%} -> {tenth.happened:6.1%} {band} "
                    f"{tenth.answers:5} {tenth.independent:4} {'*' * (alone + jointly)}"
                )
            print(f"{kind:7}{days:3}: the joint band reaches {joint_limit(rows):.2f} standard errors")
        print(f"{kind}: of {judged} tenths {outside} lie outside their own band, {far} outside the joint one")


def coverage(issued: pl.DataFrame, klines: pl.DataFrame) -> pl.DataFrame:
    """How often the range and the largest fall lay in their central intervals, a row a quantity and days.

    ``independent`` is how many of the outcomes do not overlap.
    """
    h = history(klines)
    below: dict[tuple[str, int], list[float]] = {}
    for at, quantiles in _origins(issued, h):
        made = paths(h, at, quantiles)
        for days in (d for d in AHEAD if at + d < len(h)):
            ahead = slice(at + 1, at + 1 + days)
            true = Paths(made.start, h.close[ahead, None], h.high[ahead, None], h.low[ahead, None])
            pairs = zip(QUANTITIES, _quantities(made, days), _quantities(true, days), strict=True)
            for name, said, was in pairs:
                below.setdefault((name, days), []).append(float((said < was).mean()))
    rows = []
    for (name, days), places in below.items():
        off = 2.0 * np.abs(np.array(places) - 0.5)
        held = {f"central {share:.0%}": round(float((off < share).mean()), 3) for share in CENTRAL}
        under = round(float((np.array(places) < 0.5).mean()), 3)
        rows.append(
            {"quantity": name, "days": days} | held
            | {"below the median": under, "independent": -(-len(places) // days)}
        )  # fmt: skip
    return pl.DataFrame(rows).sort("quantity", "days")


def _quantities(made: Paths, days: int) -> tuple[Floats, Floats, Floats]:
    spread = made.high[:days].max(axis=0) / made.low[:days].min(axis=0)
    return spread, falls_to(made, days, from_peak=False)[-1], falls_to(made, days, from_peak=True)[-1]


def _origins(issued: pl.DataFrame, h: History) -> Iterator[tuple[int, Floats]]:
    for (day,), rows in issued.sort("origin_date", "horizon").group_by("origin_date", maintain_order=True):
        assert isinstance(day, dt.date)
        yield h.index(day), rows.select(QUANTILES).to_numpy()


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
