"""Check the arena's chain in a proof with Python alone: ``verify_proof.py`` uses it, and lends its tools."""

import contextlib
import datetime as dt
import hashlib
import io
import json
import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

Record = dict[str, Any]
Tools = dict[str, Any]
Key = tuple[str, str, str]
"""Origin, model and version."""

FIELDS = {
    *("symbol", "began", "seq", "kind", "origin_date", "issued_at", "local_clock", "source_clock"),
    *("live_hours", "entrants", "inputs", "note", "previous_sha256"),
}
ENTRANT = {"model", "version", "rows_sha256"}
VERSION = "[A-Za-z0-9.+_-]{1,24}"


def check(folder: Path, bundle: Record, headers: bytes, known: str, tools: Tools) -> list[str]:
    """Check everything of the arena; returns the hashes of its records, none where nobody competed.

    Args:
        folder: the proof.
        bundle: what ``bundle.json`` says.
        headers: of Bitcoin blocks.
        known: the head that the reader knows, "" if none.
        tools: the functions of ``verify_proof.py``, which stop at whatever is not as recorded.
    """
    if not (folder / "arena_records.jsonl").exists():
        return []
    symbol, first, end = bundle["symbol"], bundle["from"], bundle["to"]
    records, hashes = chain(folder, symbol, bundle["series"].keys(), tools)
    inside = [r for r in records if first <= r["origin_date"] < end]
    for name, one in bundle["series"].items():
        said = [r | {one["field"]: r["inputs"].get(name, "")} for r in inside]
        if any(r[one["field"]] for r in said):
            with contextlib.redirect_stdout(io.StringIO()):  # the main chain has said it
                tools["inputs"](said, name, one["field"], one["order"], -1)
    rows = forecasts(vouched(inside), tools)
    dated = tools["BLOCKS"]["times"](folder / "arena", f"{symbol}-arena", hashes, headers)
    late = [
        seq for seq, at in dated.items() if instant(records[seq], "issued_at", tools) > at + tools["MARGIN"]
    ]
    tools["need"](not late, f"the arena's record {late[:1]} is later than its block")
    print(
        f"The arena: {len(records):,} records, {rows:,} rows of origins {first} to {end}; head {hashes[-1]}"
    )
    if known in hashes:
        print(f"{known} is of the arena's chain: it vouches for no other forecast")
    return hashes


