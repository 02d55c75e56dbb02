"""Print every benchmark as one table: ``python -m benchmarks [graph] [web] [ledger] ...``."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table


def names() -> list[str]:
    """Return the benchmarks there are: every ``bench_<name>.py``, that of Hopsworks where its client is."""
    found = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
    return [name for name in found if name != "hopsworks" or importlib.util.find_spec("hopsworks")]


def main(chosen: list[str]) -> None:
    """Run the ``chosen`` benchmarks (all unless named) and print what was measured beside its aim."""
    unknown = set(chosen) - set(names())
    if unknown:
        sys.exit(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(names())}")
    for name in chosen or names():
        table = Table("what", "measured", "aim", title=name)
        for row in importlib.import_module(f"benchmarks.bench_{name}").run():
            table.add_row(*row)
        Console(width=150).print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
