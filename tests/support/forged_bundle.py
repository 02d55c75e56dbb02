"""A proof bundle in the hands of a dishonest operator: every file can be read, changed and chained anew."""

from __future__ import annotations

import copy
import gzip
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Row = list[str]
Record = dict[str, Any]


class Bundle:
    """The files of one proof folder as plain values."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def verified(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the script as a sceptic does: isolated from this project and every installed package."""
        command = [sys.executable, "-I", "-S", str(self.folder / "verify_proof.py"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=self.folder, check=False)

    def records(self) -> list[Record]:
        """The chain."""
        return [json.loads(line) for line in (self.folder / "records.jsonl").read_text().splitlines()]

    def write_records(self, records: list[Record], *, rechain: bool = True) -> None:
        """Replace the chain; its places and links are made good."""
        previous, lines = "0" * 64, []
        for seq, record in enumerate(records):
            if rechain:
                record |= {"seq": seq, "previous_sha256": previous}
            lines.append(line_of(record))
            previous = hashlib.sha256(lines[-1]).hexdigest()
        (self.folder / "records.jsonl").write_bytes(b"".join(lines))

    def head(self) -> str:
        """The hash of the newest record."""
        lines = (self.folder / "records.jsonl").read_bytes().splitlines(keepends=True)
        return hashlib.sha256(lines[-1]).hexdigest()

    def change(self, place: int, **values: object) -> None:
        """Change fields of one record and chain the rest anew."""
        records = self.records()
        records[place] |= values
        self.write_records(records)

    def table(self, name: str) -> list[Row]:
        """The rows of a table, its header first."""
        text = gzip.decompress((self.folder / f"{name}.csv.gz").read_bytes()).decode()
        return [line.split(",") for line in text.splitlines()]

    def write_table(self, name: str, rows: list[Row]) -> None:
        """Replace a table."""
        text = "".join(",".join(row) + "\n" for row in rows)
        (self.folder / f"{name}.csv.gz").write_bytes(gzip.compress(text.encode()))

    def rewrite(self, name: str, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
        """Replace each row of a table by what ``change`` makes of it."""
        header, *rows = self.table(name)
        changed = [change(dict(zip(header, row, strict=True))) for row in rows]
        self.write_table(name, [header, *([row[c] for c in header] for row in changed)])

    def said(self, **values: object) -> None:
        """Change what bundle.json says."""
        path = self.folder / "bundle.json"
        path.write_bytes(line_of(json.loads(path.read_text()) | values))

    def hash_rows(self, place: int, hashed: Callable[[list[Row]], bytes]) -> None:
        """Make a record vouch for the rows that are there now for its origin."""
        header, *rows = self.table("forecasts")
        records = self.records()
        at = header.index("origin_date")
        mine = [row for row in rows if row[at] == records[place]["origin_date"]]
        records[place]["rows_sha256"] = hashlib.sha256(hashed([header, *mine])).hexdigest()
        self.write_records(records)

    def twin(self, place: int) -> Record:
        """A copy of a record."""
        return copy.deepcopy(self.records()[place])


def line_of(value: object) -> bytes:
    """Canonical JSON, written here once more so that a test does not trust what it tests."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"{text}\n".encode()
