"""Archives that were made to do harm: each is refused in one sentence before anything is written."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from btc_assets.backup import archive as archives
from btc_assets.backup.restore import check, restore
from btc_assets.errors import BackupError
from btc_assets.factory import all_tables
from btc_assets.settings import Settings, load

SPECS = list(all_tables().values())
LIST: dict[str, Any] = {
    "format": 1, "made_at": "2026-11-24T00:00:00+00:00", "code": "0.2.0", "symbol": "BTCUSDT",
    "simulated": False, "tables": {"raw_klines": 0}, "models": [], "databases": 0, "head": "", "sound": True,
    "verdict": "", "lost": [],
}  # fmt: skip
PLAIN = {"tables/raw_klines/_delta_log/00000000000000000000.json": b"{}"}
Members = list[tuple[tarfile.TarInfo, bytes]]


def file(name: str, content: bytes = b"x", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def write(path: Path, listed: dict[str, bytes], members: Members, **more: Any) -> Path:
    """An archive whose list names ``listed`` and that holds ``members`` after it."""
    files = {name: [len(body), hashlib.sha256(body).hexdigest()] for name, body in listed.items()}
    content = json.dumps({**LIST, "files": files, **more}).encode()
    first = file(f"manifest-{hashlib.sha256(content).hexdigest()}.json", content)
    with gzip.open(path, "wb", 1) as packed, tarfile.open(fileobj=packed, mode="w|") as tar:
        for info, body in [first, *members]:
            tar.addfile(info, io.BytesIO(body))
    return path


def plain(listed: dict[str, bytes]) -> Members:
    return [file(name, body) for name, body in listed.items()]


def link(kind: bytes) -> Callable[[Path], Path]:
    """An archive with a link, a device or a folder where its list has a file."""
    name = next(iter(PLAIN))
    info = file(name, b"", type=kind, linkname="/etc/passwd", devmajor=1, devminor=5)
    return lambda path: write(path, PLAIN, [info])


def named(name: str, body: bytes = b"x", **more: Any) -> Callable[[Path], Path]:
    """An archive that lists and holds a file of this name."""
    return lambda path: write(path, {name: body}, plain({name: body}), **more)


def settings_of_dagster(text: str) -> Callable[[Path], Path]:
    return named("dagster/dagster.yaml", text.encode())


ALIASES = (
    "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [{f'*a{n - 1}, ' * 9}]\n" for n in range(1, 40)) + "module: os"
)
"""Nine times nine times nine ...: whoever follows each of them never ends."""

HOSTILE: dict[str, tuple[Callable[[Path], Path], str]] = {
    **{
        f"{what}": (link(kind), "is not what its list says")
        for what, kind in {
            "symbolic link": tarfile.SYMTYPE,
            "hard link": tarfile.LNKTYPE,
            "character device": tarfile.CHRTYPE,
            "block device": tarfile.BLKTYPE,
            "named pipe": tarfile.FIFOTYPE,
            "folder": tarfile.DIRTYPE,
            "file with holes": tarfile.GNUTYPE_SPARSE,
            "contiguous file": tarfile.CONTTYPE,
        }.items()
    },
    **{
        f"name {name!r:.40}": (named(name), "is no path inside the archive")
        for name in (
            "../outside",
            "/etc/outside",
            "tables/../../outside",
            "tables/raw_klines/../../../outside",
            "tables/raw_klines/..",
            "elsewhere/x",
            "tables",
            "tables/x",
            "tables/raw_klines/a\\b",
            "C:/x/y",
            "tables/raw_klines/\n",
            "tables/raw_klines/\x1b[2J",
            "tables/raw_klines//x",
            "./tables/raw_klines/x",
            "tables/raw_klines/" + "x" * 300,
            "tables/raw_klines" + "/x" * 600,
            "tables/raw_klines/\u202ex",
            # What Dagster would import from its home, or read as its environment:
            "dagster/polars.py",
            "dagster/.env",
            "dagster/btc_assets/__init__.py",
            "dagster/workspace.yaml",
            "dagster/history/x.so",
            "dagster/sitecustomize.py",
            "dagster/x.pth",
        )
    },
    "a table that is not listed": (named("tables/other/x"), "belongs to no table that it lists"),
    "a file that is a folder": (
        lambda path: write(
            path,
            {"tables/raw_klines/x": b"1", "tables/raw_klines/x/y": b"2"},
            plain({"tables/raw_klines/x": b"1", "tables/raw_klines/x/y": b"2"}),
        ),
        "is both a file and a folder",
    ),
    "a file twice": (lambda path: write(path, PLAIN, plain(PLAIN) * 2), "is not what its list says"),
    "a file that is not listed": (
        lambda path: write(path, PLAIN, [*plain(PLAIN), file("tables/raw_klines/more")]),
        "is not what its list says",
    ),
    "a file with another hash": (
        lambda path: write(path, PLAIN, plain(dict.fromkeys(PLAIN, b"[]"))),
        "does not hash to what its list says",
    ),
    "a longer file": (
        lambda path: write(path, PLAIN, plain(dict.fromkeys(PLAIN, b"{}{}"))),
        "is not what its list says",
    ),
    "a file that is missing": (lambda path: write(path, PLAIN, []), "1 files are missing"),
    "a second list": (
        lambda path: write(path, PLAIN, [file(f"manifest-{'0' * 64}.json"), *plain(PLAIN)]),
        "is not what its list says",
    ),
    "more room than there is": (
        lambda path: write(path, PLAIN, plain(PLAIN), files={next(iter(PLAIN)): [10**15, "0" * 64]}),
        "MB free and the archive unpacks to 1,000,000,000 MB",
    ),
    "a bomb after its end": (
        lambda path: with_tail(write(path, PLAIN, plain(PLAIN))),
        "more than its list says",
    ),
    "a bomb as a header": (
        lambda path: write(path, PLAIN, [file("x", b"0" * 50_000_000, type=tarfile.XHDTYPE), *plain(PLAIN)]),
        "more than its list says",
    ),
    "a bomb as a long name": (
        lambda path: write(path, PLAIN, [file("x", b"0" * 50_000_000, type=tarfile.GNUTYPE_LONGNAME)]),
        "more than its list says",
    ),
    "a list that is a bomb": (
        lambda path: write(path, PLAIN, plain(PLAIN), verdict="x" * 40_000_000),
        "does not begin with its list",
    ),
    "a list of another kind": (
        named("tables/raw_klines/x", tables=["raw_klines"]),
        "no list that can be read",
    ),
    "a negative size": (
        lambda path: write(path, PLAIN, plain(PLAIN), files={next(iter(PLAIN)): [-1, "0" * 64]}),
        "has no size and hash",
    ),
    "a symbol that moves the cursor": (named("tables/raw_klines/x", symbol="\x1b[2J"), "no list that can be"),
    "another pair": (named("tables/raw_klines/x", symbol="ETHUSDT"), "is of ETHUSDT"),
    "another market": (named("tables/raw_klines/x", simulated=True), "is of the SIMULATED market"),
    "settings with foreign code": (
        settings_of_dagster("event_log_storage: {module: subprocess, class: Popen, config: {args: id}}"),
        "neither Dagster's nor ours ('subprocess')",
    ),
    "settings with foreign code deep inside": (
        settings_of_dagster("storage: {x: [{module: dagster_x, config: {y: {module: os.path}}}]}"),
        "neither Dagster's nor ours ('os.path')",
    ),
    "settings that log to anything": (
        settings_of_dagster("python_logs: {dagster_handler_config: {handlers: {x: {'()': 'os.system'}}}}"),
        "dagster_handler_config",
    ),
    "settings that make an object": (
        settings_of_dagster("a: !!python/object/apply:os.system [id]"),
        "cannot be read",
    ),
    "settings with many aliases": (
        settings_of_dagster(ALIASES),
        "neither Dagster's nor ours ('os')",
    ),
}


def with_tail(path: Path) -> Path:
    with gzip.open(path, "ab", 1) as packed:
        packed.write(bytes(50_000_000))
    return path


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings for a place where nothing is yet; temporary files go beside it."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    return load({}, data_dir=str(tmp_path / "new"))


@pytest.fixture
def no_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where a file of an archive would be written."""
    real = archives._copy

    def refused(content: Any, target: Path | None) -> str:
        assert target is None, f"{target} was about to be written"
        return real(content, target)

    monkeypatch.setattr(archives, "_copy", refused)


