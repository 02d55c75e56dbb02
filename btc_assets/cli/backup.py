"""``btc backup`` and ``btc restore``: everything on this machine as one archive, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from btc_assets.settings import load

if TYPE_CHECKING:
    from btc_assets.backup.archive import Manifest


def backup(
    out: Annotated[Path, typer.Option("--out", help="Archive to write, e.g. btc-2026-11-24.tar.gz.")],
    even_if_damaged: Annotated[
        bool, typer.Option("--even-if-damaged", help="Write it though its ledger does not verify.")
    ] = False,
) -> None:
    """Copy tables, models, ledger and Dagster's records into one verified archive, while runs go on.

    The copy is of one instant. It is verified as `btc verify` does and read back before it gets its name.
    """
    from btc_assets.backup.make import backup as make
    from btc_assets.factory import all_tables

    manifest = make(load(), out, list(all_tables().values()), even_if_damaged=even_if_damaged)
    typer.echo(f"{out}: {_in_words(manifest)}, {out.stat().st_size / 1e6:,.1f} MB packed")
    typer.echo(manifest.verdict)
    if manifest.databases == 0:
        typer.echo(
            "note: no SQLite database was found in DAGSTER_HOME; if Dagster keeps its records in PostgreSQL, "
            "back that up with its own tools"
        )
    for name in manifest.lost:
        typer.echo(f"note: {name}, which only an older version needs, is gone or damaged and was left out")
    raise typer.Exit(0 if manifest.sound else 1)


def restore(
    archive: Annotated[Path, typer.Argument(help="An archive that `btc backup` wrote.")],
    check: Annotated[
        bool, typer.Option("--check", help="Only see whether it is whole and verifies; put nothing in place.")
    ] = False,
) -> None:
    """Put an archive in place, which must be empty, after everything in it was verified.

    With --check it is unpacked into a temporary folder (TMPDIR), verified, and removed.
    """
    from btc_assets.backup import restore as restoring
    from btc_assets.factory import all_tables

    settings, specs = load(), list(all_tables().values())
    act = restoring.check if check else restoring.restore
    manifest, report = act(settings, archive, specs)
    done = "sound" if check else f"restored to {settings.root}"
    typer.echo(f"{archive}: {done}; {_in_words(manifest)}, made {manifest.made_at}")
    typer.echo(report.line())
    raise typer.Exit(0 if report.ok else 1)


def _in_words(manifest: Manifest) -> str:
    label = "SIMULATED market, " if manifest.simulated else ""
    return (
        f"{label}{manifest.symbol}, {len(manifest.tables)} tables, {len(manifest.models)} vintages, "
        f"{manifest.databases} databases of Dagster, {len(manifest.files):,} files, "
        f"{manifest.size / 1e6:,.1f} MB"
    )
