"""Runs, fences, positions and schemas of every store."""

from datetime import UTC, datetime, timedelta

import pytest

from crmtrail.errors import LeaseLost, Mistake, Unfound
from crmtrail.model import Field, FieldType, Gap, Mode, Op, Schema
from crmtrail.ports import Kept, ignore
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
    rig.keep(reading(), cursor="a", done=False, expected=7, gaps=[gap])
    rig.keep(cursor="b", watermark=at(50), complete_to=at(49), gaps=[gap])
    rig.keep(cursor="c", done=False)

    standing = rig.store.standing(SOURCE, OBJECT)
    assert (standing.cursor, standing.watermark, standing.complete_to, standing.expected) == (
        "c",
        at(50),
        at(49),
        7,
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
