"""Verify an exported proof without the software that made it: one file, Python's own library, no network.

    python verify_proof.py [HASH] [--headers FILE]

    HASH: a head that you saw published, which must be in the chain
    FILE: headers of Bitcoin blocks, to check when the chain existed: Electrum's blockchain_headers (80 bytes
          each, from block 0 on), or a line for each block, its height and 160 hex digits

Read it before you trust it. docs/ledger.md says what each check proves, and what none of them can.
"""

import argparse
import csv
import datetime as dt
import functools
import gzip
import hashlib
import io
import json
import re
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
DAY = dt.timedelta(days=1)
EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - every time here is UTC
Record = dict[str, Any]


@functools.lru_cache(maxsize=100_000)
def instant(text: str) -> dt.datetime:
    """Return a day's midnight, or an instant, UTC."""
    return dt.datetime.fromisoformat(text.replace("Z", ""))


def days(text: str) -> int:
    """Count the days since 1970-01-01."""
    return (instant(text) - EPOCH).days


def microseconds(text: str) -> int:
    """Count the microseconds since 1970-01-01."""
    return (instant(text) - EPOCH) // dt.timedelta(microseconds=1)


CELLS: dict[str, tuple[str, Callable[[str], Any]]] = {
    **dict.fromkeys(("symbol", "model"), ("24s", str.encode)),
    **dict.fromkeys(("date", "origin_date", "target_date", "vintage"), ("q", days)),
    **dict.fromkeys(("open_time", "close_time"), ("q", microseconds)),
    **dict.fromkeys(("horizon", "trades"), ("q", int)),
}
"""How a cell is packed, big-endian, and from what; every other column is an IEEE-754 double."""


FIRST_SERIES: dict[str, Record] = {
    "raw_klines": {"field": "candles_sha256", "order": ["date"]},
    "raw_klines_4h": {"field": "bars_sha256", "order": ["date", "open_time"]},
}
"""The series of a bundle that does not say which it holds, as those of 0.2.0."""

NO_SERIES = {"rows_sha256", "features_sha256", "previous_sha256"}
"""A record's hashes of other things than a series."""


def table(name: str, unhashed: int) -> Iterator[tuple[Record, bytes]]:
    """Yield nothing and what precedes the rows in a hash; then each row and what is hashed of it.

    The last ``unhashed`` columns are in no hash.
    """
    with gzip.open(HERE / f"{name}.csv.gz", "rt", newline="") as file:
        lines = csv.reader(file)
        columns = next(lines)
        kept = columns[:-unhashed]
        packing = struct.Struct(">" + "".join(CELLS.get(c, ("d", float))[0] for c in kept))
        readers = [CELLS.get(c, ("d", float))[1] for c in kept]
        yield {}, f"{name}\n{' '.join(kept)}\n".encode()
        for line in lines:
            cells = packing.pack(*[read(text) for read, text in zip(readers, line)])  # noqa: B905
            yield dict(zip(columns, line)), cells  # noqa: B905 - this also runs on Python 3.9


def check(record: Record, what: str, fine: bool) -> None:
    """Stop at the first thing that is not what was recorded."""
    if not fine:
        sys.exit(f"NOT as recorded: record {record['seq']}, origin {record['origin_date']}: {what}")


def chain() -> tuple[list[Record], list[str]]:
    """Walk the chain: a line names the hash of the line before; times and kinds follow from the clocks."""
    records: list[Record] = []
    hashes: list[str] = ["0" * 64]
    newest: dict[str, Record] = {}
    for line in (HERE / "records.jsonl").read_bytes().splitlines(keepends=True):
        r = json.loads(line)
        check(r, "its place in the chain", r["seq"] == len(records))
        check(r, "the hash of the record before it", r["previous_sha256"] == hashes[-1])
        if r["kind"] != "genesis":
            at, origin = instant(r["issued_at"]), instant(r["origin_date"])
            check(r, "issued before the record before it", r["issued_at"] >= records[-1]["issued_at"])
            check(r, "issued before its clocks", r["issued_at"] >= max(r["local_clock"], r["source_clock"]))
            check(r, "issued before its origin was over", at >= origin + DAY)
            check(r, "live or back-filled", (r["kind"] == "live") == (at < origin + 2 * DAY))
            check(r, "a model of its future", all(v["vintage"] <= r["origin_date"] for v in r["vintages"]))
            before = newest.get(r["origin_date"], {"kind": "none", "seq": -1})
            check(r, "what it replaces", r["supersedes"] == before["seq"] and before["kind"] != "live")
            newest[r["origin_date"]] = r
        records.append(r)
        hashes.append(hashlib.sha256(line).hexdigest())
    return records, hashes[1:]


