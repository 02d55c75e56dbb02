"""Verify an exported proof without the software that made it: one file, Python's own library, no network.

    python verify_proof.py [HASH]      HASH: a head that you saw published, which must be in the chain

Read it before you trust it. docs/ledger.md says what each check proves, and what none of them can.
"""

import csv
import datetime as dt
import functools
import gzip
import hashlib
import json
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
    """A day's midnight, or an instant, UTC."""
    return dt.datetime.fromisoformat(text.replace("Z", ""))


def days(text: str) -> int:
    """Days since 1970-01-01."""
    return (instant(text) - EPOCH).days


def microseconds(text: str) -> int:
    """Microseconds since 1970-01-01."""
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
    """Nothing and what precedes the rows in a hash; then each row and what is hashed of it.

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
    """Each manifest hashes to what the record says, and the files that are here to what the manifest says."""
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


def main() -> None:
    """Check everything, the chain first."""
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
    for line in (HERE / "heads.jsonl").read_text().splitlines():
        head = json.loads(line)
        if head["record_sha256"] not in hashes[head["seq"] : head["seq"] + 1]:
            sys.exit(f"NOT as recorded: published, but not in its place in the chain: {line}")
    if not set(sys.argv[1:]) <= set(hashes):
        sys.exit(f"NOT as recorded: {sys.argv[1]} is not in the chain")
    live = sum(r["kind"] == "live" for r in inside)
    print(f"All is well: {len(records):,} records, {live:,} of {len(inside):,} live, {rows:,} rows,", end=" ")
    print(f"{vintages:,} vintages; head {hashes[-1]} of {records[-1]['issued_at']}")


if __name__ == "__main__":
    main()
