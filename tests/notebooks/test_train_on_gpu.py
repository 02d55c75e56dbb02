"""The Colab notebook, executed from top to bottom on a CPU with a small configuration."""

from __future__ import annotations

import datetime as dt
import shutil
import zipfile
from pathlib import Path

import nbformat
import pytest
from dumps import write_dumps
from installation import build_wheel, install
from lambda_runtime import ROOT
from nbclient import NotebookClient

pytestmark = [pytest.mark.images, pytest.mark.timeout(1800)]

NOTEBOOK = ROOT / "notebooks" / "train_on_gpu.ipynb"
LAST = dt.date(2021, 12, 31)


@pytest.fixture
def dumps(tmp_path: Path) -> Path:
    """Four years of a made-up market in the layout of the public dumps."""
    return write_dumps(tmp_path / "dumps", LAST)


def small(dumps: Path) -> nbformat.NotebookNode:
    """The notebook with its parameters replaced, as papermill would."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    cell.source = (
        f"ARCHIVE = {str(dumps)!r}\nDATA_DIR = 'data'\nCUTOFF = None\n"
        "CHANGES = {'epochs': 2, 'seeds': 1, 'units': 4}\nBATCHES = (512,)"
    )
    return notebook


def test_it_fits_registers_and_packs_both_networks(dumps: Path, tmp_path: Path) -> None:
    notebook = small(dumps)
    NotebookClient(notebook, timeout=280, resources={"metadata": {"path": str(tmp_path)}}).execute()
    printed = "".join(
        output.get("text", "")
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if cell.outputs
    )
    assert "1,598 candles from 2017-08-17 to 2021-12-31" in printed
    assert "9,588 of 4 hours" in printed
    assert "mlp: " in printed
    assert "lstm: " in printed
    assert "80 % within" in printed
    names = zipfile.ZipFile(tmp_path / "vintages.zip").namelist()
    for network in ("mlp", "lstm"):
        assert [name for name in names if network in name and name.endswith("model.onnx")]
        assert [name for name in names if network in name and name.endswith("manifest.json")]


def test_it_is_stored_without_outputs_and_names_no_secret() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert not [cell for cell in notebook.cells if cell.get("outputs")]
    assert "api_key" not in NOTEBOOK.read_text().lower()


def test_it_installs_from_the_wheel_beside_it(tmp_path: Path) -> None:
    made = install(build_wheel(tmp_path / "wheel"), tmp_path, {"train"}, beside=("ipython", "pip"))
    wheel = next((tmp_path / "wheel").rglob("*.whl"))
    made.uninstall()
    cell = next(
        cell.source for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"
    )
    script = "\n".join(
        (
            "from IPython.core.interactiveshell import InteractiveShell",
            f"InteractiveShell.instance().run_cell({cell!r}).raise_error()",
            "import btc_assets; print(btc_assets.__file__)",
        )
    )
    said = made.run("python", "-c", script, PIP_NO_INDEX="1")
    assert said.returncode != 0
    assert "put the wheel of a release there" in said.stdout + said.stderr
    shutil.copy(wheel, made.folder)
    said = made.run("python", "-c", script, PIP_NO_INDEX="1")
    assert said.returncode == 0, said.stdout + said.stderr
    assert Path(said.stdout.splitlines()[-1]).is_relative_to(made.environment)
