"""A sceptic with the bundle and block headers alone sees when the chain existed, and what nobody shows."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from calendar_server import Calendar, calendars
from hypothesis import given
from opentimestamps.core.op import OpSHA256
from opentimestamps.core.serialize import BytesDeserializationContext
from opentimestamps.core.timestamp import DetachedTimestampFile
from ots_files import DIGEST, HOSTILE, files

from btc_assets.ledger.proof import export_proof
from btc_assets.ledger.publishing import block_headers
from btc_assets.ledger.publishing import opentimestamps as ots
from btc_assets.ledger.publishing.block_headers import BlockHeaders
from btc_assets.ledger.publishing.calendars import CalendarSink
from btc_assets.ledger.publishing.sinks import FileSink
from btc_assets.ledger.verification import block_proof
from btc_assets.ledger.verification.verify import verify
from btc_assets.market.calendar import DAY

D = dt.date(2024, 1, 12)
HEIGHT = 912_345


class Proved:
    """Two live forecasts; the first is in a block in time, the second in one that came too late."""

    def __init__(self, store, tmp_path: Path, servers: list[Calendar]) -> None:
        self.store, self.tmp_path = store, tmp_path
        self.sink = CalendarSink(
            store.tables, [s.address for s in servers], BlockHeaders(str(tmp_path / "headers"))
        )
        self.headers = tmp_path / "headers"
        self.headers.write_text("")
        self.now = store.in_time(D - DAY).now
        for n, origin in enumerate((D - DAY, D)):
            self.now = store.in_time(origin).now
            self.sink.publish(store.issue([origin]).head)
            at = self.now + dt.timedelta(hours=5 + 24 * n)
            header = servers[0].mine(HEIGHT + 200 * n, at)
            with self.headers.open("a") as file:
                file.write(f"{HEIGHT + 200 * n} {header.hex()}\n")
        self.sink.publish(store.issue([D]).head)
        self.folder = export_proof(
            store.tables, store.registry, "BTCUSDT", tmp_path / "proof", sink=self.sink
        )

    def run(self, *arguments: str, easy: bool = True) -> subprocess.CompletedProcess[str]:
        """The script of the bundle; ``easy``: content with blocks that cost no work, as tests can make."""
        script = self.folder / "verify_proof.py"
        if easy:
            blocks = self.folder / "block_proof.py"
            blocks.write_text(blocks.read_text().replace("LEAST_WORK = 2**76", "LEAST_WORK = 1"))
        command = [sys.executable, "-I", str(script), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def proved(store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proved]:
    monkeypatch.setattr(block_headers, "LEAST_WORK", 1)
    with calendars(2) as servers:
        yield Proved(store, tmp_path, servers)


def test_the_script_names_block_and_time_and_counts_what_was_in_time(proved: Proved) -> None:
    done = proved.run("--headers", str(proved.headers))
    assert done.returncode == 0, done.stdout + done.stderr
    newest = "Heads in Bitcoin blocks: 2, the newest record 2, in block 912,545 of 2024-01-14 05:05:00 UTC; "
    assert f"{newest}compare the block's hash: " in done.stdout
    assert "In a Bitcoin block before their first target closed: 1 of\n2 live forecasts" in done.stdout


def test_electrums_file_of_headers_works_as_well(proved: Proved) -> None:
    lines = [line.split() for line in proved.headers.read_text().splitlines()]
    with (proved.tmp_path / "blockchain_headers").open("wb") as file:
        for height, header in lines:
            file.seek(80 * int(height))
            file.write(bytes.fromhex(header))
    done = proved.run("--headers", str(proved.tmp_path / "blockchain_headers"))
    assert done.stdout == proved.run("--headers", str(proved.headers)).stdout
    known = BlockHeaders(str(proved.tmp_path / "blockchain_headers"))
    assert [known.at_hand(int(h)) for h, _ in lines] == [bytes.fromhex(header) for _, header in lines]
    assert known.at_hand(7) is None
    assert known.at_hand(10**6) is None


def test_the_bundle_holds_the_headers_that_the_operator_knows(proved: Proved) -> None:
    assert (proved.folder / "block_headers.txt").read_text() == proved.headers.read_text()


def test_the_proof_is_one_of_the_records_line_for_the_ots_command(proved: Proved) -> None:
    line = (proved.folder / "records.jsonl").read_bytes().splitlines(keepends=True)[1]
    proof = next((proved.folder / "heads").glob("000000001-*.ots")).read_bytes()
    read = DetachedTimestampFile.deserialize(BytesDeserializationContext(proof))
    assert read.file_digest == OpSHA256().hash_fd(io.BytesIO(line))


def test_without_headers_nothing_counts_and_it_says_so(proved: Proved) -> None:
    done = proved.run()
    assert done.returncode == 0
    last = "the proof of record 2: block 912,545 is not among the headers"
    assert f"Proofs of time not checked: 2, the last: {last}" in done.stdout
    assert "0 of\n2 live forecasts; when the others were issued is the operator's own word" in done.stdout


def test_a_block_that_cost_no_work_is_refused(proved: Proved) -> None:
    done = proved.run("--headers", str(proved.headers), easy=False)
    assert done.returncode == 1
    assert "block 912,345 has another Merkle root, or nobody mined it" in done.stderr


def test_a_proof_of_another_head_a_wrong_root_and_a_lost_proof_are_refused(proved: Proved) -> None:
    first, second = sorted((proved.folder / "heads").iterdir())
    kept = first.read_bytes()
    first.write_bytes(second.read_bytes())
    assert "of record 1 does not hold: it is too long, or of something else" in proved.run().stderr
    neighbour = hashlib.sha256(b"coinbase").digest()
    first.write_bytes(kept.replace(neighbour, bytes(32)))
    assert "has another Merkle root" in proved.run("--headers", str(proved.headers)).stderr
    first.unlink()
    assert "of record 1 does not hold" in proved.run().stderr


def test_invented_times_of_heads_count_for_nothing(proved: Proved) -> None:
    path = proved.folder / "heads.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        line |= {"published_at": "2024-01-01T00:00:00+00:00", "dated_by": "block 1", "proof": ""}
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert "0 of\n2 live forecasts" in proved.run("--headers", str(proved.headers)).stdout


def test_verify_says_by_whose_clock(proved: Proved) -> None:
    report = verify(proved.store.tables, proved.store.registry, "BTCUSDT", sink=proved.sink)
    assert report.ok, report.line()
    assert (
        "1 of 2 live forecasts were published before their first target closed by a clock that is not the "
        "operator's (record 2: block 912,545, 14 Jan 2024); when the others were issued is the operator's "
        "own word"
    ) in report.notes


def test_lines_that_the_operator_invented_are_called_his_own_word(store, tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "heads.jsonl")
    sink.publish(store.issue([D]).head)
    path = tmp_path / "heads.jsonl"
    line = json.loads(path.read_text()) | {"published_at": "2024-01-13T00:05:00+00:00"}
    path.write_text(json.dumps(line) + "\n")
    notes = verify(store.tables, store.registry, "BTCUSDT", sink=sink).notes
    assert notes[:2] == [
        "No clock but the operator's says when live forecasts (1) were issued: that is the operator's own "
        "word",
        f"by the operator's own word, 1 of 1 live forecasts were at {path} before their first target closed",
    ]


@given(files())
def test_the_script_reads_proofs_as_the_library_does(proof: bytes) -> None:
    paths = ots.decode(proof, DIGEST)
    tags = {operation[:1] for path in paths for operation in path.operations}
    theirs = {(p.attestation.height, p.message(DIGEST)) for p in paths if p.attestation.height is not None}
    if tags <= {b"\x08", b"\xf0", b"\xf1"}:
        assert set(block_proof.blocks(proof, DIGEST)) == theirs
    else:
        with pytest.raises(ValueError, match="operation"):
            block_proof.blocks(proof, DIGEST)


HARMLESS = (
    "ten thousand operations in a row",
    "a height with bytes after it",
    "an empty argument",
    "thousands of attestations",
)
"""What the script reads although the library refuses it: it costs nothing, and no block has such a root."""


@pytest.mark.parametrize("name", [name for name in HOSTILE if name not in HARMLESS])
def test_the_script_refuses_hostile_proofs(name: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says is shown as it is
        block_proof.blocks(HOSTILE[name], DIGEST)


@pytest.mark.parametrize("name", HARMLESS)
def test_a_proof_that_is_odd_and_no_more_leads_to_one_block(name: str) -> None:
    assert len(block_proof.blocks(HOSTILE[name], DIGEST)) == 1