def forecasts(newest: dict[str, Record]) -> int:
    """Hash each origin's rows: they must be what its newest record says, issued when it says."""
    rows, count = table("forecasts", 1), 0
    _, start = next(rows)
    running = {origin: hashlib.sha256(start) for origin in newest}
    for row, cells in rows:
        origin = row["origin_date"]
        if origin not in newest:
            sys.exit(f"NOT as recorded: forecasts of origin {origin} have no record")
        check(newest[origin], "the time in its rows", row["issued_at"] == newest[origin]["issued_at"])
        running[origin].update(cells)
        count += 1
    for origin, record in newest.items():
        found = running[origin].hexdigest()
        check(record, f"its rows hash to {found}", found == record["rows_sha256"])
    return count


def inputs(records: list[Record], name: str, field: str, order: list[str]) -> None:
    """Replay what was known when: the rows up to each origin, as they were then, are those it read.

    ``order`` names the columns that tell the rows of a table apart, the date first.
    """
    (_, start), *rows = table(name, 2)
    arrivals = sorted(((r["ingested_at"], [r[c] for c in order], cells) for r, cells in rows), reverse=True)
    known: dict[tuple[str, ...], bytes] = {}
    for record in sorted(records, key=lambda r: str(r["issued_at"])):
        while arrivals and arrivals[-1][0] <= record["issued_at"]:
            _, place, cells = arrivals.pop()
            known[tuple(place)] = cells
        if record.get(field):
            seen = b"".join(known[at] for at in sorted(known) if at[0] <= record["origin_date"])
            found = hashlib.sha256(start + seen).hexdigest()
            check(record, f"{name} known then hash to {found}", found == record[field])


def models(records: list[Record]) -> int:
    """Check that manifests hash to what the record says, and files that are here to what manifests say."""
    used: dict[tuple[Path, str], Record] = {}
    for record in records:
        for v in record["vintages"]:
            name = v["vintage"] + (f"-r{v['revision']}" if v["revision"] else "")
            used.setdefault((HERE / "models" / v["model"] / name, v["manifest_sha256"]), record)
    for (folder, said), record in used.items():
        manifest = (folder / "manifest.json").read_bytes()
        check(record, f"{folder}: the manifest", hashlib.sha256(manifest).hexdigest() == said)
        for file, expected in json.loads(manifest)["files"].items():
            if (folder / file).exists():
                found = hashlib.sha256((folder / file).read_bytes()).hexdigest()
                check(record, f"{folder / file}", found == expected)
    return len(used)


OTS = b"\x00OpenTimestamps\x00\x00Proof\x00\xbf\x89\xe2\xe8\x84\xe8\x92\x94\x01\x08"
BLOCK = bytes.fromhex("0588960d73d71901")
LEAST_WORK = 2**76  # hashes that a block must have cost; those since the summer of 2021 cost more
MARGIN = dt.timedelta(hours=2)  # how far the time in a block can be off


def blocks(proof: bytes, digest: bytes) -> list[tuple[int, bytes]]:
    """Bitcoin blocks that an OpenTimestamps proof of ``digest`` leads to: height, and what its root must be.

    The proof is a tree: 0x08, 0xf0 and 0xf1 hash, append or prepend to a message, 0x00 is a leaf that says
    what the message is, and 0xff that a further branch from the same message follows after this one.
    """
    rest = io.BytesIO(proof)

    def take(count: int) -> bytes:
        part = rest.read(count)
        if len(part) != count:
            raise ValueError("it breaks off")
        return part

    def sized() -> bytes:
        low = take(1)[0]
        return take(low if low < 128 else low - 128 + 128 * take(1)[0])

    if len(proof) > 2**16 or take(len(OTS) + 32) != OTS + digest:
        raise ValueError("it is too long, or of something else")
    found: list[tuple[int, bytes]] = []
    forks: list[bytes] = [b""]
    message = digest
    while forks:
        tag = take(1)
        if tag == b"\xff":
            forks.append(message)
            tag = take(1)
        if tag == b"\x00":
            kind, said = take(8), sized()
            if kind == BLOCK:
                found.append((sum((byte & 127) << 7 * n for n, byte in enumerate(said[:5])), message))
            message = forks.pop()
        elif tag == b"\x08":
            message = hashlib.sha256(message).digest()
        elif tag in (b"\xf0", b"\xf1"):
            message = message + sized() if tag == b"\xf0" else sized() + message
        else:
            raise ValueError(f"it has an operation 0x{tag.hex()}, which no Bitcoin calendar uses")
        if len(message) > 4096 or len(forks) > 100:
            raise ValueError("it is larger than a proof has to be")
    if rest.read():
        raise ValueError("it goes on after its end")
    return found


