"""What is said of an error of the system, whoever raises it."""

from __future__ import annotations

import errno
from pathlib import Path

import polars as pl
import pytest

from btc_assets.io import disk


class Panic(BaseException):
    """As a library written in Rust raises what it cannot handle."""


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.EMFILE, "Too many open files", "t"), "t cannot be used (Too many open files); raise"),
        (
            Panic('called on an `Err` value: Os { code: 24, kind: Uncategorized, message: "..." }'),
            "ulimit -n",
        ),
        (ValueError("parquet: underlying IO error: File too large (os error 27)"), "ulimit -f"),
        (OSError("Cannot allocate memory (os error 12)"), "ulimit -v"),
        (MemoryError(), "ulimit -v"),
        (OSError(errno.ENAMETOOLONG, "", "x" * 300), "choose a shorter name"),
        (OSError(errno.ELOOP, "", "lo"), "lo cannot be used (Too many levels of symbolic links)"),
    ],
)
def test_T2_a_limit_of_the_process_is_one_sentence(error: BaseException, says: str) -> None:
    assert says in str(disk.explain(error))
    outer = RuntimeError("outer")
    outer.__cause__ = error
    assert says in str(disk.explain(outer))


@pytest.mark.parametrize("error", [KeyError("x"), FileNotFoundError(2, "", "x"), ValueError("os error")])
def test_what_is_no_fault_of_the_system_is_not_explained(error: BaseException) -> None:
    assert disk.explain(error) is None


def test_the_working_folder_is_called_gone_where_it_is_gone_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Polars' own error of a missing file names no file either."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with pytest.raises(FileNotFoundError) as missing:
        pl.read_parquet("missing.parquet")
    assert disk.explain(missing.value) is None
    folder.rmdir()
    with pytest.raises(FileNotFoundError) as gone:
        Path.cwd()
    assert "the working folder is gone" in str(disk.explain(gone.value))
