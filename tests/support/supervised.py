"""A small program that supervises stubborn processes: ``python -m supervised FOLDER``."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path

from btc_assets.supervision.lock import hold
from btc_assets.supervision.processes import Supervisor
from btc_assets.supervision.signals import interrupted_by_signals


def main(folder: Path) -> None:
    """Start one stubborn process and watch it until interrupted."""
    with hold(folder, "BTC_DATA_DIR"), interrupted_by_signals(), Supervisor(folder, 1.0) as supervisor:
        with contextlib.suppress(KeyboardInterrupt):
            supervisor.start("stubborn", ["stubborn", str(folder)], {})
            print("started", flush=True)
            while True:
                supervisor.require_alive(supervisor.running)
                time.sleep(0.05)
        print("stopping", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
