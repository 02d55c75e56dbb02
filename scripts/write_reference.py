"""Write docs/contracts.md and docs/configuration.md from the code, which is what they describe."""

from __future__ import annotations

from pathlib import Path

from btc_assets.contracts import TableSpec
from btc_assets.factory import all_tables
from btc_assets.modeling.features import FEATURES
from btc_assets.settings import PREFIX, Settings

DOCS = Path(__file__).resolve().parents[1] / "docs"


def contracts() -> str:
    """Every table and feature."""
    parts = [
        "# Data contracts\n\nWritten from `btc_assets/contracts.py` by `python scripts/write_reference.py`. "
        "Days are UTC days, times are UTC with microseconds, prices are USDT.\n"
    ]
    parts += [_table(spec) for spec in all_tables().values()]
    parts.append(
        "## Features, one by one\n\n| feature | formula | window, days | from | meaning |\n"
        "|---|---|---|---|---|"
    )
    parts += [
        f"| `{f.name}` | {_cell(f.formula)} | {f.window} | {f.source} | {f.meaning} |" for f in FEATURES
    ]
    return "\n".join(parts) + "\n"


def _table(spec: TableSpec) -> str:
    lines = [f"## {spec.name}\n\n{spec.meaning} Key: {', '.join(f'`{k}`' for k in spec.key)}.\n"]
    lines.append("| column | type | meaning |\n|---|---|---|")
    lines += [f"| `{c.name}` | {c.dtype} | {_cell(c.meaning)} |" for c in spec.columns]
    return "\n".join(lines) + "\n"


def configuration() -> str:
    """Every setting."""
    lines = [
        "# Configuration\n\n"
        "Written from `btc_assets/settings/model.py` by `python scripts/write_reference.py`. "
        "Settings are environment variables; an unknown one is refused with the nearest known. "
        "`btc settings` prints them with their values, secrets masked. "
        "`DAGSTER_HOME` and `PORT` mean what they always mean.\n",
        "| variable | default | meaning |\n|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        secret = hasattr(field.default, "get_secret_value")
        default = "" if secret or field.default in ("", None) else f"`{field.default}`"
        lines.append(f"| `{PREFIX}{name.upper()}` | {default} | {_cell(field.description or '')} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


PAGES = {"contracts.md": contracts, "configuration.md": configuration}

if __name__ == "__main__":
    for name, write in PAGES.items():
        (DOCS / name).write_text(write(), encoding="utf-8")
