"""Compute the track record of a proof again, and say what could be in it and is not.

``verify_proof.py`` uses it, on records, rows and closes that it has verified.
"""

import datetime as dt
import math
from collections.abc import Sequence
from typing import Any

LEVELS = (0.025, *(n / 20 for n in range(1, 20)), 0.975)
SHOWN = (1, 7, 30, 90)
"""Days ahead that the table shows."""


class TrackRecord:
    """Sums of scores by model, what is counted, and days ahead.

    Args:
        closes: by days since 1970-01-01, the closes that the chain vouches for.
    """

    def __init__(self, closes: dict[int, float]) -> None:
        self.closes = closes
        self.logs = {day: math.log(close) for day, close in closes.items()}
        self.sums: dict[tuple[str, str, int], list[float]] = {}
        self.walks: dict[tuple[int, int], float] = {}

    def add(
        self, model: str, origin: int, ahead: int, quantiles: Sequence[float], kinds: tuple[str, ...]
    ) -> None:
        """Count a forecast under each of ``kinds``, if it is shown and its target day is over."""
        scores = self.score(origin, ahead, quantiles) if ahead in SHOWN else []
        for kind in kinds if scores else ():
            before = self.sums.get((model, kind, ahead), [0.0] * len(scores))
            self.sums[model, kind, ahead] = [a + b for a, b in zip(before, scores, strict=True)]

    def score(self, origin: int, ahead: int, q: Sequence[float]) -> list[float]:
        """Return 1, miss, no change's, loss, the random walk's, in 50, 80, 95 %; nothing if not over."""
        if not {origin, origin + ahead} <= self.closes.keys():
            return []
        close, before, log = self.closes[origin + ahead], self.closes[origin], self.logs[origin + ahead]
        if (origin, ahead) not in self.walks:
            walk = self.random_walk(origin, ahead)
            self.walks[origin, ahead] = pinball(walk, log - self.logs[origin]) if walk else math.nan
        losses = [pinball([math.log(price) for price in q], log), self.walks[origin, ahead]]
        inside = [float(q[n] <= close <= q[20 - n]) for n in (5, 2, 0)]
        return [1.0, abs(q[10] / close - 1), abs(before - close) / close, *losses, *inside]

    def random_walk(self, origin: int, ahead: int) -> list[float]:
        """Compute the quantiles of the log returns over ``ahead`` days in the year up to ``origin``."""
        logs, year = self.logs, range(origin - 364, origin + 1)
        past = sorted(logs[t] - logs[t - ahead] for t in year if t in logs and t - ahead in logs)
        places = [divmod(level * (len(past) - 1), 1) for level in LEVELS] if past else []
        pairs = [(past[int(n)], past[min(int(n) + 1, len(past) - 1)], share) for n, share in places]
        return [low + share * (high - low) for low, high, share in pairs]

    def lines(self) -> list[str]:
        """Write the table: shares in %, and CRPS as a ratio to the random walk's."""
        head = "model     counted  ahead      n  miss %  no change %   score  in 50 %  in 80 %  in 95 %"
        rows = []
        for (model, kind, ahead), (n, miss, none, loss, walk, *inside) in sorted(self.sums.items()):
            means = f"{100 * miss / n:8.2f}{100 * none / n:13.2f}{loss / walk if walk else math.nan:8.4f}"
            shares = "".join(f"{100 * hits / n:9.1f}" for hits in inside)
            rows.append(f"{model:9} {kind:7}{ahead:7}{n:7.0f}{means}{shares}")
        return [head, *rows] if rows else []


def possible(ahead: int, horizon: int, quantiles: list[float]) -> bool:
    """Tell whether a row can be a forecast ``ahead`` days from its origin, with prices that can be missed."""
    prices = 0 < quantiles[0] <= quantiles[-1] < math.inf and quantiles == sorted(quantiles)
    return prices and ahead == horizon > 0


def pinball(quantiles: list[float], x: float) -> float:
    """Return the mean loss over the levels: half the continuous ranked probability score."""
    losses = (max(p * (x - q), (p - 1) * (x - q)) for p, q in zip(LEVELS, quantiles, strict=True))
    return sum(losses) / len(LEVELS)


def caveats(
    records: list[dict[str, Any]],
    newest: dict[str, dict[str, Any]],
    closes: dict[int, float],
    known: str,
    limit: int,
) -> list[str]:
    """Say what no check can tell, and what has been taken out of the table or was never in it.

    Args:
        records: the chain.
        newest: by origin that is looked at, its newest record.
        closes: by days since 1970-01-01, the closes that forecasts were scored by.
        known: the head that the reader knows, "" if none.
        limit: its place in the chain.
    """
    unknown = "" if known else "; without a HASH that you know, whether all of this was written anew"
    told = [
        "Not checked: features, code, candles against the exchange, models beyond their hashes, and "
        f"whether the operator keeps other chains, of which this is the best{unknown}"
    ]
    for r in records[1:]:
        if r["kind"] == "genesis":
            later = [b for b in records[: r["seq"]] if b["issued_at"] > r["issued_at"]]
            live = [b["kind"] for b in later].count("live")
            told.append(
                f"Record {r['seq']} begins the chain anew and takes back {live} live forecasts and "
                f"{len(later) - live} other records that are later: {r['note']!a}"
            )
    vouched = {r["origin_date"] for r in records[: limit + 1] if r["kind"] != "genesis"}
    replaced = sum(newest[origin]["seq"] > limit for origin in vouched & newest.keys())
    if replaced:
        told.append(f"{replaced:,} forecasts that {known} vouches for were replaced after it: not counted")
    epoch = dt.date(1970, 1, 1)
    first, last = ((dt.date.fromisoformat(text) - epoch).days for text in (min(newest), max(newest)))
    span = last - first + 1
    if span > len(newest):
        without = f"{span - len(newest):,} of the {span:,} days from {min(newest)} to {max(newest)}"
        told.append(f"There is no forecast of {without}")
    most = max(r["rows"] for r in newest.values())
    fewer = sum(r["rows"] < most for r in newest.values())
    if fewer:
        told.append(
            f"{fewer:,} of {len(newest):,} forecasts have fewer rows than the {most} that others have"
        )
    gaps = [day for day in range(first, max(closes, default=first)) if day not in closes]
    if gaps:
        newest_gap = epoch + dt.timedelta(days=gaps[-1])
        told.append(
            f"{len(gaps):,} days have no candle, the last {newest_gap}: no forecast about them counts"
        )
    return told
