"""Which small files of a table to merge, so that years of daily writes stay a handful of files.

Files are in tiers by their rows, each tier 16 times the one below. Sixteen neighbours of a tier become one
file of the next: a table of n days has about 16 x log16(n) files, and a row is rewritten log16(n) times.
"""

from __future__ import annotations

from collections.abc import Sequence

from btc_assets.storage.delta.data_files import MAX_ROWS, DataFile

FANOUT = 16


def files_to_merge(files: Sequence[DataFile]) -> Sequence[DataFile]:
    """Find the first run of at least ``FANOUT`` neighbours in one tier (or below), lowest first; or none.

    Args:
        files: all files of a version, in the order of their days.
    """
    tiers = [_tier(file) for file in files]
    for tier in range(_tier_of(MAX_ROWS)):
        start = 0
        for i in range(len(files) + 1):
            if i < len(files) and tiers[i] <= tier:
                continue
            if i - start >= FANOUT:
                return files[start:i]
            start = i + 1
    return ()


def _tier(file: DataFile) -> int:
    # From half the largest size on a file is full: merging it would only split it again.
    return _tier_of(MAX_ROWS if file.rows > MAX_ROWS // 2 else file.rows)


def _tier_of(rows: int) -> int:
    tier = 0
    while rows >= FANOUT:
        rows //= FANOUT
        tier += 1
    return tier
