"""The ``btc`` command: each subcommand is a file of its own and imports what it needs when it runs."""

from __future__ import annotations

import io
import sys

from btc_assets.cli.app import app
from btc_assets.errors import BtcError, ConfigurationError
from btc_assets.extras import explain_missing
from btc_assets.io import disk


def survive_narrow_terminals() -> None:
    """Print a question mark where the terminal's encoding lacks a character, rather than fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def main() -> None:
    """Run the command line; an error a person can act on is one sentence and exit code 1 (2: wrong usage)."""
    survive_narrow_terminals()
    try:
        app()
    except BtcError as error:
        print(f"btc: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, ConfigurationError) else 1)
    except ModuleNotFoundError as error:
        sentence = explain_missing(error, "this command")
        if sentence is None:
            raise
        print(f"btc: {sentence}", file=sys.stderr)
        sys.exit(2)
    except Exception as error:
        sentence = disk.explain(error)
        if sentence is None:
            raise
        print(f"btc: {sentence}", file=sys.stderr)
        sys.exit(1)
