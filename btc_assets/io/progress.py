"""The progress of long work, for the terminal and the web page.

The worker writes a small file beside the tables; readers poll it. A reader never sees half a file.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from btc_assets.io.files import write_atomically

STALE_AFTER = dt.timedelta(minutes=10)
"""A file that nobody has touched for so long was left by a worker that died."""

START = "progress"
"""The work that a page without a forecast waits for."""

RECORD = "record-backfill"
"""The work that fills the track record backwards, which nobody waits for."""


@dataclass(frozen=True, slots=True)
class Progress:
    """One moment of the work.

    ``stage`` in words, ``fraction`` of it done (0 to 1), ``detail`` for the curious; which ``step`` of how
    many ``steps`` the stage is, and what ``share`` of them all is done, which never falls; ``seconds_left``
    is an estimate, None where there is none yet.
    """

    stage: str
    fraction: float
    detail: str = ""
    updated_at: str = ""
    step: int = 1
    steps: int = 1
    share: float = 0.0
    seconds_left: float | None = None

    @property
    def title(self) -> str:
        """The stage, and which of the steps it is: ``Step 4 of 8: fitting the LSTM``."""
        if self.steps == 1:
            return f"{self.stage[:1].upper()}{self.stage[1:]}"
        return f"Step {self.step} of {self.steps}: {self.stage}"

    @property
    def remaining(self) -> str:
        """How long the whole may still take, in words; empty where that is not known."""
        if self.seconds_left is None:
            return ""
        if self.seconds_left < 90:
            return f"about {max(5, 5 * round(self.seconds_left / 5))} s left"
        minutes = round(self.seconds_left / 60)
        return f"about {minutes} min left" if minutes < 120 else f"about {round(minutes / 60)} h left"


@dataclass
class Plan:
    """What this process works on: the name of its file, and its stages in order with their usual seconds.

    ``begins`` and ``ends`` are the shares of the whole that this plan is; other plans are the rest of it.
    ``title`` takes the place of the stages' own names where nobody waits for them one by one.
    ``since`` (on the steady clock) is when the work began, which was at the share ``began_at``.
    """

    stages: Mapping[str, float]
    name: str = START
    title: str = ""
    begins: float = 0.0
    ends: float = 1.0
    step: int = 1
    share: float = 0.0
    began_at: float = 0.0
    since: float = field(default_factory=time.monotonic)

    def reached(self, stage: str, fraction: float) -> tuple[int, float]:
        """Return the step and the share of the whole at ``fraction`` of ``stage``; neither ever falls."""
        if not self.stages:
            return 1, fraction
        names, usual = list(self.stages), list(self.stages.values())
        if stage in names and names.index(stage) + 1 >= self.step:
            self.step = names.index(stage) + 1
            done = sum(usual[: self.step - 1]) + self.stages[stage] * min(max(fraction, 0.0), 1.0)
            share = self.begins + (self.ends - self.begins) * done / sum(usual)
            self.share = max(self.share, share)
        return self.step, self.share

    def seconds_left(self) -> float | None:
        """Estimate by how fast it has gone so far; None in the first seconds."""
        taken, done = time.monotonic() - self.since, self.share - self.began_at
        return round(taken * (1 - self.share) / done, 1) if taken > FEWEST_SECONDS and done > 0.02 else None


FEWEST_SECONDS = 3.0
"""How long a plan must have been followed before it says how long it will take."""

_plan = Plan({})
_reported: Progress | None = None


def reported() -> Progress | None:
    """Return what this process reported last, whatever another one works on in the same folder."""
    return _reported


def follow(plan: Plan) -> None:
    """Report what this process does from now on as a part of ``plan``."""
    global _plan
    _plan = plan


def _path(root: str, name: str) -> Path | None:
    return None if "://" in root else Path(root) / f"{name}.json"


def report(root: str, stage: str, fraction: float, detail: str = "") -> None:
    """Remember the progress of the work, and write it under ``root`` where that is a folder.

    A courtesy to whoever watches: a disk that is full fails the work where it writes what counts, not here.
    """
    global _reported
    now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
    step, share = _plan.reached(stage, fraction)
    steps = len(_plan.stages) or 1
    if _plan.title:
        stage, detail, step, steps = _plan.title, ", ".join(filter(None, (stage, detail))), 1, 1
    moment = _reported = Progress(
        stage, round(fraction, 4), detail, now, step, steps, round(share, 4), _plan.seconds_left()
    )
    path = _path(root, _plan.name)
    if path is None:
        return
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(asdict(moment)).encode(), durable=False)


def done(root: str, name: str = START) -> None:
    """Remove the progress, and the drafts of workers that were killed."""
    path = _path(root, name)
    if path is not None:
        for old in (path, *path.parent.glob(f"*{name}.*.tmp")):
            with contextlib.suppress(OSError):
                old.unlink(missing_ok=True)


def read(root: str, name: str = START) -> Progress | None:
    """Read the progress of the work under ``root``; None if there is none or its worker died."""
    path = _path(root, name)
    if path is None:
        return None
    try:
        progress = Progress(**json.loads(path.read_text()))
        age = dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(progress.updated_at)
    except (OSError, ValueError, TypeError):
        return None
    return progress if age < STALE_AFTER and _sound(progress) else None


def _sound(progress: Progress) -> bool:
    left = progress.seconds_left
    numbers = (progress.fraction, progress.share, progress.step, progress.steps, 0 if left is None else left)
    texts = (progress.stage, progress.detail)
    return all(isinstance(n, int | float) and math.isfinite(n) for n in numbers) and all(
        isinstance(text, str) for text in texts
    )
