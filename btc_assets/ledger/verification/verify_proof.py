"""Verify an exported proof without the software that made it, with Python's own library and no network.

    python verify_proof.py [HASH] [--headers FILE]

    HASH: a head that you saw published, which must be in the chain; no live forecast after it counts
    FILE: headers of Bitcoin blocks, to check when the chain existed: Electrum's blockchain_headers (80 bytes
          each, from block 0 on), or a line for each block, its height and 160 hex digits

Read it before you trust it, and the short files it uses: block_proof.py, track_record.py, arena_proof.py.
docs/ledger.md says what each check proves, and what none of them can.
"""

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    del sys.path[0]  # Python would look for modules in this folder first: a forger could add some

import argparse
import bisect
import datetime as dt
import functools
import gzip
import hashlib
import itertools
import json
import re
import runpy
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
DAY, APART = dt.timedelta(days=1), dt.timedelta(minutes=5)  # the second: how far two clocks may differ
EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - every time here is UTC
Record = dict[str, Any]
PARTS = ("block_proof.py", "track_record.py", "arena_proof.py")
BLOCKS, SCORES, ARENA = (runpy.run_path(str(HERE / name)) for name in PARTS)
MARGIN: dt.timedelta = BLOCKS["MARGIN"]


@functools.lru_cache(maxsize=100_000)
def instant(text: str) -> dt.datetime:
    """Read a day's midnight, or an instant, UTC."""
    return dt.datetime.fromisoformat(text.replace("Z", ""))


@functools.lru_cache(maxsize=100_000)
def days(text: str, unit: dt.timedelta = DAY) -> int:
    """Count days, or other units of time, since 1970-01-01."""
    return (instant(text) - EPOCH) // unit


MICROSECONDS = functools.partial(days, unit=dt.timedelta(microseconds=1))
DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
TIME = DATE + "T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}[.][0-9]{6}Z"
NAME, SHA256 = "[A-Za-z0-9_]{1,24}", "[0-9a-f]{64}"
NUMBER = ("d", float, "(?:0|[1-9][0-9]*)(?:[.][0-9]+)?(?:e[+-]?[0-9]+)?")
CELLS: dict[str, tuple[str, Callable[[str], Any], str]] = {
    **dict.fromkeys(("symbol", "model", "source"), ("24s", str.encode, NAME)),
    "version": ("24s", str.encode, ARENA["VERSION"]),
    **dict.fromkeys(("date", "origin_date", "target_date", "vintage"), ("q", days, DATE)),
    **dict.fromkeys(("open_time", "close_time", "issued_at", "ingested_at"), ("q", MICROSECONDS, TIME)),
    **dict.fromkeys(("horizon", "trades"), ("q", int, "0|[1-9][0-9]{0,17}")),
}
"""How a cell is packed, big-endian, from what, and its one form; every other column is a double."""
FORMS = {
    **dict.fromkeys(("issued_at", "local_clock", "source_clock"), TIME),
    **dict.fromkeys(("began", "origin_date", "vintage"), DATE),
    **dict.fromkeys(("symbol", "model"), NAME),
    **dict.fromkeys(("previous_sha256", "manifest_sha256"), SHA256),
    **dict.fromkeys(("code_version", "note"), "[^\x00-\x1f\x7f]*"),
    "kind": "genesis|live|late|back-filled",
}
"""The one form of each text in a record; its other hashes may be empty, all else is a whole number."""
VINTAGE = {"model", "vintage", "revision", "manifest_sha256"}
RECORD = {"seq", "rows", "rows_sha256", "candles_sha256", "candles_version", "features_sha256"} | {
    *(FORMS.keys() - {"model", "vintage", "manifest_sha256"}),
    *("features_version", "vintages", "settings", "supersedes"),
}
"""What every record has; of each further series it has a hash and a version more."""


def need(fine: object, what: str) -> None:
    """Stop at the first thing that is not what was recorded; its text cannot move the cursor."""
    if not fine:
        sys.exit("NOT as recorded: " + "".join(c if c.isprintable() else ascii(c)[1:-1] for c in what))


