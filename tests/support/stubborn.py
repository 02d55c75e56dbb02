"""A process that ignores requests to stop and starts another of its kind in a session of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if len(sys.argv) < 3:
        subprocess.Popen([sys.executable, "-m", "stubborn", sys.argv[1], "child"], start_new_session=True)
    time.sleep(600)
