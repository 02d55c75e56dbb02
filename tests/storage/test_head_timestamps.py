"""Proofs of time are kept by every backend: long texts, a time that is not known yet, and its coming."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from btc_assets.ledger.publishing import timestamps
from btc_assets.ledger.publishing.timestamps import Stamp, Stamps, encoded
from btc_assets.ledger.records import Head

AT = dt.datetime(2026, 11, 25, 0, 6, 1, 123456, tzinfo=dt.UTC)


def test_a_queued_head_and_later_its_proof_come_back_as_they_were(tables, monkeypatch) -> None:
    monkeypatch.setattr(timestamps, "utc_now", lambda: AT)
    stamps = Stamps(tables, "ots")
    (queued,) = stamps.queue(Head("BTCUSDT", 7, "ab" * 32, AT))
    assert queued == Stamp("BTCUSDT", 7, "ab" * 32, "ots", AT.date(), AT)
    assert stamps.read("BTCUSDT") == [queued]
    proof = bytes(range(256)) * 256
    dated = replace(queued, sent_to="https://a https://b", proof=encoded(proof), header="00" * 80)
    dated = replace(dated, dated_at=AT + dt.timedelta(hours=4), dated_by="block 912,345")
    stamps.save([dated])
    assert stamps.read("BTCUSDT") == [dated]
    assert stamps.read("BTCUSDT")[0].file == proof
    assert Stamps(tables, "tsa").read("BTCUSDT") == []