def block_time(headers: bytes, height: int, root: bytes) -> tuple[dt.datetime, str]:
    """Time and hash of the block at ``height``; its header must have this Merkle root, and have cost work."""
    text = headers if headers[:1].isdigit() else b""
    line = re.search(rb"(?m)^%d ([0-9a-f]{160})$" % height, text)
    header = bytes.fromhex(line[1].decode()) if line else headers[80 * height : 80 * height + 80]
    if len(header) != 80 or not any(header):
        raise LookupError(f"block {height:,} is not among the headers")
    target = int.from_bytes(header[72:75], "little") << max(0, 8 * (header[75] - 3))
    digest = hashlib.sha256(hashlib.sha256(header).digest()).digest()[::-1]
    if header[36:68] != root or int.from_bytes(digest, "big") > target or target > 2**256 // LEAST_WORK:
        raise ValueError(f"block {height:,} has another Merkle root, or nobody mined it")
    return EPOCH + dt.timedelta(seconds=int.from_bytes(header[68:72], "little")), digest.hex()


def times(hashes: list[str], headers: bytes) -> dict[int, dt.datetime]:
    """Find every published head in its place; by place, when the earliest block that has it was mined."""
    dated: dict[int, tuple[dt.datetime, str]] = {}
    unchecked: list[str] = []
    for line in (HERE / "heads.jsonl").read_text().splitlines():
        head = json.loads(line)
        seq, sha = head["seq"], head["record_sha256"]
        if type(seq) is not int or seq < 0 or sha not in hashes[seq : seq + 1]:
            sys.exit(f"NOT as recorded: published, but not in its place in the chain: {line}")
        if head["proof"] == "tsa":
            unchecked.append(f"record {seq} has a time stamp; docs/ledger.md says how openssl checks it")
        try:
            proof = (HERE / "heads" / f"{seq:09d}-{sha}.ots").read_bytes() if head["proof"] == "ots" else b""
            for height, root in blocks(proof, bytes.fromhex(sha)) if proof else []:
                at, block = block_time(headers, height, root)
                said = f"record {seq}, in block {height:,} of {at} UTC; compare the block's hash: {block}"
                dated[seq] = min((at, said), dated.get(seq, (at, said)))
        except LookupError as error:
            unchecked.append(f"the proof of record {seq}: {error}")
        except (ValueError, OSError) as error:
            sys.exit(f"NOT as recorded: the proof of record {seq} does not hold: {error}")
    if dated:
        print(f"Heads in Bitcoin blocks: {len(dated):,}, the newest {dated[max(dated)][1]}")
    if unchecked:
        print(f"Proofs of time not checked: {len(unchecked):,}, the last: {unchecked[-1]}")
    return {seq: at for seq, (at, _) in dated.items()}


def in_time(record: Record, dated: dict[int, dt.datetime]) -> bool:
    """Return whether the record lies before a head that was in a block before its first target closed."""
    deadline = instant(record["origin_date"]) + 2 * DAY - MARGIN
    return any(seq >= record["seq"] and at < deadline for seq, at in dated.items())


def main() -> None:
    """Check everything, the chain first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("hash", nargs="?", default="")
    parser.add_argument("--headers", default="")
    arguments = parser.parse_args()
    bundle = json.loads((HERE / "bundle.json").read_text())
    records, hashes = chain()
    inside = [
        r for r in records if bundle["from"] <= r["origin_date"] < bundle["to"] and r["kind"] != "genesis"
    ]
    rows = forecasts({r["origin_date"]: r for r in inside})
    unseen = {f for r in inside for f in r if f.endswith("_sha256") and r[f]} - NO_SERIES
    for name, said in bundle.get("series", FIRST_SERIES).items():
        inputs(inside, name, said["field"], said["order"])
        unseen.discard(said["field"])
    if unseen:
        sys.exit(f"NOT as recorded: records have {sorted(unseen)}, but the bundle names no table for it")
    vintages = models(inside)
    dated = times(hashes, Path(arguments.headers).read_bytes() if arguments.headers else b"")
    if arguments.hash not in ("", *hashes):
        sys.exit(f"NOT as recorded: {arguments.hash} is not in the chain")
    live = [r for r in inside if r["kind"] == "live"]
    print(f"All is well: {len(records):,} records, {len(live):,} of {len(inside):,} live,", end=" ")
    print(f"{rows:,} rows, {vintages:,} vintages; head {hashes[-1]} of {records[-1]['issued_at']}")
    print(f"In a Bitcoin block before their first target closed: {sum(in_time(r, dated) for r in live):,} of")
    print(f"{len(live):,} live forecasts; when the others were issued is the operator's own word")


if __name__ == "__main__":
    main()
