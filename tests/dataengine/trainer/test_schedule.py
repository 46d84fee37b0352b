from itertools import pairwise

import pytest

from dataengine.trainer.schedule import ScheduleConfig, learning_rate


def test_the_learning_rate_rises_and_falls_as_a_cosine_to_its_floor():
    schedule = ScheduleConfig(kind="cosine", warmup=10, floor=0.1)
    rates = [learning_rate(step, 110, schedule) for step in range(111)]
    assert rates[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert rates[10] == 1.0
    assert rates[60] == pytest.approx(0.55)
    assert rates[110] == pytest.approx(0.1)
    assert all(a >= b for a, b in pairwise(rates[10:]))


def test_a_constant_rate_stays():
    schedule = ScheduleConfig(kind="constant", warmup=0)
    assert {learning_rate(step, 10, schedule) for step in range(10)} == {1.0}


def test_wsd_stays_until_its_last_share_and_then_falls_to_its_floor():
    schedule = ScheduleConfig(kind="wsd", warmup=10, floor=0.1, decay=0.25)
    rates = [learning_rate(step, 100, schedule) for step in range(101)]
    assert rates[9:76] == [1.0] * 67
    assert rates[100] == pytest.approx(0.1)
    assert rates[76] == pytest.approx(0.1 + 0.9 * (1 - 0.2))  # √(1/25)
    assert all(a > b for a, b in pairwise(rates[75:]))


def test_wsd_is_the_same_in_a_longer_run_up_to_its_fall():
    schedule = ScheduleConfig(kind="wsd", warmup=10, decay=0.25)
    assert [learning_rate(s, 100, schedule) for s in range(76)] == [learning_rate(s, 400, schedule) for s in range(76)]
