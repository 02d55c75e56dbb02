"""Read OpenTimestamps proofs and headers of Bitcoin blocks with Python alone: ``verify_proof.py`` uses it."""

import datetime as dt
import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any

EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - every time here is UTC
OTS = b"\x00OpenTimestamps\x00\x00Proof\x00\xbf\x89\xe2\xe8\x84\xe8\x92\x94\x01\x08"
BLOCK = bytes.fromhex("0588960d73d71901")
LEAST_WORK = 2**76  # hashes that a block must have cost; those since the summer of 2021 cost more
MARGIN = dt.timedelta(hours=2)  # how far the time in a block can be off


def blocks(proof: bytes, digest: bytes) -> list[tuple[int, bytes]]:
    """List Bitcoin blocks that an OpenTimestamps proof of ``digest`` leads to: height and Merkle root.

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
    """Return time and hash of block ``height``; its header must have this root and have cost work."""
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


def times(folder: Path, symbol: str, hashes: list[str], headers: bytes) -> dict[int, dt.datetime]:
    """Find every published head in its place; by place, when the earliest block that has it was mined.

    Raises:
        ValueError: a head is not in its place, or its proof does not hold.
    """
    dated: dict[int, tuple[dt.datetime, str]] = {}
    unchecked: list[str] = []
    for line in (folder / "heads.jsonl").read_text().splitlines():
        head = json.loads(line)
        seq, sha = head["seq"], head["record_sha256"]
        here = type(seq) is int and seq >= 0 and sha in hashes[seq : seq + 1]
        if not here or head["symbol"] != symbol:
            raise ValueError(f"published, but not in its place in the chain: {line!a}")
        if head["proof"] == "tsa":
            unchecked.append(f"record {seq} has a time stamp; docs/ledger.md says how openssl checks it")
        try:
            proof = (
                (folder / "heads" / f"{seq:09d}-{sha}.ots").read_bytes() if head["proof"] == "ots" else b""
            )
            for height, root in blocks(proof, bytes.fromhex(sha)) if proof else []:
                at, block = block_time(headers, height, root)
                said = f"record {seq}, in block {height:,} of {at} UTC; compare the block's hash: {block}"
                dated[seq] = min((at, said), dated.get(seq, (at, said)))
        except LookupError as error:
            unchecked.append(f"the proof of record {seq}: {error}")
        except (ValueError, OSError) as error:
            raise ValueError(f"the proof of record {seq} does not hold: {error}") from error
    if dated:
        print(f"Heads in Bitcoin blocks: {len(dated):,}, the newest {dated[max(dated)][1]}")
    if unchecked:
        print(f"Proofs of time not checked: {len(unchecked):,}, the last: {unchecked[-1]}")
    return {seq: at for seq, (at, _) in dated.items()}


def in_time(seq: int, deadline: dt.datetime, dated: dict[int, dt.datetime]) -> bool:
    """Tell whether a record lies before a head that was in a block before ``deadline``."""
    return any(at >= seq and time < deadline - MARGIN for at, time in dated.items())


def bounds(records: list[dict[str, Any]], dated: dict[int, dt.datetime], known: set[int]) -> None:
    """Check that no restart goes back before a head that was known, or more than a day before a block.

    Raises:
        ValueError: one does, or a record is later than its block.
    """
    issued = [dt.datetime.fromisoformat(r["issued_at"].replace("Z", "")) for r in records]
    for seq in known | dated.keys():
        if seq in dated and issued[seq] > dated[seq] + MARGIN:
            raise ValueError(f"record {seq} is later than its block")
        until = issued[seq] if seq in known else dated[seq] - dt.timedelta(days=1)
        if any(
            r["kind"] == "genesis" and at < until for r, at in zip(records[seq:], issued[seq:], strict=True)
        ):
            raise ValueError(f"a restart goes back before record {seq}, which was published")
