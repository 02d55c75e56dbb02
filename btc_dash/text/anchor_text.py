"""Say what a network adds to its anchor, and no more than can be told."""

from __future__ import annotations

from btc_assets.scoring.anchor_gain import YEAR, AnchorGain
from btc_assets.scoring.summary import MOST
from btc_dash.text import formatting as fmt
from btc_dash.text.record_text import comparison_text

WHAT = (
    "The anchor is the forecast that the network multiplies: a random walk as volatile as the candles and "
    "the calendar let one expect, computed without fitting. It is computed again here, as today's code does, "
    "and scored on the same days."
)


def gain_sentences(network: str, live: AnchorGain, backfilled: AnchorGain) -> list[str]:
    """Judge the live year; while there is none, say how much of it there is and what other days show."""
    name = fmt.the_model(network)
    if live.whole_year:
        return [f"Over {_claim(live, 'live', name)}", _in_numbers(live)]
    said = [
        f"Whether {name} adds anything to its anchor is judged by a year of live forecasts: "
        f"{live.days:,} of {fmt.days(YEAR)} are there."
    ]
    if backfilled.whole_year:
        said += [f"Meanwhile, over {_claim(backfilled, 'back-filled', 'it')}", _in_numbers(backfilled)]
    return said


def _claim(found: AnchorGain, kind: str, name: str) -> str:
    adds = "adds to its anchor" if found.adds else "adds nothing measurable to its anchor"
    return f"the last {fmt.days(YEAR)} of {kind} forecasts {name} {adds}."


def _in_numbers(found: AnchorGain) -> str:
    near, mean = (comparison_text(c, "the anchor") for c in (found.nearest, found.mean))
    return f"{fmt.days(1)} ahead: {near}; 1 to {MOST} days ahead, on average: {mean}."
