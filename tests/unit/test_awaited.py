"""What the next reading may lay to a step of ours, and what it may not."""

from datetime import timedelta

import pytest

from crmtrail.model import Change, stamp, token_of
from snapshot.awaited import LINGER, MODIFIED, READ, UNSETTLED, Sent, awaited
from support.readings import at

STEP = Sent("p1", 1, {"Phone": "null", "Fax": "null"}, at(100))
TO_BLANK = Change("Phone", '"1"', "null")
HOUR = timedelta(hours=1)


def image(*names: str, modified: float = 90, read: float = 99) -> dict[str, str]:
    stamps = {MODIFIED: token_of(stamp(at(modified))), READ: token_of(stamp(at(read)))}
    return {**dict.fromkeys(names, '"1"'), **stamps}


def explains(when, before, settled=None, results=None) -> bool:
    step = awaited(STEP, before, settled, results or {})
    return step is not None and step.explains(TO_BLANK, when)


def test_a_step_explains_its_own_write():
    assert explains(at(101), image("Phone"))
    assert explains(at(101), image("Phone"), at(103), {"Phone": "restored"})


@pytest.mark.parametrize("ended", ["refused", "already"])
def test_what_never_landed_explains_nothing(ended):
    assert not explains(at(101), image("Phone"), at(103), {"Phone": ended})


def test_a_field_that_was_not_sent_explains_nothing():
    assert not explains(at(101), image("Fax"))


def test_a_write_given_up_may_land_late_but_not_weeks_later():
    results = {"Phone": "failed"}
    assert explains(at(101) + LINGER, image("Phone"), at(103), results)
    assert not explains(at(104) + LINGER, image("Phone"), at(103), results)
    assert explains(at(99) + UNSETTLED, image("Phone"))
    assert not explains(at(100) + UNSETTLED, image("Phone"))


@pytest.mark.parametrize("skew", [-HOUR, HOUR])
def test_the_vendors_clock_decides_and_not_ours(skew):
    before = {
        "Phone": '"1"',
        MODIFIED: token_of(stamp(at(90) + skew)),
        READ: token_of(stamp(at(99) + skew)),
    }
    assert explains(at(101) + skew, before, at(103), {"Phone": "restored"})
    assert not explains(at(89) + skew, before, at(103), {"Phone": "restored"})