def regular(name: str, value: Any) -> bool:
    """Tell whether a field of a record, or of a vintage in it, has its one form."""
    if name == "vintages":
        whole = type(value) is list and all(type(v) is dict and set(v) == VINTAGE for v in value)
        return whole and all(regular(*field) for v in value for field in v.items())
    if name in FORMS or name.endswith("_sha256"):
        fine = type(value) is str and re.fullmatch(FORMS.get(name, f"(?:{SHA256})?"), value)
        return bool(fine and (FORMS.get(name) not in (DATE, TIME) or instant(value)))
    return type(value) is dict if name == "settings" else type(value) is int and -1 <= value < 2**63


def table(name: str, unhashed: list[str]) -> Iterator[tuple[Record, list[Any], bytes]]:
    """Yield the columns and what precedes the rows in a hash; then each row, its values and what is hashed.

    The last columns are ``unhashed``.
    """
    with gzip.open(HERE / f"{name}.csv.gz", "rt", encoding="utf-8", newline="") as file:
        columns = next(file, "").rstrip("\n").split(",")
        kept = columns[: -len(unhashed)]
        named = len(set(columns)) == len(columns) and all(re.fullmatch(NAME, c) for c in columns)
        need(named and columns == [*kept, *unhashed], f"the columns of {name}")
        codes, readers, forms = zip(*(CELLS.get(c, NUMBER) for c in columns), strict=True)
        form = re.compile(",".join(f"({one})" for one in forms) + "\n")
        packing = struct.Struct(">" + "".join(codes[: len(kept)]))
        yield dict.fromkeys(columns), [], f"{name}\n{' '.join(kept)}\n".encode()
        for number, line in enumerate(file, start=2):
            if not (found := form.fullmatch(line)):
                raise ValueError(f"{name}, line {number}: a cell too few or many, or not in its one form")
            texts = found.groups()
            values = [read(text) for read, text in zip(readers, texts, strict=True)]
            yield dict(zip(columns, texts, strict=True)), values, packing.pack(*values[: len(kept)])


