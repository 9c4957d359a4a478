"""Runs, fences, positions and schemas of every store."""

from datetime import UTC, datetime, timedelta

import pytest

from crmtrail.errors import LeaseLost, Mistake, Unfound
from crmtrail.model import Field, FieldType, Gap, Mode, Op, Schema, Usage
from crmtrail.ports import Kept, Told, ignore
from support.readings import (
    OBJECT,
    SOURCE,
    T0,
    at,
    page,
    reading,
    ref,
)
from support.store_rig import RIGS, TTL, fields, ops, proven_rig


@pytest.fixture(params=sorted(RIGS))
def rig(request, tmp_path):
    with proven_rig(request.param, tmp_path) as made:
        yield made


# --- the position and the fence ------------------------------------------------------------------


def test_the_position_moves_with_the_page(rig):
    gap = Gap(OBJECT, at(0), at(5), "the vendor keeps deletions for 15 days only")
    rig.keep(reading(), cursor="a", done=False, expected=1, gaps=[gap])
    rig.keep(cursor="b", watermark=at(50), complete_to=at(49), gaps=[gap])
    rig.keep(cursor="c", done=False)

    standing = rig.store.standing(SOURCE, OBJECT)
    assert (standing.cursor, standing.watermark, standing.complete_to, standing.expected) == (
        "c",
        at(50),
        at(49),
        1,
    )
    assert standing.gaps == (gap,)


def test_a_zombie_keeps_nothing(rig):
    rig.keep(reading("003A", {"Phone": "1"}), cursor="mine")
    rig.clock.move(TTL.total_seconds() + 1)
    newer = rig.take()
    assert newer.fence > rig.lease.fence

    with pytest.raises(LeaseLost):
        rig.keep(reading("003A", {"Phone": "2"}, modified=20), cursor="zombie")

    assert ops(rig) == [Op.BASELINE]
    assert rig.store.standing(SOURCE, OBJECT).cursor == "mine"
    rig.lease = newer
    rig.keep(reading("003A", {"Phone": "2"}, modified=20), cursor="theirs")
    assert ops(rig) == [Op.BASELINE, Op.UPDATE]


def test_an_expired_lease_that_nobody_took_still_counts(rig):
    rig.clock.move(TTL.total_seconds() * 10)
    rig.keep(reading("003A", {"Phone": "1"}))
    assert ops(rig) == [Op.BASELINE]


def test_a_lease_for_another_object_does_not_count(rig):
    lease = rig.take("Account")
    with pytest.raises(LeaseLost):
        rig.store.keep(page(reading()), source=SOURCE, run=rig.run, lease=lease, notice=ignore)
    assert ops(rig) == []


def test_a_run_of_another_object_does_not_count(rig):
    run = rig.store.begin(SOURCE, "Account", Mode.FULL, T0)
    with pytest.raises(Unfound):
        rig.store.keep(page(reading()), source=SOURCE, run=run, lease=rig.lease, notice=ignore)
    assert ops(rig) == []


def test_a_detection_that_breaks_leaves_nothing_of_the_page(rig):
    rig.keep(reading("003A", {"Phone": "1"}), cursor="before")
    size = rig.store.checkpoint(T0).size

    def broken(change_sets, scene):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        rig.keep(reading("003A", {"Phone": "2"}, modified=20), cursor="after", notice=broken)
    assert rig.store.standing(SOURCE, OBJECT).cursor == "before"
    assert ops(rig) == [Op.BASELINE]
    assert rig.store.checkpoint(T0).size == size


def test_absorbing_moves_no_cursor_and_needs_no_lease(rig):
    rig.keep(reading("003A", {"Phone": "1"}), cursor="here")
    kept = rig.store.absorb(
        SOURCE, OBJECT, [reading("003A", {"Phone": "2"}, modified=20)], notice=ignore
    )
    assert kept == Kept(read=1, updated=1, changes=1)
    assert fields(rig) == {"Phone": "2"}
    assert rig.store.standing(SOURCE, OBJECT).cursor == "here"
    assert rig.store.absorb(SOURCE, OBJECT, [], notice=ignore) == Kept()


# --- the vendor's count --------------------------------------------------------------------------


def next_run(rig, mode=Mode.RECONCILE):
    rig.store.finish(rig.run, state="done", at=rig.clock.now(), api_calls=1)
    rig.clock.move(60)
    rig.run = rig.store.begin(SOURCE, OBJECT, mode, rig.clock.now())


def whys(rig):
    return [gap.why for gap in rig.store.standing(SOURCE, OBJECT).gaps]


def test_a_count_that_differs_is_a_gap_until_one_agrees(rig):
    rig.keep(reading("003A", {"Phone": "1"}, modified=-9), reading("003B", modified=-9))
    next_run(rig)
    kept = rig.keep(expected=1)
    why = (
        "the CRM counts 1 live records, the store holds 2: 1 was not returned; it may be erased"
        " or hidden from the token"
    )
    assert [gap.why for gap in kept.gaps] == whys(rig) == [why]
    next_run(rig, Mode.INCREMENTAL)
    assert rig.keep().gaps == ()
    assert whys(rig) == [why], "a run that learns no count changes nothing"
    next_run(rig)
    rig.keep(expected=5, done=False)
    assert whys(rig) == [why], "the run is not over"
    rig.keep()
    assert whys(rig) == [
        "the CRM counts 5 live records, the store holds 2: 3 are missing from the store"
    ]
    next_run(rig)
    assert rig.keep(expected=2).gaps == ()
    assert whys(rig) == []


