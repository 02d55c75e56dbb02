"""``btc tune``: search the networks' hyper-parameters, as materialising their asset in Dagster's UI would."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from btc_assets.extras import require_extras
from btc_assets.settings import load
from btc_assets.vocabulary import TUNING_JOB


def tune(
    trials: Annotated[
        int, typer.Option(min=1, max=1000, help="Complete trials that each study shall have at the end.")
    ] = 20,
    studies: Annotated[
        Path | None, typer.Option(help="Folder of the studies; share it to search on several machines.")
    ] = None,
    workers: Annotated[
        int, typer.Option(min=0, max=64, help="Processes that search on this machine; 0: one a core.")
    ] = 0,
) -> None:
    """Search hyper-parameters on history before 2021; later vintages take up what is better than the default.

    It can be interrupted, also by kill -9: the next start goes on from the trials that are complete.
    """
    require_extras("graph", "train", purpose="`btc tune`")
    from btc_assets.contracts import HYPERPARAMETERS
    from btc_assets.factory import open_pair
    from btc_assets.io.progress import done
    from btc_assets.launch import fail_orphaned_runs, open_instance, run_job

    settings = load()
    search: dict[str, Any] = {"trials": trials, "workers": workers}
    if studies is not None:
        search["studies"] = str(studies.absolute())
    config = {"ops": {HYPERPARAMETERS.name: {"config": search}}}
    with open_instance(settings) as instance:
        fail_orphaned_runs(instance)
        try:
            run_job(instance, TUNING_JOB, config, on_log=typer.echo)
        finally:
            done(settings.root)
    for found in open_pair(settings).read(HYPERPARAMETERS).to_dicts():
        typer.echo(f"{found['model']}: {found['reason']}\n  {found['parameters']}")
