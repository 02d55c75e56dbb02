"""What is loaded to stay is left out of collections, and collections go on afterwards."""

from __future__ import annotations

import gc

import pytest

from btc_assets.supervision.loading import loading_for_good


@pytest.mark.parametrize("fails", [False, True])
def test_what_is_loaded_is_left_out_of_collections_which_go_on_afterwards(fails: bool) -> None:
    gc.unfreeze()
    try:
        with loading_for_good():
            assert not gc.isenabled()
            kept = [[]]
            if fails:
                raise ImportError
    except ImportError:
        assert fails
    assert gc.isenabled()
    assert not any(each is kept for each in gc.get_objects())
