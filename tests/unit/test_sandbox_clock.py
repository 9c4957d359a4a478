from datetime import UTC, datetime, timedelta

from crmtrail.sandbox.clock import Clock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_turned_clock_runs_on_from_the_later_time():
    clock = Clock()
    before = clock.now()
    assert clock.turn(3600) - before >= timedelta(hours=1)
    assert clock.now() - before >= timedelta(hours=1)


def test_a_frozen_clock_moves_only_when_turned():
    clock = Clock()
    clock.freeze(NOON)
    assert clock.now() == clock.now() == NOON
    assert clock.turn(90) == NOON + timedelta(seconds=90)


def test_a_released_clock_goes_on_from_where_it_stood():
    clock = Clock()
    clock.freeze(NOON)
    clock.release()
    assert timedelta() <= clock.now() - NOON < timedelta(minutes=1)


def test_time_has_whole_milliseconds():
    assert Clock().now().microsecond % 1000 == 0
