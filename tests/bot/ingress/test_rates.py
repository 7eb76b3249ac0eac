"""How often: a burst, then one an interval, for each key of its own; what is refused costs nothing."""

from bot.ingress.rates import Rates


class Now:
    def __init__(self) -> None:
        self.at_s = 100.0

    def __call__(self) -> float:
        return self.at_s


def test_a_burst_then_one_an_interval() -> None:
    now = Now()
    rates = Rates(interval_s=2.0, burst=3, clock=now)
    assert [rates.take("a") for _ in range(5)] == [0, 0, 0, 2, 2]
    now.at_s += 1.5
    assert rates.take("a") == 0.5
    now.at_s += 0.5
    assert [rates.take("a"), rates.take("a")] == [0, 2]
    now.at_s += 1000
    assert [rates.take("a") for _ in range(4)] == [0, 0, 0, 2]


def test_who_waits_as_told_is_let_in() -> None:
    now = Now()
    rates = Rates(interval_s=0.3, burst=2, clock=now)
    for _ in range(100):
        if wait_s := rates.take("a"):
            now.at_s += wait_s + 1e-9
            assert rates.take("a") == 0


def test_each_key_has_its_own() -> None:
    rates = Rates(interval_s=1.0, burst=1, clock=Now())
    assert [rates.take(key) for key in "aba"] == [0, 0, 1]


def test_what_is_remembered_is_bounded_and_those_who_came_last_stay() -> None:
    rates = Rates(interval_s=1.0, burst=1, clock=Now(), most_keys=10)
    for key in range(100):
        assert rates.take(key) == 0
    assert [rates.take(key) > 0 for key in (99, 90, 0)] == [True, True, False]
