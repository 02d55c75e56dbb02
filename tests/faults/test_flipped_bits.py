"""One flipped bit in a stored file of any kind, hundreds of times: refused or harmless, never believed (T5).

Each trial is a process of its own, so that one that aborts is seen; it reads everything that hangs on the
file and compares it with what is right.
"""

from __future__ import annotations

import datetime as dt
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from candles import candle
from forked_processes import ForkServer, ProcessEnd
from tiny_vintage import write_vintage

from btc_assets.ledger.publishing.sinks import open_sink
from btc_assets.ledger.records import Head
from btc_assets.market.sources.landing import LandingZone
from btc_assets.settings import load
from btc_assets.storage.registry.folder import FolderRegistry
from btc_assets.storage.registry.protocol import VintageId
from tests.ledger.conftest import LedgerStore

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

D = dt.date(2024, 1, 12)
Recorder = Callable[[str, object], None]
CUTOFF = VintageId(dt.date(2024, 6, 1))

SETUP = """
import datetime as dt, hashlib, logging, pathlib
import numpy as np
from btc_assets.contracts import FORECASTS, RAW_KLINES, RAW_KLINES_4H, VINTAGES_IN_FORCE
from btc_assets.errors import BtcError
from btc_assets.ledger.records import ISSUE_RECORDS
from btc_assets.ledger.publishing.sinks import open_sink
from btc_assets.ledger.verification.verify import verify
from btc_assets.market.sources.landing import LandingZone
from btc_assets.modeling.features import ENGINEERED_FEATURES, NAMES
from btc_assets.modeling.inference import Predictor, feature_rows
from btc_assets.settings import load
from btc_assets.storage.delta.store import DeltaTables
from btc_assets.storage.registry.folder import FolderRegistry
from btc_assets.storage.registry.protocol import ModelRef, VintageId
import polars as pl
STORED = (FORECASTS, RAW_KLINES, RAW_KLINES_4H, VINTAGES_IN_FORCE, ISSUE_RECORDS, ENGINEERED_FEATURES)
SPECS = {spec.name: spec for spec in STORED}
alarms = []
class Alarms(logging.Handler):
    def emit(self, record):
        alarms.append(record.getMessage())
logging.getLogger("btc_assets").addHandler(Alarms())
logging.getLogger("btc_assets").propagate = False

def contents(root, kind, name, sha256):
    root = pathlib.Path(root)
    if kind == "table":
        return DeltaTables(str(root)).read(SPECS[name]).write_csv()
    if kind == "model":
        # As the page and the graph do: by the hash that the tables keep.
        ref = ModelRef(name, VintageId(dt.date(2024, 6, 1)), sha256)
        folder = FolderRegistry(root).model_folder(ref)
        days = [dt.date(2024, 6, 1) - dt.timedelta(days=n) for n in range(70)][::-1]
        rows = feature_rows(pl.DataFrame({"date": days} | {n: [0.5] * 70 for n in NAMES}), days[-1])
        factors = Predictor.open(folder, ref.manifest_sha256).log_factors(rows, days[-1])
        return repr(factors.tolist()) + (folder / "card.md").read_text()
    if kind == "landing":
        month = dt.date(2024, 1, 1), dt.date(2024, 2, 1)
        return repr(LandingZone(str(root / "landing")).klines("BTCUSDT", *month))
    settings = load({}, data_dir=str(root), ledger_sink=str(root / "heads.jsonl"))
    tables = DeltaTables(str(root))
    report = verify(tables, FolderRegistry(root), "BTCUSDT", sink=open_sink(settings, tables))
    if not report.ok:
        raise BtcError(report.line())
    return "ok"
"""

TRIAL = """
say("begin")
try:
    found = contents(root, kind, name, sha256)
except BtcError as error:
    say("refused")
else:
    found = hashlib.sha256(found.encode()).hexdigest()
    said = any("ALARM" in text for text in alarms)
    say("right" if found == right else "an older version, with an alarm" if said else "WRONG")
    say(found)
"""

