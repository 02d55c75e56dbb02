"""The health checks, for execution by hand; the sensor `health` evaluates them all the time."""

import dagster as dg

from btc_assets.defs.checks.results import Context, Results
from btc_assets.defs.findings import CHECKS, as_check, look
from btc_assets.defs.resources import Platform
from btc_assets.health.finding import Finding, State


@dg.multi_asset_check(
    name="health_checks",
    specs=[
        dg.AssetCheckSpec(name=name, asset=dg.AssetKey([asset]), description=description)
        for asset, name, description in CHECKS.values()
    ],
    can_subset=True,
)
def health_checks(context: Context, platform: Platform) -> Results:
    """Look now for what the sensor looks for."""
    found = {finding.name: finding for finding in look(platform)}
    for name, (asset, check, _) in CHECKS.items():
        key = dg.AssetCheckKey(dg.AssetKey([asset]), check)
        if key in context.selected_asset_check_keys:
            seen = found.get(name) or unseen(name)
            yield dg.AssetCheckResult(**as_check(seen))


def unseen(name: str) -> Finding:
    """Return what is said where nothing was found: the page is not served here, or the look itself failed."""
    if name == "page":
        return Finding(name, State.OK, "`btc up` does not serve this data folder here", 0, 0)
    return Finding(name, State.LATE, "it could not be looked at; another check says why", 1, 0)
