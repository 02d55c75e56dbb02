"""Whether a network trained on a panel of coins forecasts Bitcoin better than one trained on Bitcoin alone.

    python benchmarks/panel_of_coins.py --archive DIR --panel DIR \\
        --from 2021-01-01 --to 2022-12-31 --refit-every 61

``--archive`` holds Binance's dumps of BTCUSDT (1d and 4h), ``--panel`` a file ``COINUSDT-1d.csv`` of date,
open, high, low, close and volume for each other coin. Each coin departs from an anchor of its own, and a coin
takes part in a fit once it has as many origins as the project asks of Bitcoin. A network is fitted at every
cutoff and forecasts Bitcoin from there up to the next. No candle after ``--to`` is read: what would follow
later is not scored. Cutoffs at which Bitcoin itself has too few origins are passed over.

The table gives pinball losses relative to the anchor's (below 1: better) at 1, 7 and 30 days and as the mean
of the trained horizons up to 30, and at 1 day the Diebold-Mariano statistic against Bitcoin alone (negative:
the panel is better). A pool has more origins than Bitcoin alone, so as many epochs are more steps.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Console
from rich.progress import track
from rich.table import Table

from btc_assets.contracts import NETWORKS, RAW_KLINES, RAW_KLINES_4H
from btc_assets.errors import NotEnoughHistory
from btc_assets.market.calendar import DAY, FIRST_DAY, FOUR_HOURS
from btc_assets.market.sources.archive import Archive
from btc_assets.modeling.anchor import TRAINED_HORIZONS, Anchors
from btc_assets.modeling.features import engineer
from btc_assets.modeling.history import Floats, history
from btc_assets.modeling.hyperparameters import DEFAULTS, HyperParameters
from btc_assets.modeling.samples import Samples, samples
from btc_assets.modeling.training import stretched, train
from btc_assets.modeling.tuning import SCORED
from btc_assets.series import BARS, CANDLES
from btc_assets.statistics.metrics import pinball
from btc_assets.statistics.significance import diebold_mariano
from btc_assets.storage.bitemporal import klines_frame

SHOWN = (1, 7, 30)
"""Horizons that have a column of their own."""


def main() -> None:
    """Parse the command line, walk forward with both networks, print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--archive", required=True)
    parser.add_argument("--panel", type=Path, required=True)
    parser.add_argument("--from", dest="start", type=dt.date.fromisoformat, required=True)
    parser.add_argument("--to", dest="end", type=dt.date.fromisoformat, required=True)
    parser.add_argument("--refit-every", type=int, default=61)
    arguments = parser.parse_args()
    coins = [bitcoin(arguments.archive, arguments.end), *others(arguments.panel, arguments.end)]
    span = (arguments.end - arguments.start).days
    cutoffs = [arguments.start + k * DAY for k in range(0, span, arguments.refit_every)]
    walks = [walk_forward(coins, cutoffs, arguments.end, DEFAULTS[kind]) for kind in NETWORKS]
    Console(width=120).print(render(walks))


@dataclass(frozen=True, eq=False)
class Coin:
    """What a coin's training sets are made from."""

    symbol: str
    anchors: Anchors
    features: pl.DataFrame

    @classmethod
    def of(cls, klines: pl.DataFrame, bars: pl.DataFrame) -> Coin:
        """The coin of these daily and 4-hour candles."""
        features = engineer({CANDLES.name: klines, BARS.name: bars})
        h = history(klines, features=features)
        return cls(h.symbol, Anchors(h), features)

    def samples(self, cutoff: dt.date, hp: HyperParameters) -> Samples:
        """Its training set at ``cutoff``."""
        return samples(self.anchors, self.features, cutoff, hp.window, hp.kind)


def bitcoin(location: str, last: dt.date) -> Coin:
    """Bitcoin from the dumps at ``location``, up to and with ``last``."""
    archive, now = Archive(location), dt.datetime.now(dt.UTC)
    daily = archive.klines("BTCUSDT", FIRST_DAY, last + DAY)
    bars = archive.klines("BTCUSDT", FIRST_DAY, last + DAY, interval=FOUR_HOURS)
    return Coin.of(klines_frame(daily, now), klines_frame(bars, now, RAW_KLINES_4H))


def others(folder: Path, last: dt.date) -> Iterator[Coin]:
    """The coins of the files in ``folder`` that have candles up to ``last``; they have no 4-hour candles."""
    for path in sorted(folder.glob("*-1d.csv")):
        rows = pl.scan_csv(path, try_parse_dates=True).filter(pl.col("date") <= last).collect()
        if rows.height:
            symbol = pl.lit(path.name.removesuffix("-1d.csv")).alias("symbol")
            money = (pl.col("volume") * pl.col("close")).alias("quote_volume")
            klines = pl.concat([RAW_KLINES.empty(), rows.with_columns(symbol, money)], how="diagonal")
            yield Coin.of(klines, RAW_KLINES_4H.empty())


def alone(parts: Sequence[Samples]) -> Samples:
    """Bitcoin's origins, the first of ``parts``."""
    return parts[0]


