"""A table store against a dictionary: any sequence of writes leaves what the dictionary says."""

from __future__ import annotations

import tempfile

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from btc_assets.storage.delta.store import DeltaTables

from .conftest import SAMPLES, day, samples

KEYS = st.tuples(st.integers(0, 12), st.sampled_from(["BTC", "ADA"]))
WRITE = st.dictionaries(KEYS, st.sampled_from([1.0, 2.0, float("nan"), -0.5]), max_size=8)
STEP = st.one_of(
    st.tuples(st.just("upsert"), WRITE),
    st.tuples(st.just("delete"), st.lists(KEYS, unique=True, max_size=4)),
    st.tuples(st.just("tidy"), st.none()),
)


def frame(rows: dict[tuple[int, str], float]) -> pl.DataFrame:
    parts = [samples(d, symbol=symbol, close=close) for (d, symbol), close in rows.items()]
    return pl.concat([SAMPLES.empty(), *parts]).sort("date", "symbol")


@settings(max_examples=25)
@given(
    steps=st.lists(STEP, max_size=8),
    start=st.integers(-1, 13),
    length=st.integers(0, 13),
    columns=st.lists(st.sampled_from(SAMPLES.schema.names()), unique=True),
)
def test_any_sequence_of_writes_leaves_what_a_dictionary_would(steps, start, length, columns) -> None:
    with tempfile.TemporaryDirectory() as root:
        tables, model = DeltaTables(root), {}
        tables.ensure_table(SAMPLES)
        for action, argument in steps:
            before = dict(model)
            if action == "upsert":
                receipt = tables.upsert(SAMPLES, frame(argument))
                new = sum(key not in before for key in argument)
                same = sum(repr(before.get(key)) == repr(close) for key, close in argument.items())
                assert (receipt.inserted, receipt.unchanged) == (new, same)
                assert receipt.updated == len(argument) - new - same
                model.update(argument)
            elif action == "delete":
                keys = pl.DataFrame(
                    {"symbol": [s for _, s in argument], "date": [day(d) for d, _ in argument]},
                    schema={"symbol": pl.String, "date": pl.Date},
                )
                assert tables.delete_keys(SAMPLES, keys).updated == sum(key in model for key in argument)
                model = {key: close for key, close in model.items() if key not in argument}
            else:
                tables._log(SAMPLES).tidy()
            assert_frame_equal(tables.read(SAMPLES), frame(model))
        window = {key: close for key, close in model.items() if start <= key[0] < start + length}
        got = tables.read(SAMPLES, start=day(start), end=day(start + length))
        assert_frame_equal(got, frame(window))
        assert_frame_equal(tables.read(SAMPLES, columns), frame(model).select(columns))
        assert_frame_equal(DeltaTables(root).read(SAMPLES), frame(model))


@settings(max_examples=15)
@given(writes=st.lists(WRITE, min_size=1, max_size=5))
def test_every_version_reads_as_it_was_when_it_was_made(writes) -> None:
    with tempfile.TemporaryDirectory() as root:
        tables, model, seen = DeltaTables(root), {}, {}
        for write in writes:
            model.update(write)
            seen[tables.upsert(SAMPLES, frame(write)).version] = frame(model)
        tables._log(SAMPLES).tidy()
        for version, expected in seen.items():
            assert_frame_equal(tables.read(SAMPLES, version=version), expected)