TRIALS = {
    ("table", "data file"): ("tables/{table}/*.parquet", 120),
    ("table", "entry of the log"): ("tables/{table}/_delta_log/*.json", 100),
    ("table", "checkpoint"): ("tables/{table}/_delta_log/*.checkpoint.parquet", 60),
    ("table", "pointer to the checkpoint"): ("tables/{table}/_delta_log/_last_checkpoint", 40),
    ("table", "hash of the checkpoint"): ("tables/{table}/_checkpoint_hashes/*", 20),
    ("model", "network"): ("models/{model}/2024-06-01/model.onnx", 60),
    ("model", "manifest"): ("models/{model}/2024-06-01/manifest.json", 60),
    ("model", "card and pictures"): ("models/{model}/2024-06-01/[cl]*.*", 40),
    ("landing", "landed candle"): ("landing/BTCUSDT/*/*.json", 60),
    ("ledger", "published heads"): ("heads.jsonl", 60),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables with a checkpoint, a ledger whose heads are published, models that open, landed candles."""
    root = tmp_path_factory.mktemp("bits") / "store"
    store = LedgerStore(root, days_known=60)
    settings = load({}, data_dir=str(root), ledger_sink=str(root / "heads.jsonl"))
    for n in range(24):
        head: Head = store.issue([D + n * dt.timedelta(days=1)]).head
        open_sink(settings, store.tables).publish(head)
    for kind in ("mlp", "lstm"):
        write_vintage(root / "made", kind, CUTOFF.cutoff)
        FolderRegistry(root).publish(kind, CUTOFF, root / "made")
        for path in (root / "made").iterdir():
            path.unlink()
    for n in range(20):
        LandingZone(str(root / "landing")).put(candle(dt.date(2024, 1, 1 + n)))
    return root


@pytest.fixture
def fork_server(tmp_path: Path) -> Iterator[ForkServer]:
    with ForkServer(SETUP, tmp_path / "fork_server.log") as ready:
        yield ready


def names_of(store: Path, kind: str) -> list[str]:
    if kind == "table":
        return sorted(path.name for path in (store / "tables").iterdir())
    return ["mlp", "lstm"] if kind == "model" else [kind]


def made_manifest(store: Path, name: str) -> str:
    (ref,) = [r for r in FolderRegistry(store).versions(name) if r.vintage == CUTOFF]
    return ref.manifest_sha256


def restore(store: Path, pristine: Path, file: Path) -> None:
    """Put back the file and what stands beside it: a reader removes a checkpoint that is damaged."""
    if len(file.parts) == 1:
        shutil.copy(pristine / file, store / file)
        return
    part = Path(*file.parts[:2])
    shutil.rmtree(store / part)
    shutil.copytree(pristine / part, store / part)


def flip(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


@pytest.mark.parametrize(("kind", "file"), TRIALS)
def test_T5_no_flipped_bit_is_believed(
    fork_server: ForkServer, store: Path, tmp_path: Path, record_property: Recorder, kind: str, file: str
) -> None:
    pattern, trials = TRIALS[kind, file]
    pristine = Path(shutil.copytree(store, tmp_path / "pristine"))
    chance, outcomes = random.Random(file), Counter[str]()

    def run(name: str, right: str) -> ProcessEnd:
        names = {"root": str(store), "kind": kind, "name": name, "right": right, "sha256": hashes.get(name)}
        return fork_server.run(TRIAL, names)

    hashes = {name: made_manifest(store, name) for name in names_of(store, "model")}
    sound = {name: run(name, "") for name in names_of(store, kind)}
    assert all(end.status == 0 and end.said[1] == "WRONG" for end in sound.values()), sound
    right = {name: end.said[2] for name, end in sound.items()}
    candidates = [(n, p) for n in right for p in sorted(store.glob(pattern.format(table=n, model=n)))]
    for _ in range(trials):
        name, path = chance.choice(candidates)
        bit = chance.randrange(8 * path.stat().st_size)
        flip(path, bit)
        end = run(name, right[name])
        restore(store, pristine, path.relative_to(store))
        assert end.status == 0, f"bit {bit} of {path}: {end}"
        outcomes[end.said[1]] += 1
        assert end.said[1] != "WRONG", f"bit {bit} of {path}"
    print(f"\n{file}: {sum(outcomes.values())} trials, {dict(outcomes)}")
    assert sum(outcomes.values()) == trials
    record_property("trials", trials)
    assert outcomes["refused"] + outcomes["an older version, with an alarm"] > 0 or "checkpoint" in file