def pooled(parts: Sequence[Samples]) -> Samples:
    """The origins of all coins."""
    return Samples(
        [origin for part in parts for origin in part.origins],
        np.concatenate([part.inputs for part in parts]),
        np.concatenate([part.anchors for part in parts]),
        np.concatenate([part.outcomes for part in parts]),
        np.concatenate([part.weights for part in parts]),
    )


def half_bitcoin(parts: Sequence[Samples]) -> Samples:
    """The origins of all coins, weighted so that Bitcoin's count as much as all others' together."""
    total = sum(map(len, parts))
    own = len(parts[0])
    if own == total:
        return parts[0]
    factors = [total / (2 * own), *[total / (2 * (total - own))] * (len(parts) - 1)]
    return pooled(
        [
            dataclasses.replace(part, weights=part.weights * factor)
            for part, factor in zip(parts, factors, strict=True)
        ]
    )


POOLS: Mapping[str, Callable[[Sequence[Samples]], Samples]] = {
    "BTC alone": alone,
    "pooled": pooled,
    "pooled, BTC half": half_bitcoin,
}
"""Training sets that are compared, from those of the coins that take part, Bitcoin first."""

BASE = "BTC alone"


@dataclass(frozen=True, eq=False)
class WalkForward:
    """Out-of-sample losses of one network.

    Attributes:
        kind: "mlp" or "lstm".
        scored: Bitcoin's origins that were forecast, with what followed.
        losses: of each of ``POOLS`` [origins, trained horizons].
        taking_part: at how many fits each coin took part.
    """

    kind: str
    scored: Samples
    losses: Mapping[str, Floats]
    taking_part: Mapping[str, int]

    def relative(self, pool: str) -> Floats:
        """Loss relative to the anchor's [trained horizons], over the outcomes that are known."""
        known = self.scored.weights > 0
        of_anchor = pinball(self.scored.anchors, self.scored.outcomes)
        return np.asarray((self.losses[pool] * known).sum(axis=0) / (of_anchor * known).sum(axis=0))


def walk_forward(
    coins: Sequence[Coin], cutoffs: Sequence[dt.date], last: dt.date, hp: HyperParameters
) -> WalkForward:
    """Fit at each of ``cutoffs`` and forecast Bitcoin up to the next; ``coins`` has Bitcoin first.

    Raises:
        NotEnoughHistory: Bitcoin has too few origins at every cutoff.
    """
    known = coins[0].samples(last, hp)
    scored: list[Samples] = []
    losses: dict[str, list[Floats]] = {name: [] for name in POOLS}
    taking_part: Counter[str] = Counter()
    for cutoff, until in track(list(pairwise([*cutoffs, last])), hp.kind, transient=True):
        parts = usable(coins, cutoff, hp)
        if coins[0].symbol not in parts:
            continue
        taking_part.update(parts.keys())
        ahead = between(known, cutoff, until)
        scored.append(ahead)
        for name, pool in POOLS.items():
            trained = train(pool(list(parts.values())), hp)
            losses[name].append(pinball(stretched(trained.predict(ahead), ahead), ahead.outcomes))
    if not scored:
        raise NotEnoughHistory(f"{coins[0].symbol}: too few origins at every cutoff up to {last}")
    every = {name: np.concatenate(parts) for name, parts in losses.items()}
    return WalkForward(hp.kind, pooled(scored), every, taking_part)


def usable(coins: Sequence[Coin], cutoff: dt.date, hp: HyperParameters) -> dict[str, Samples]:
    """Training sets of the coins whose candles reach back far enough at ``cutoff``."""
    found = {}
    for coin in coins:
        try:
            found[coin.symbol] = coin.samples(cutoff, hp)
        except NotEnoughHistory:
            continue
    return found


def between(data: Samples, first: dt.date, until: dt.date) -> Samples:
    """The origins of ``data`` from ``first`` up to, not with, ``until``."""
    rows = [i for i, origin in enumerate(data.origins) if first <= origin < until]
    return Samples(
        [data.origins[i] for i in rows],
        data.inputs[rows],
        data.anchors[rows],
        data.outcomes[rows],
        data.weights[rows],
    )


def render(walks: Sequence[WalkForward]) -> Table:
    """The table: a row for each network and training set."""
    table = Table("network", "trained on", *(f"h={h}" for h in SHOWN), "mean", "DM at h=1", "p")
    for done in walks:
        for name in POOLS:
            ratio = done.relative(name)
            shown = [ratio[h == TRAINED_HORIZONS].item() for h in SHOWN]
            cells = [f"{value:.5f}" for value in (*shown, ratio[SCORED].mean())]
            table.add_row(done.kind, name, *cells, *against_base(done, name))
    origins = walks[0].scored.origins
    coins = ", ".join(f"{symbol} {count}" for symbol, count in walks[0].taking_part.items())
    table.caption = f"{len(origins)} origins, {origins[0]} to {origins[-1]}; fits with each coin: {coins}"
    return table


def against_base(done: WalkForward, pool: str) -> tuple[str, str]:
    """Diebold-Mariano statistic and p at 1 day against Bitcoin alone; empty where nothing differs."""
    known = done.scored.weights[:, 0] > 0
    test = diebold_mariano((done.losses[pool] - done.losses[BASE])[known, 0], lag=0)
    return ("", "") if test is None else (f"{test.statistic:+.2f}", f"{test.p_two_sided:.2f}")


if __name__ == "__main__":
    main()
