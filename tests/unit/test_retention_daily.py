"""The service applies the rules of retention once a day, and no sync fails for it."""

from crmtrail.errors import Locked
from crmtrail.retention import Daily
from support.readings import HandClock


class Rules:
    def __init__(self, *, failing: bool = False) -> None:
        self.times = 0
        self._failing = failing

    def apply(self) -> list:
        self.times += 1
        if self._failing:
            raise Locked("another process is writing")
        return []


def test_rules_are_applied_at_once_and_then_once_a_day():
    clock, rules = HandClock(), Rules()
    daily = Daily(rules.apply, clock)
    for moved, expected in ((0, 1), (60, 1), (86_339, 1), (1, 2), (3_600, 2), (200_000, 3)):
        clock.move(moved)
        daily.touch()
        assert rules.times == expected


def test_what_goes_wrong_is_tried_again_the_next_day():
    clock, rules = HandClock(), Rules(failing=True)
    daily = Daily(rules.apply, clock)
    daily.touch()
    daily.touch()
    assert rules.times == 1
    clock.move(86_400)
    daily.touch()
    assert rules.times == 2
