"""``btc monitor``: looks at everything each minute, tells what Dagster's daemon cannot, serves /metrics."""

from __future__ import annotations

from btc_assets.settings import load


def monitor() -> None:
    """Look at everything each minute; tell when Dagster itself is down; serve /metrics on BTC_METRICS_PORT.

    `btc up` runs one. Beside a Dagster that something else supervises, run one as a service.
    """
    from btc_assets.cli.health_monitor import run

    run(load())


if __name__ == "__main__":
    monitor()
