"""Fuzzing with hypothesis: inputs that are nearly right, a kept corpus, and how long to try."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CORPUS = Path(__file__).parents[1] / "fuzz" / "corpus"

FEW = 300
"""Examples of each target in `make test`."""

MANY = int(os.environ.get("FUZZ_EXAMPLES", "20000"))
"""Examples of each target in `make test-faults`."""

_TOKENS = [
    b"", b"\0", b"\n", b'"', b"'", b",", b"[", b"]", b"{", b"}", b"-", b"--", b".", b"1e999", b"-1", b"0",
    b"NaN", b"Infinity", b"null", b"true", b"9" * 40, b"1.5", b"\xff\xfe", b"\xef\xbb\xbf",
    "\u0661\u0662".encode(), "\u202e".encode(), b"%00", b"%ff", b"&", b"=", b"+", b"PK\x03\x04",
    b"PK\x05\x06", b"../", b"9999-12-31", b"0001-01-01", b"2024-02-30", b"T24:00:00Z", b"+23:59", b"A" * 5000,
    b"[" * 2000,
]  # fmt: skip


def corpus(target: str) -> list[Path]:
    """The kept inputs of a target: seeds to mutate, and everything that once crashed it."""
    return sorted((CORPUS / target).iterdir())


@st.composite
def mutated(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """One of ``seeds`` after up to eight small changes; one draw says them all, as a draw takes its time."""
    dice = Random(draw(st.binary(min_size=8, max_size=8)))
    data = bytearray(dice.choice(seeds))
    for _ in range(dice.randint(0, 8)):
        at = dice.randint(0, max(len(data) - 1, 0))
        kind = dice.choice(["flip", "byte", "insert", "token", "cut", "repeat", "swap"])
        if kind == "flip" and data:
            data[at] ^= 1 << dice.randint(0, 7)
        elif kind == "byte" and data:
            data[at] = dice.randint(0, 255)
        elif kind == "insert":
            data[at:at] = dice.randbytes(dice.randint(0, 6))
        elif kind == "token":
            data[at : at + dice.randint(0, 6)] = dice.choice(_TOKENS)
        elif kind == "cut":
            del data[at : at + dice.randint(1, 40)]
        elif kind == "repeat":
            piece = data[at : at + dice.randint(1, 40)]
            data[at:at] = piece * dice.randint(1, 3)
        elif kind == "swap":
            other = dice.randint(0, max(len(data) - 1, 0))
            data[at : at + 8], data[other : other + 8] = data[other : other + 8], data[at : at + 8]
    return bytes(data)


def fuzzed(
    target: str, also: st.SearchStrategy[bytes] | None = None
) -> Callable[[Callable[[bytes], None]], Any]:
    """Turn a check of one input into a test that tries many: few of them always, many under ``faults``.

    The seeds come first, so that an input that once crashed is tried every time.
    """

    def decorate(check: Callable[[bytes], None]) -> Any:
        paths = corpus(target)
        seeds = [path.read_bytes() for path in paths]
        inputs = mutated(seeds) | st.binary(max_size=200)
        inputs = inputs if also is None else inputs | also

        def run(count: int) -> None:
            @settings(
                max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck)
            )
            @given(inputs)
            def tried(data: bytes) -> None:
                check(data)

            tried()

        @pytest.mark.parametrize(
            "count",
            [FEW, pytest.param(MANY, marks=[pytest.mark.faults, pytest.mark.timeout(3600)])],
            ids=["few", "many"],
        )
        def test(count: int) -> None:
            for path, seed in zip(paths, seeds, strict=True):
                try:
                    check(seed)
                except Exception as error:
                    error.add_note(f"kept input {path.name}")
                    raise
            run(count)

        test.__doc__ = check.__doc__
        test.__name__ = check.__name__
        return test

    return decorate
