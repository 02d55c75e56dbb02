from __future__ import annotations

import pytest

from btc_dash.server.rate_limit import Budget, TooManyRequests


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_client_may_burst_and_then_waits_for_the_refill() -> None:
    clock = Clock()
    budget = Budget(per_second=0.5, burst=3, clock=clock)
    for _ in range(3):
        budget.spend("a")
    with pytest.raises(TooManyRequests) as refused:
        budget.spend("a")
    assert refused.value.retry_after == 2
    budget.spend("b")
    clock.now = 2.0
    budget.spend("a")
    with pytest.raises(TooManyRequests):
        budget.spend("a")


def test_the_memory_of_clients_is_bounded() -> None:
    budget = Budget(burst=1, clients=10, clock=Clock())
    for number in range(1000):
        budget.spend(str(number))
    assert len(budget._left) == 10
