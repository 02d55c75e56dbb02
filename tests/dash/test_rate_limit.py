from __future__ import annotations

import pytest

from btc_dash.server.rate_limit import RateLimiter, TooManyRequests


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_client_may_burst_and_then_waits_for_the_refill() -> None:
    clock = Clock()
    limiter = RateLimiter(per_second=0.5, burst=3, clock=clock)
    for _ in range(3):
        limiter.take("a")
    with pytest.raises(TooManyRequests) as refused:
        limiter.take("a")
    assert refused.value.retry_after == 2
    limiter.take("b")
    clock.now = 2.0
    limiter.take("a")
    with pytest.raises(TooManyRequests):
        limiter.take("a")


def test_the_memory_of_clients_is_bounded() -> None:
    limiter = RateLimiter(burst=1, clients=10, clock=Clock())
    for number in range(1000):
        limiter.take(str(number))
    assert len(limiter._left) == 10
