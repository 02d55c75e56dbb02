"""The check of the ledger: what was issued is what is stored."""

import datetime as dt

from btc_assets.contracts import FORECASTS
from btc_assets.defs.checks.results import Context, Results, multi_check, result
from btc_assets.defs.partitions import Window
from btc_assets.defs.resources import Platform
from btc_assets.defs.runs import window_of_run
from btc_assets.ledger.continuity import known_heads, lost
from btc_assets.ledger.verification.verify import verify
from btc_assets.market.calendar import SUNDAY
from btc_assets.modeling.features import ENGINEERED_FEATURES

ISSUED = FORECASTS.name
NEWEST = 30
"""Records that every day's run verifies; the chain as a whole on Sundays, and after a run over a range."""


@multi_check(
    "ledger_checks",
    ISSUED,
    {
        "is_what_was_issued": "Forecasts, and the candles, features and models they came from, hash to what "
        "the chain of issue records says. Daily for the newest 30 records; on Sundays and after a range "
        "for all.",
    },
)
def ledger_checks(context: Context, platform: Platform) -> Results:
    """Verify what the run may have touched."""
    newest = None if verifies_whole_chain(window_of_run(context.run)) else NEWEST
    report = verify(
        platform.tables,
        platform.registry,
        platform.settings.symbol,
        features=ENGINEERED_FEATURES,
        newest=newest,
        arena=False,  # its own check follows its chain, once its rows are there
    )
    heads, problems = known_heads(platform.settings, platform.tables)
    gone = lost(platform.tables, platform.settings.symbol, heads)
    metadata = {
        "in one line": report.line(),
        "records": report.records,
        "rows hashed": report.rows,
        "vintages hashed": report.models,
        "seconds": report.seconds,
        "head": report.head.record_sha256 if report.head else "",
        "notes": [*report.notes, *problems],
    }
    wrong = [*map(str, report.faults), *([gone] if gone else [])]
    yield result(ISSUED, "is_what_was_issued", wrong, checked=report.records, metadata=metadata)


def verifies_whole_chain(window: Window | None) -> bool:
    """Return whether a run over ``window`` verifies the whole chain."""
    return (
        window is None or window.end - window.start > dt.timedelta(days=1) or window.last.weekday() == SUNDAY
    )