@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.parametrize("act", [restore, check])
def test_T13_a_hostile_archive_is_refused_before_anything_is_written(
    what: str, act: Callable[..., object], empty: Settings, tmp_path: Path, no_writing: None
) -> None:
    make, says = HOSTILE[what]
    archive = make(tmp_path / "hostile.tar.gz")
    tracemalloc.start()
    try:
        with pytest.raises(BackupError) as caught:
            act(empty, archive, SPECS)
        assert tracemalloc.get_traced_memory()[1] < 60e6, "bytes that were held at once"
    finally:
        tracemalloc.stop()
    said = str(caught.value)
    assert says in said
    assert "\n" not in said
    assert "\x1b" not in said
    assert str(archive) in said or says in ("MB free and the archive unpacks to 1,000,000,000 MB",)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["hostile.tar.gz", "tmp"]


def test_T13_settings_of_dagster_as_we_and_others_write_them_are_taken() -> None:
    from btc_assets.backup.dagster_settings import check_settings
    from btc_assets.defs.instance import INSTANCE_YAML

    deployed = (Path(__file__).parents[2] / "deploy" / "dagster.yaml").read_bytes()
    for text in (INSTANCE_YAML.encode(), deployed, b"", b"telemetry: {enabled: false}"):
        assert check_settings(io.BytesIO(text), "here") == text