def test_what_came_or_went_during_the_run_can_explain_a_difference(rig):
    rig.keep(reading("003A", {"Phone": "1"}, modified=-9), complete_to=at(0), watermark=at(0))
    next_run(rig)
    rig.keep(expected=1, done=False)
    rig.keep(reading("003B", {"Phone": "1"}, modified=61, created=61))
    assert whys(rig) == []
    next_run(rig)
    rig.keep(expected=1)
    assert len(whys(rig)) == 1


def test_a_run_that_goes_on_takes_the_count_of_the_one_before(rig):
    rig.keep(reading("003A", {"Phone": "1"}, modified=-9), expected=2, done=False)
    rig.store.finish(rig.run, state="stopped", at=at(5), api_calls=1)
    rig.clock.move(60)
    rig.run = rig.store.begin(SOURCE, OBJECT, Mode.INCREMENTAL, rig.clock.now())
    assert len(rig.keep().gaps) == 1
    standing = rig.store.standing(SOURCE, OBJECT)
    assert (standing.expected, standing.expected_at) == (2, T0)


# --- the budget ----------------------------------------------------------------------------------


def test_the_last_word_on_the_budget_is_kept_by_source(rig):
    assert rig.store.usage(SOURCE) is None
    said = Usage(18, 15_000, at(3600))
    rig.store.finish(rig.run, state="done", at=at(9), api_calls=1, usage=said)
    silent = rig.store.begin(SOURCE, "Account", Mode.INCREMENTAL, at(20))
    rig.store.finish(silent, state="done", at=at(30), api_calls=1, usage=Usage())
    assert rig.store.usage(SOURCE) == Told(said, at(9))
    assert rig.store.usage("hs") is None


# --- runs and schemas ----------------------------------------------------------------------------


def test_a_run_ends_once_and_is_sealed(rig):
    rig.keep(reading("003A", {"Phone": "1"}))
    before = rig.store.checkpoint(T0).size
    assert rig.store.standing(SOURCE, OBJECT).last_run == "running"

    rig.store.finish(rig.run, state="done", at=at(99), api_calls=3)

    standing = rig.store.standing(SOURCE, OBJECT)
    assert (standing.last_run, standing.last_finished) == ("done", at(99))
    assert rig.store.checkpoint(T0).size == before + 1
    with pytest.raises(Unfound):
        rig.store.finish(rig.run, state="failed", at=at(100), api_calls=3)
    with pytest.raises(Mistake):
        rig.store.finish(rig.run, state="exploded", at=at(100), api_calls=3)


def test_a_run_that_nobody_goes_on_with_was_interrupted(rig):
    assert rig.store.standing(SOURCE, OBJECT).last_run == "running"
    rig.clock.move(TTL.total_seconds() + 1)
    assert rig.store.standing(SOURCE, OBJECT).last_run == "interrupted"
    lease = rig.take()
    rig.leases.release(lease)
    assert rig.store.standings()[0].last_run == "interrupted"


def test_every_object_ever_synced_has_a_standing(rig):
    rig.store.begin("hs", "contacts", Mode.FULL, T0)
    found = [(each.source, each.object) for each in rig.store.standings()]
    assert found == [("hs", "contacts"), (SOURCE, OBJECT)]
    nothing = rig.store.standing("hs", "deals")
    assert (nothing.records, nothing.versions, nothing.cursor) == (0, 0, None)


def test_a_schema_is_kept_when_it_differs(rig):
    phone = Field("Phone", FieldType.PHONE, "Phone", "phone", max_length=40)
    stage = Field("Stage", FieldType.CHOICE, options=("a", "b"), updateable=False)
    first = Schema(SOURCE, OBJECT, {"Phone": phone})
    second = Schema(SOURCE, OBJECT, {"Stage": stage, "Phone": phone}, label="Contact")

    assert rig.store.schema(SOURCE, OBJECT) is None
    assert [rig.store.learn(s, T0) for s in (first, first, second, second)] == [
        True,
        False,
        True,
        False,
    ]
    assert rig.store.schema(SOURCE, OBJECT) == second


def test_times_of_any_zone_are_the_same_moment(rig):
    rig.keep(reading("003A", {"Phone": "1"}, modified=0))
    rig.keep(reading("003A", {"Phone": "2"}, modified=3600))
    zone = datetime.fromisoformat("2026-03-01T11:30:00+02:00").tzinfo
    half_past = datetime(2026, 3, 1, 11, 30, tzinfo=zone)
    assert half_past == T0 + timedelta(minutes=30)
    assert rig.store.version(ref(), half_past).number == 1
    assert rig.store.version(ref(), half_past).at.tzinfo is UTC


def test_that_nothing_could_be_read_ends_with_a_complete_run(rig):
    nothing = Gap(OBJECT, None, None, "this org has no Contact", whole=True)
    part = Gap(OBJECT, None, at(3), "history from before is not told")
    rig.keep(gaps=[nothing, part])
    rig.keep(gaps=[nothing, part])
    assert rig.store.standing(SOURCE, OBJECT).gaps == (nothing, part)

    rig.keep(complete_to=at(50))
    assert rig.store.standing(SOURCE, OBJECT).gaps == (part,)

    rig.run = rig.store.begin(SOURCE, OBJECT, Mode.INCREMENTAL, at(60))
    rig.keep(gaps=[nothing])
    assert rig.store.standing(SOURCE, OBJECT).gaps == (part, nothing)