def chain(folder: Path, symbol: str, series: Collection[str], tools: Tools) -> tuple[list[Record], list[str]]:
    """Walk the chain: a line names the hash of the line before, and what was issued in time stays.

    ``series``: those that the proof has; no record may say that it read another.
    """
    need: Callable[[object, str], None] = tools["need"]
    records: list[Record] = []
    hashes = ["0" * 64]
    issued: dict[Key, tuple[str, str]] = {}
    for line in (folder / "arena_records.jsonl").read_bytes().splitlines(keepends=True):
        r, where = json.loads(line), f"the arena's record {len(records)}"
        form = json.dumps(r, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        need(form.encode() + b"\n" == line and regular(r, tools), f"{where} is not in its one regular form")
        need(r["seq"] == len(records) and r["symbol"] == symbol, f"{where}: its place")
        need(r["previous_sha256"] == hashes[-1], f"{where}: the hash of the record before it")
        for what, well in faults(r, records, tools):
            need(well, f"{where}, origin {r['origin_date']}: {what}")
        there = "raw_klines" in r["inputs"] and r["inputs"].keys() <= set(series)
        need(there, f"{where}, origin {r['origin_date']}: no candles that it was computed from")
        for key, sha in said_by(r):
            kind, before = issued.setdefault(key, (r["kind"], sha))
            need(kind == "back-filled" or before == sha, f"{where}: {key[1]} was issued in time, and stays")
        records.append(r)
        hashes.append(hashlib.sha256(line).hexdigest())
    need(records, "the arena's chain is empty")
    return records, hashes[1:]


def regular(r: Any, tools: Tools) -> bool:
    """Tell whether a record has its fields alone, each in its one form."""
    if type(r) is not dict or set(r) != FIELDS or type(r["entrants"]) is not list:
        return False
    texts = [r[name] for name in FIELDS - {"seq", "live_hours", "entrants", "inputs"}]
    fine = all(type(text) is str for text in texts) and type(r["seq"]) is type(r["live_hours"]) is int
    fine = fine and all(
        tools["regular"](name, r[name]) for name in FIELDS - {"live_hours", "entrants", "inputs"}
    )
    sha = f"{tools['SHA256']}"
    fine = fine and type(r["inputs"]) is dict and all(re.fullmatch(sha, str(v)) for v in r["inputs"].values())
    return bool(fine and r["entrants"] and r["inputs"] and all(entrant(e, tools) for e in r["entrants"]))


def entrant(said: Any, tools: Tools) -> bool:
    """Tell whether a record says regularly who forecast, which version, and the hash of its rows."""
    forms = {"model": tools["NAME"], "version": VERSION, "rows_sha256": tools["SHA256"]}
    return (
        type(said) is dict
        and set(said) == ENTRANT
        and all(type(said[name]) is str and re.fullmatch(form, said[name]) for name, form in forms.items())
    )


def faults(r: Record, records: list[Record], tools: Tools) -> Iterator[tuple[str, object]]:
    """Yield what must hold of a record after those before it; its kind follows from its clocks."""
    at, origin = instant(r, "issued_at", tools), instant(r, "origin_date", tools)
    day, apart = dt.timedelta(days=1), tools["APART"]
    latest = max(instant(r, "local_clock", tools), instant(r, "source_clock", tools))
    now = dt.datetime.now(dt.timezone.utc).replace(tzinfo=None)  # noqa: UP017
    yield "the day its chain began", r["began"] == (records[0]["began"] if records else r["issued_at"][:10])
    yield "issued at another time than its clocks say", latest <= at <= latest + apart
    yield "it is from the future", at <= now + apart
    yield "issued before the record before it", not records or r["issued_at"] >= records[-1]["issued_at"]
    yield "issued before its origin was over", at >= origin + day
    yield "how many hours after the close count as live", 0 < r["live_hours"] <= 24
    soon = "live" if at < origin + day + r["live_hours"] * day / 24 else "late"
    yield "live, late or back-filled", r["kind"] == (soon if at < origin + 2 * day else "back-filled")


def said_by(r: Record) -> Iterator[tuple[Key, str]]:
    """Yield each forecast that a record vouches for, with the hash of its rows."""
    for one in r["entrants"]:
        yield (r["origin_date"], one["model"], one["version"]), one["rows_sha256"]


def vouched(records: list[Record]) -> dict[Key, tuple[Record, str]]:
    """Return by forecast the newest record that vouches for it, and the hash."""
    return {key: (r, sha) for r in records for key, sha in said_by(r)}


def forecasts(said: dict[Key, tuple[Record, str]], tools: Tools) -> int:
    """Hash each forecast's rows: they must be what its record says, issued when it says. Counts rows."""
    need: Callable[[object, str], None] = tools["need"]
    rows = tools["table"]("arena_forecasts", ["issued_at"])
    columns, _, start = next(rows)
    prices = [n for n, name in enumerate(columns) if name[0] == "q"]
    running = {key: hashlib.sha256(start) for key in said}
    count, before = 0, ("", "", "", 0)
    for row, values, cells in rows:
        key = (row["origin_date"], row["model"], row["version"])
        place = (*key, int(row["horizon"]))
        need(key in said and before < place, f"rows of {key} in the arena: without a record, or out of order")
        r = said[key][0]
        same = (row["symbol"], row["issued_at"]) == (r["symbol"], r["issued_at"])
        need(same, f"rows of {key} in the arena: of which pair, or when they were issued")
        ahead = tools["days"](row["target_date"]) - tools["days"](row["origin_date"])
        fine = tools["SCORES"]["possible"](ahead, place[3], [values[n] for n in prices])
        need(fine, f"the arena's record {r['seq']}, origin {key[0]}: a row that can be no forecast: {place}")
        running[key].update(cells)
        count, before = count + 1, place
    for key, (r, sha) in said.items():
        need(running[key].hexdigest() == sha, f"the arena's record {r['seq']}: the rows of {key}")
    return count


def instant(r: Record, name: str, tools: Tools) -> dt.datetime:
    """Read a time or a day of a record, UTC."""
    found: dt.datetime = tools["instant"](r[name])
    return found
