from __future__ import annotations

import pytest

from btc_assets.contracts import NETWORKS
from btc_assets.errors import ConfigurationError
from btc_assets.modeling.hyperparameters import DEFAULTS, HyperParameters


def test_there_are_defaults_for_every_network() -> None:
    assert set(DEFAULTS) == set(NETWORKS)
    assert all(DEFAULTS[kind].kind == kind for kind in NETWORKS)


def test_they_survive_a_manifest() -> None:
    for hp in DEFAULTS.values():
        again = HyperParameters.from_dict(hp.as_dict())
        assert again == hp


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "gru"}, "'gru'"),
        ({"units": 0}, "units = 0"),
        ({"epochs": 1.5}, "epochs = 1.5"),
        ({"learning_rate": float("nan")}, "learning_rate = nan"),
        ({"l2": -1.0}, "l2 = -1.0"),
        ({"window": 10_000}, "window"),
    ],
)
def test_impossible_values_are_named(change: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        HyperParameters.from_dict(DEFAULTS["mlp"].as_dict() | change)


def test_an_unknown_name_is_refused_with_those_known() -> None:
    with pytest.raises(ConfigurationError, match=r"unknown \['unit'\]; known are .*units"):
        HyperParameters.from_dict({"kind": "mlp", "unit": 3})
