"""Run the storage tests against a real Hopsworks project, and say what came of it in one sentence.

HOPSWORKS_API_KEY=... HOPSWORKS_PROJECT=... BTC_HOPSWORKS_DATA_SOURCE=... [HOPSWORKS_HOST=...] \\
    python scripts/hopsworks_check.py [--write PAGE]... [options of pytest]

It creates and deletes feature groups and models whose names begin with ``btc_contract_test_``, nothing else.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
NEEDED = ("HOPSWORKS_API_KEY", "HOPSWORKS_PROJECT", "BTC_HOPSWORKS_DATA_SOURCE")
NEVER = "No real Hopsworks server was contacted."
"""What docs/hopsworks.md and README.md say until somebody with an account has run this."""


def main() -> None:
    """Check the environment, run the tests, and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "--write", type=Path, action="append", default=[], metavar="PAGE",
        help="page to correct that says that no server was contacted: docs/hopsworks.md, README.md",
    )  # fmt: skip
    given, options = parser.parse_known_args()
    if missing := [name for name in NEEDED if not os.environ.get(name)]:
        sys.exit(f"hopsworks_check: set {', '.join(missing)} (docs/hopsworks.md says where to get them)")
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        ended = subprocess.run(  # noqa: S603 - this interpreter, our own tests
            [
                sys.executable,
                "-m",
                "pytest",
                "tests/storage",
                "-k",
                "hopsworks",
                f"--junitxml={report}",
                *options,
            ],
            cwd=ROOT,
            check=False,
        )
        passed, skipped = counts(report)
    if ended.returncode or not passed:
        sys.exit(f"hopsworks_check: not shown: {passed} tests passed, pytest ended with {ended.returncode}")
    said = sentence(passed, skipped, dt.datetime.now(dt.UTC).date())
    print(said)
    for page in given.write:
        replace(page, said)


def counts(report: Path) -> tuple[int, int]:
    """Return how many tests passed and were skipped; none without a report."""
    if not report.is_file():
        return 0, 0
    tree = ElementTree.parse(report)  # noqa: S314 - pytest has just written it
    suites = list(tree.getroot().iter("testsuite"))
    total, skipped, bad = (
        sum(int(suite.get(name, 0)) for suite in suites for name in names)
        for names in (("tests",), ("skipped",), ("failures", "errors"))
    )
    return total - skipped - bad, skipped


def sentence(passed: int, skipped: int, day: dt.date) -> str:
    """Say what was shown, without the server's address."""
    return (
        f"On {day} `scripts/hopsworks_check.py` ran {passed} of these tests against a real Hopsworks "
        f"project, with client {metadata.version('hopsworks')}, and all passed; {skipped} need the emulator."
    )


def replace(page: Path, said: str) -> None:
    """Put ``said`` in the place of ``NEVER`` in ``page``."""
    text = page.read_text()
    if NEVER not in text:
        sys.exit(f"hopsworks_check: {page} does not say {NEVER!r}: put the sentence in by hand")
    page.write_text(text.replace(NEVER, said))


if __name__ == "__main__":
    main()
