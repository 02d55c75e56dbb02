"""The process that outlives a `btc up` that was killed, ends what it left behind, and ends.

``python -m btc_assets.supervision.watchdog FOLDER SECONDS`` waits for the end of its standard input, which
comes when the process that holds the other end does, however it ends. A line ``done`` before it says that
all is ended.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from btc_assets.supervision.descendants import VARIABLE, end, orphans
from btc_assets.supervision.process_identity import is_running

DONE = b"done\n"


def main() -> None:
    """Wait, then end the orphans of the folder that the command line names."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # a closed terminal or a Ctrl-C is no reason to go before them
    owner = os.environ[VARIABLE].partition(" ")[0]
    if sys.stdin.buffer.read() == DONE:
        return
    while is_running(owner):  # it has closed its files and is about to be gone
        time.sleep(0.05)
    end(lambda: orphans(Path(sys.argv[1])), grace=float(sys.argv[2]))


if __name__ == "__main__":
    main()
