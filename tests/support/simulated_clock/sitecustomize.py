"""Set the clock of a Python program that a test starts: put this folder on PYTHONPATH, and SIMULATED_NOW."""

import datetime as dt
import os

import time_machine

time_machine.travel(dt.datetime.fromisoformat(os.environ["SIMULATED_NOW"]), tick=True).start()
