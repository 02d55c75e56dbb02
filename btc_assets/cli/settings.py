"""``btc settings``: every setting, its value, and where the value came from."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from btc_assets.settings import PREFIX, Settings, load, without_user


def show_settings(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of a table.")
    ] = False,
) -> None:
    """Print every setting with its value, where it came from, and what it means; secrets are masked."""
    settings = load()
    rows = [(PREFIX + name.upper(), display(settings, name), value_source(name), field.description or "")
            for name, field in Settings.model_fields.items()]  # fmt: skip
    if as_json:
        import json

        typer.echo(
            json.dumps({key: {"value": value, "from": source} for key, value, source, _ in rows}, indent=2)
        )
        return
    from rich.console import Console
    from rich.table import Column, Table

    name, value = Column("setting", no_wrap=True), Column("value", overflow="fold")
    table = Table(name, value, "from", Column("meaning", overflow="fold"), title="Settings")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def display(settings: Settings, name: str) -> str:
    """Return the value as text; a secret shows only whether it is set."""
    value = getattr(settings, name)
    if hasattr(value, "get_secret_value"):
        return "(set)" if value.get_secret_value() else "(not set)"
    return without_user(str(value))


def value_source(name: str) -> str:
    """Return where a value came from: ``environment`` or ``default``."""
    return "environment" if PREFIX + name.upper() in os.environ else "default"
