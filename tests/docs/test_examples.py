"""The examples in the docstrings of the names that a newcomer meets first give what they say."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

NAMES = [
    "btc_assets.settings.load",
    "btc_assets.contracts.TableSpec",
    "btc_assets.market.calendar.closes_at",
    "btc_assets.market.sources.factory.open_source",
    "btc_assets.factory.open_tables",
    "btc_assets.factory.open_registry",
    "btc_assets.modeling.features.engineer",
    "btc_assets.modeling.anchor.Anchors",
    "btc_assets.statistics.metrics.pinball",
    "btc_assets.ledger.digest.forecast_digests",
    "btc_assets.ledger.issue.issue",
    "btc_assets.ledger.verification.verify.verify",
    "btc_assets.defs.resources.Platform",
    "btc_dash.app.create_app",
]


@pytest.mark.parametrize("name", NAMES)
def test_the_example_gives_what_it_says(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the default data folder is relative
    for variable in ("BTC_SOURCE", "BTC_DATA_DIR", "BTC_STORE", "BTC_REGISTRY", "DAGSTER_HOME"):
        monkeypatch.delenv(variable, raising=False)
    module_name, _, attribute = name.rpartition(".")
    module = import_module(module_name)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    tests = doctest.DocTestFinder(recurse=False).find(getattr(module, attribute), name, module)
    assert [len(test.examples) > 0 for test in tests] == [True], f"{name} shows no example"
    assert runner.run(tests[0]).failed == 0