def chain(symbol: str) -> tuple[list[Record], list[str], set[int]]:
    """Walk the chain: a line names the hash of the line before. Records, hashes, and what restarts took back.

    A restart takes back the records that are later than it: a clock was ahead.
    """
    records: list[Record] = []
    hashes: list[str] = ["0" * 64]
    taken: set[int] = set()
    newest: dict[str, Record] = {}
    write = functools.partial(json.dumps, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for line in (HERE / "records.jsonl").read_bytes().splitlines(keepends=True):
        r = json.loads(line)
        same = write(r, allow_nan=False).encode() + b"\n"
        fine = same == line and type(r) is dict and set(r) >= RECORD and all(map(regular, r, r.values()))
        more = {f.rpartition("_")[0] for f in r if f not in RECORD} if fine else set()
        fine = fine and set(r) == RECORD | {f"{m}_{end}" for m in more for end in ("sha256", "version")}
        need(fine, f"record {len(records)} is not in its one regular form")
        for what, well in faults(r, records, newest):
            need(well, f"record {r['seq']}, origin {r['origin_date']}: {what}")
        need(r["seq"] == len(records) and r["symbol"] == symbol, f"record {len(records)}: its place")
        need(r["previous_sha256"] == hashes[-1], f"record {r['seq']}: the hash of the record before it")
        if r["kind"] == "genesis":
            taken |= {b["seq"] for b in records if b["issued_at"] > r["issued_at"]}
        else:
            newest[r["origin_date"]] = newest[""] = r
        records.append(r)
        hashes.append(hashlib.sha256(line).hexdigest())
    need(records, "there is no record")
    now = dt.datetime.now(dt.timezone.utc).replace(tzinfo=None) + APART  # noqa: UP017
    ahead = [r["seq"] for r in records if instant(r["issued_at"]) > now and r["seq"] not in taken]
    need(not ahead, f"record {ahead[:1]} is from the future")
    return records, hashes[1:], taken


def faults(r: Record, records: list[Record], newest: dict[str, Record]) -> Iterator[tuple[str, object]]:
    """Yield what must hold of a record after those before it; times and kinds follow from the clocks."""
    at, origin, last = instant(r["issued_at"]), instant(r["origin_date"]), records[-1] if records else r
    clocks = sorted([instant(r["local_clock"]), instant(r["source_clock"])])
    began = records[0]["issued_at"] if records else r["issued_at"]
    yield "the day its chain began", r["began"] == began[:10]
    yield "issued at another time than its clocks say", clocks[1] <= at <= clocks[1] + APART
    if r["kind"] == "genesis":
        yield "it begins the chain anew, but is not earlier", last is r or last["issued_at"] > r["issued_at"]
        yield "a forecast in a genesis record", not (r["rows"] or r["vintages"] or r["rows_sha256"])
        return
    yield "the beginning of the chain was removed", records
    yield "issued before the record before it", r["issued_at"] >= last["issued_at"]
    yield "issued before its origin was over", at >= origin + DAY
    yield "it vouches for no rows", r["rows"] > 0
    hours, before = r["settings"].get("live_hours", 24), newest.get("", r)
    stated = "live_hours" in r["settings"] or "live_hours" not in before["settings"]
    yield "how many hours after the close count as live", type(hours) is int and 0 < hours <= 24 and stated
    soon = "live" if at < origin + DAY + hours * DAY / 24 else "late"
    yield "live, late or back-filled", r["kind"] == (soon if at < origin + 2 * DAY else "back-filled")
    yield "its clocks disagree", clocks[1] - clocks[0] <= APART or clocks[0] >= origin + 2 * DAY
    models = [v["model"] for v in r["vintages"]]
    yield "its models", models == sorted(set(models)) and all(v["revision"] >= 0 for v in r["vintages"])
    yield "a model of its future", all(v["vintage"] <= r["origin_date"] for v in r["vintages"])
    whole = models and all(r[f] for f in r if f.endswith("_sha256")) and set(r) >= set(before) | {*RECORD}
    adopted = not models and not r["candles_sha256"] and not r["features_sha256"]
    yield "no inputs or models", whole or (adopted and r["issued_at"] == began)
    replaced = newest.get(r["origin_date"], {"kind": "none", "seq": -1})
    yield "what it replaces", r["supersedes"] == replaced["seq"] and replaced["kind"] not in ("live", "late")


def inputs(records: list[Record], name: str, field: str, order: list[str], limit: int) -> dict[int, float]:
    """Replay what was known when: the rows up to each origin, as they were then, are those it read.

    ``order`` names the columns that tell rows apart, the date first. Returns the closes, by days since 1970,
    that the record of the newest origin up to ``limit`` vouches for.
    """
    usual = order == ["date"] or (order == ["date", "open_time"] and field != "candles_sha256")
    need(re.fullmatch(NAME, name) and usual, "bundle.json: the name or order of a series")
    (_, _, start), *rows = table(name, ["source", "ingested_at"])
    places = [(*(r[c] for c in order), r["ingested_at"]) for r, _, _ in rows]
    need(all(a < b for a, b in itertools.pairwise(places)), f"the order of {name}")
    need({r["symbol"] for r, _, _ in rows} <= {records[0]["symbol"]}, f"the symbol in {name}")
    early = [day for day, *_, at in places if instant(at) < instant(day) + DAY - APART]
    need(not early, f"{name}: a row of {early[:1]} was stored before its day was over")
    arrivals = sorted(range(len(rows)), key=lambda n: places[n][-1], reverse=True)
    known: dict[tuple[str, ...], int] = {}
    hashes = [hashlib.sha256(start)]  # of what is known of the first 0, 1, 2, ... rows
    origins = [(r["origin_date"], r["seq"]) for r in records]
    last, restated = max(origins)[0], 0
    _, sure = max((origin for origin in origins if origin[1] <= limit), default=("", -1))
    closes: dict[int, float] = {}
    for record in sorted(records, key=lambda r: str(r["issued_at"])):
        while arrivals and places[arrivals[-1]][-1] <= record["issued_at"]:
            n = arrivals.pop()
            old = known.get(places[n][:-1], n)
            restated += rows[old][0].get("close") != rows[n][0].get("close")
            known[places[n][:-1]] = n
            del hashes[old + 1 :]
        if record.get(field):
            end = bisect.bisect_right(places, record["origin_date"], key=lambda place: place[0])
            for n in range(len(hashes) - 1, end):
                hashes.append(hashes[n].copy())
                hashes[-1].update(rows[n][2] if known.get(places[n][:-1]) == n else b"")
            found = hashes[end].hexdigest()
            need(found == record[field], f"record {record['seq']}: {name} known then hash to {found}")
            if record["seq"] == sure:
                seen = [rows[n][0] for n in known.values() if n < end]
                closes = {days(r["date"]): float(r["close"]) for r in seen if "close" in r}
    later = sum(places[n][0] <= last for n in arrivals)
    if later:
        print(f"Not checked: {later} rows of {name} that no record here vouches for; they count for nothing")
    if restated:
        print(f"{name}: {restated} closes were restated after a day was stored; compare with the exchange")
    return closes


def forecasts(newest: dict[str, Record]) -> Iterator[tuple[Record, list[float]]]:
    """Hash each origin's rows: they must be what its newest record says, issued when it says."""
    rows = table("forecasts", ["issued_at"])
    columns, _, start = next(rows)
    prices = [n for n, name in enumerate(columns) if name[0] == "q"]
    running = {origin: hashlib.sha256(start) for origin in newest}
    counts = dict.fromkeys(newest, 0)
    cutoffs = {o: {v["model"]: v["vintage"] for v in r["vintages"]} for o, r in newest.items()}
    due = {o: c and {"ensemble": min(c.values()), **c} for o, c in cutoffs.items()}
    before: tuple[Any, ...] = ()
    for row, values, cells in rows:
        origin, quantiles = row["origin_date"], [values[n] for n in prices]
        need(origin in newest, f"forecasts of origin {origin} have no record")
        record, place = newest[origin], (origin, row["model"], int(row["horizon"]))
        fine = (
            (row["symbol"], row["issued_at"]) == (record["symbol"], record["issued_at"])
            and (before < place and (not due[origin] or due[origin].get(row["model"]) == row["vintage"]))
            and SCORES["possible"](days(row["target_date"]) - days(origin), place[2], quantiles)
        )
        if not fine:
            need(None, f"record {record['seq']}, origin {origin}: a row that contradicts it: {place[1:]}")
        running[origin].update(cells)
        counts[origin], before = counts[origin] + 1, place
        yield row, quantiles
    for origin, r in newest.items():
        well = (running[origin].hexdigest(), counts[origin]) == (r["rows_sha256"], r["rows"])
        need(well, f"record {r['seq']}, origin {origin}: its {counts[origin]} rows are not those it says")


def models(records: list[Record]) -> int:
    """Check that manifests hash to what the record says, and files that are here to what manifests say."""
    used: dict[tuple[Path, str], tuple[int, str]] = {}
    for r in records:
        for v in r["vintages"]:
            name = v["vintage"] + (f"-r{v['revision']}" if v["revision"] else "")
            folder = HERE / "models" / v["model"] / name
            used.setdefault((folder, v["manifest_sha256"]), (r["seq"], v["vintage"]))
    for (folder, said), (seq, cutoff) in used.items():
        content = (folder / "manifest.json").read_bytes()
        need(hashlib.sha256(content).hexdigest() == said, f"record {seq}: {folder}: the manifest")
        manifest = json.loads(content)
        need(manifest.get("cutoff") == cutoff, f"record {seq}: {folder}: the cutoff in the manifest")
        for file, expected in manifest["files"].items():
            if (folder / file).exists():
                found = hashlib.sha256((folder / file).read_bytes()).hexdigest()
                need(found == expected, f"record {seq}: {folder / file}")
    return len(used)


def verify(known: str, headers: bytes) -> None:
    """Check everything, the chain first; the verdict comes last."""
    bundle = json.loads((HERE / "bundle.json").read_text())
    first, end = bundle["from"], bundle["to"]
    need(re.fullmatch(f"{DATE} {DATE}", f"{first} {end}"), "bundle.json: the range of origins")
    records, hashes, taken = chain(bundle["symbol"])
    issued = [r for r in records if r["kind"] != "genesis"]
    inside = [r for r in issued if first <= r["origin_date"] < end]
    need(inside, f"no forecast of an origin from {first} to {end} is in the chain")
    competing = ARENA["check"](HERE, bundle, headers, known, globals())
    need(known in ("", *hashes, *competing), f"{known} is not in the chain")
    known = "" if known in competing else known
    dated: dict[int, dt.datetime] = BLOCKS["times"](HERE, bundle["symbol"], hashes, headers)
    limit = hashes.index(known) if known in hashes else len(records)
    BLOCKS["bounds"](records, dated, {limit} & {*range(len(records))})
    closes = series(bundle["series"], inside, limit)
    newest = {r["origin_date"]: r for r in inside}
    live = [r for r in newest.values() if r["kind"] == "live" and r["seq"] not in taken]
    counted = {r["origin_date"] for r in live if r["seq"] <= limit}
    record = SCORES["TrackRecord"](closes)
    for rows, (row, quantiles) in enumerate(forecasts(newest), start=1):  # noqa: B007
        late = newest[row["origin_date"]]["seq"] > limit
        shown = () if late else ("all", "live") if row["origin_date"] in counted else ("all",)
        record.add(row["model"], days(row["origin_date"]), int(row["horizon"]), quantiles, shown)
    vintages = models(inside)
    print(*record.lines(), *SCORES["caveats"](records, newest, closes, known, limit), sep="\n")
    late = [r["kind"] for r in newest.values()].count("late")
    of, hours = len({r["origin_date"] for r in issued}), {r["settings"].get("live_hours", 24) for r in live}
    part = f" in a PART, {of - len(newest):,} more origins are recorded" if of > len(newest) else ""
    verdict = (
        f"All is well{part}: {len(records):,} records of {bundle['symbol']} since {records[0]['began']}; "
        f"origins {min(newest)} to {max(newest)} ({len(newest):,} of {of:,}), {len(live):,} of "
        f"{len(newest):,} live, {late:,} late, {rows:,} rows, {vintages:,} vintages; "
        f"head {hashes[-1]} of {records[-1]['issued_at']}"
    )
    print(verdict, f"Live is within {max(hours, default=24)} hours after the close, or fewer", sep="\n")
    print(
        f"{len(counted):,} of {len(live):,} live forecasts lie before {known or 'that head'}; no other counts"
    )
    soon = sum(BLOCKS["in_time"](r["seq"], instant(r["origin_date"]) + 2 * DAY, dated) for r in live)
    print(f"In a Bitcoin block before their first target closed: {soon:,} of")
    print(f"{len(live):,} live forecasts; when the others were issued is the operator's own word")


def series(said: dict[str, Any], inside: list[Record], limit: int) -> dict[int, float]:
    """Check every series that records have a hash of; returns the closes of the daily candles."""
    unseen = {f for r in inside for f in r if f.endswith("_sha256") and r[f]}
    closes = {s["field"]: inputs(inside, name, s["field"], s["order"], limit) for name, s in said.items()}
    unseen -= {"rows_sha256", "features_sha256", "previous_sha256", *closes}
    need(not unseen, f"records have {sorted(unseen)}, but the bundle names no table for it")
    return closes.get("candles_sha256", {})


def main() -> None:
    """Read the command line; whatever cannot be read is not as recorded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("hash", nargs="?", default="")
    parser.add_argument("--headers", type=Path)
    arguments = parser.parse_args()
    try:
        verify(arguments.hash, arguments.headers.read_bytes() if arguments.headers else b"")
    except Exception as error:  # whatever it is: nothing has been verified then
        need(None, f"{error} ({type(error).__name__})")


if __name__ == "__main__":
    main()
