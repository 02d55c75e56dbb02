"""The ``btc`` command: each subcommand is a file of its own and imports what it needs when it runs."""

from __future__ import annotations

import io
import sys

from pydantic import ValidationError
from typer.exceptions import Abort, TyperException

from btc_assets.cli.app import app
from btc_assets.errors import BtcError, ConfigurationError
from btc_assets.extras import explain_missing
from btc_assets.io import disk
from btc_assets.settings import broken_rule


def survive_narrow_terminals() -> None:
    """Print a question mark where the terminal's encoding lacks a character, rather than fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _is_odd(argument: str) -> bool:
    """Tell whether ``argument`` came as bytes that are no UTF-8, which the libraries here do not take."""
    return any("\ud800" <= letter <= "\udfff" for letter in argument)


def wrong_usage(error: TyperException) -> str:
    """Say in one sentence what is wrong with a command line, and what explains the command."""
    said, cause = error.format_message(), error.__cause__
    if isinstance(cause, ValidationError) and said.startswith("Invalid value for "):
        item = cause.errors()[0]
        what = said.removeprefix("Invalid value for ").partition(":")[0].strip("'")
        said = f"{what} {item['input']}: {broken_rule(item)}"
    context = getattr(error, "ctx", None)
    return f"{said.rstrip('.')}; `{context.command_path} --help` says more" if context else said


def main() -> None:
    """Run the command line; an error a person can act on is one sentence and exit code 1 (2: wrong usage)."""
    survive_narrow_terminals()
    if odd := next((each for each in sys.argv[1:] if _is_odd(each)), None):
        print(f"btc: {odd!r} is not UTF-8; give files and folders names that are", file=sys.stderr)
        sys.exit(2)
    try:
        code = app(standalone_mode=False)
    except BtcError as error:
        print(f"btc: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, ConfigurationError) else 1)
    except TyperException as error:
        shown = error.format_message().strip()
        print(f"btc: {wrong_usage(error)}" if shown else "", end="\n" if shown else "", file=sys.stderr)
        sys.exit(error.exit_code)
    except Abort:
        sys.exit("btc: aborted")
    except ModuleNotFoundError as error:
        sentence = explain_missing(error, "this command")
        if sentence is None:
            raise
        print(f"btc: {sentence}", file=sys.stderr)
        sys.exit(2)
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:  # what panics in a library written in Rust is no Exception
        sentence = disk.explain(error)
        if sentence is None:
            raise
        print(f"btc: {sentence}", file=sys.stderr)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
