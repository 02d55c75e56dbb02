"""``btc daily``: a day of the record without a server, from the published state to the next one."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from btc_assets.errors import BackupError, ConfigurationError, LedgerError
from btc_assets.extras import require_extras
from btc_assets.settings import Settings, load

if TYPE_CHECKING:
    from btc_assets.backup.published import Restored, State
    from btc_assets.ledger.verification.report import Report

PROOF, TAG, NOTES = "proof", "tag.txt", "notes.txt"


def daily(
    out: Annotated[Path, typer.Option("--out", help="New folder for what is to be published.")],
    published: Annotated[
        str | None,
        typer.Option(help="Folder or address where states are published (default: BTC_PUBLISHED)."),
    ] = None,
    begin: Annotated[
        bool, typer.Option("--begin", help="Begin a record if nothing is published there yet.")
    ] = False,
) -> None:
    """Go on from the newest published state: restore it, catch up, verify, write the next state to --out.

    It works in a folder of its own; BTC_DATA_DIR is not touched. Writes nothing if there is nothing new, or
    if anything does not verify. Uploading --out is up to you: docs/free.md.
    """
    require_extras("graph", "train", purpose="`btc daily`")
    if out.exists():
        raise ConfigurationError(f"--out {out} exists; name a folder that does not")
    with tempfile.TemporaryDirectory(prefix="btc-daily-") as work:
        settings = load(None, published=published, data_dir=f"{work}/data")
        if not settings.published:
            raise ConfigurationError("say where states are published: --published, or BTC_PUBLISHED")
        os.environ.update(settings.environment() | {"DAGSTER_HOME": f"{work}/dagster"})
        before = _restored(settings, begin)
        from btc_assets.backup.published import require_unchanged
        from btc_assets.cli.backfill import ProgressLines
        from btc_assets.cli.catch_up import catch_up

        with ProgressLines():
            catch_up(settings)
        report = _verified(settings)
        typer.echo(report.line())
        draft = Path(work) / "out"
        draft.mkdir()
        state = _write_state(settings, before, report, draft)
        if state is None:
            typer.echo("nothing is new: there is nothing to publish")
            return
        require_unchanged(settings.published, before)
        shutil.move(draft, out)
    typer.echo(f"{out}: {state.tag}, to be published")


def _restored(settings: Settings, begin: bool) -> Restored | None:
    """Put the newest state in place; None where a record begins, which only ``begin`` allows."""
    from btc_assets.cli.published import restore_and_say

    before = restore_and_say(settings)
    if before is None and not begin:
        raise BackupError(
            f"nothing is published at {settings.published}. If that is as it should be, begin a record with "
            "--begin; if not, find out where it went, for a new one would not go on from it"
        )
    return before


def _verified(settings: Settings) -> Report:
    """Verify everything in the store, scores and published heads too; LedgerError if it does not."""
    from btc_assets.cli.ledger import verify_store

    report = verify_store(settings)
    if not report.ok or report.head is None:
        raise LedgerError(f"{report.line()}. Nothing is published")
    return report


def _write_state(settings: Settings, before: Restored | None, report: Report, work: Path) -> State | None:
    """Write the state after ``before`` into ``work``; None if nothing changed."""
    from btc_assets.backup.make import backup
    from btc_assets.backup.published import ARCHIVE, STATE, next_state, require_continued
    from btc_assets.factory import all_tables, open_pair

    manifest = backup(settings, work / ARCHIVE, list(all_tables().values()), with_dagster=False)
    if before and (manifest.tables, manifest.models) == (before.manifest.tables, before.manifest.models):
        return None
    if before:
        require_continued(open_pair(settings), before.state)
    assert report.head is not None
    state = next_state(before.state if before else None, manifest, report.head, work / ARCHIVE)
    _write_proof(settings, work)
    (work / STATE).write_bytes(state.encode())
    (work / TAG).write_text(state.tag)
    label = ", SIMULATED prices" if settings.simulated else ""
    (work / NOTES).write_text(f"{state.symbol}{label}, made {state.made_at}.\n\n{report.line()}\n")
    return state


def _write_proof(settings: Settings, work: Path) -> None:
    """Pack what proves the forecasts as one file."""
    from btc_assets.cli.ledger import write_proof

    folder = write_proof(settings, work / PROOF)
    shutil.make_archive(str(folder), "gztar", work, PROOF)
    shutil.rmtree(folder)
