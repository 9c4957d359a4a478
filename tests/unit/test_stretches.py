"""Coalesced stretches and gaps, placed in time."""

from crmtrail.model import ChangeSet, Gap, Op
from crmtrail.stretches import begins, seen_between, touching
from support.readings import ADA, at, ref

EARLY = Gap("Contact", at(0), at(10), "early")
OPEN = Gap("Contact", at(50), None, "open")
EVER = Gap("Contact", None, at(20), "ever")
ALWAYS = Gap("Contact", None, None, "always")


def made(*, when, known, since=None):
    return ChangeSet(ref(), Op.UPDATE, 2, (), ADA, at(when), at(known), since=at(since or 0))


def test_one_write_is_no_stretch():
    assert seen_between(ChangeSet(ref(), Op.UPDATE, 2, (), ADA, at(5), at(9))) is None


def test_a_stretch_ends_with_the_last_edit_that_is_told():
    assert seen_between(made(since=10, when=50, known=60)) == (at(10), at(50))


def test_an_edit_that_showed_late_ends_with_the_look_that_showed_it():
    assert seen_between(made(since=55, when=50, known=60)) == (at(55), at(60))


def test_gaps_that_touch_a_stretch_of_time_by_when_they_begin():
    every = (OPEN, EVER, EARLY, ALWAYS)
    assert touching(every, None, None) == (ALWAYS, EARLY, EVER, OPEN)
    assert touching(every, at(15), at(30)) == (ALWAYS, EVER)
    assert touching(every, at(10), at(12)) == (ALWAYS, EARLY, EVER)
    assert touching(every, at(21), None) == (ALWAYS, OPEN)
    assert touching(every, None, at(49)) == (ALWAYS, EARLY, EVER)
    assert touching((), at(0), None) == ()


def test_where_a_gap_stands():
    assert [begins(gap) for gap in (EARLY, OPEN, EVER, ALWAYS)] == [at(0), at(50), at(20), None]
