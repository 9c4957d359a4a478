"""Whom every store ascribes a change to, and how it knows our own restores."""

import pytest

from crmtrail.model import ActorKind, Change, Op
from support.readings import ADA, BOB, ROBOT, at, event, reading, ref
from support.store_rig import RIGS, Watching, fields, ops, proven_rig


@pytest.fixture(params=sorted(RIGS))
def rig(request, tmp_path):
    with proven_rig(request.param, tmp_path) as made:
        yield made


# --- who made it -------------------------------------------------------------------------------


def test_an_edit_is_ascribed_to_the_editor_at_the_edit(rig):
    rig.keep(reading("003A", {"Phone": "1"}))
    rig.keep(reading("003A", {"Phone": "2"}, modified=25, edited=20, actor=BOB))

    made = rig.store.timeline(ref())[-1]
    assert (made.op, made.actor, made.at, made.known_at) == (Op.UPDATE, BOB, at(20), at(35))
    assert made.number == 2


def test_a_stamp_that_moves_without_an_edit_names_nobody(rig):
    rig.keep(reading("003A", {"Score": 1}, actor=ADA))
    rig.keep(reading("003A", {"Score": 2}, modified=25, edited=0, actor=ADA))

    made = rig.store.timeline(ref())[-1]
    assert made.actor.kind in {ActorKind.SYSTEM, ActorKind.UNKNOWN}
    assert made.actor.why == "the stamp moved without an edit by a user"
    assert made.at == at(25)


def test_a_value_that_moves_without_any_stamp_is_computed(rig):
    rig.keep(reading("003A", {"Age": 1}))
    rig.keep(reading("003A", {"Age": 2}, read=500))

    made = rig.store.timeline(ref())[-1]
    assert (made.actor.kind, made.actor.name) == (ActorKind.SYSTEM, "computed by the CRM")
    assert made.at == at(500)


# --- the vendor's own history --------------------------------------------------------------------


def test_the_vendors_history_gives_every_value_with_its_author(rig):
    rig.keep(reading("003A", {"Phone": "1", "Stage": "a"}))
    rig.keep(
        reading(
            "003A",
            {"Phone": "3", "Stage": "b"},
            modified=40,
            actor=ROBOT,
            trail=[
                event("Phone", "3", 40, ROBOT),
                event("Phone", "2", 20, BOB),
                event("Stage", "b", 20, BOB),
                event("Phone", "1", -50, ADA),
            ],
        )
    )

    first, second, third = rig.store.timeline(ref())
    assert first.op is Op.BASELINE
    assert (second.actor, second.at) == (BOB, at(20))
    assert second.changes == (Change("Phone", '"1"', '"2"'), Change("Stage", '"a"', '"b"'))
    assert (third.actor, third.at) == (ROBOT, at(40))
    assert third.changes == (Change("Phone", '"2"', '"3"'),)
    assert [made.number for made in (first, second, third)] == [1, 2, 3]
    assert fields(rig, when=30) == {"Phone": "2", "Stage": "b"}
    assert fields(rig) == {"Phone": "3", "Stage": "b"}


def test_a_value_that_came_and_went_between_two_polls_is_kept(rig):
    rig.keep(reading("003A", {"Phone": "1"}))
    trail = [event("Phone", "1", 30, ADA), event("Phone", "", 20, BOB)]
    rig.keep(reading("003A", {"Phone": "1"}, modified=30, trail=trail))

    assert [made.actor for made in rig.store.timeline(ref())[1:]] == [BOB, ADA]
    # Read again, with an entry that its stamp does not cover: nothing doubles.
    rig.keep(reading("003A", {"Phone": "1"}, modified=30, read=50, trail=trail))
    assert len(rig.store.timeline(ref())) == 3


def test_entries_newer_than_the_stamp_are_not_folded_in_twice(rig):
    rig.keep(reading("003A", {"Score": 1}))
    trail = [event("Score", 9, 50, ROBOT), event("Score", 1, 55, ROBOT)]
    for read in (60, 70, 80):
        rig.keep(reading("003A", {"Score": 1}, modified=20, read=read, trail=trail))
    assert [made.at for made in rig.store.timeline(ref())] == [at(0), at(50), at(55)]


def test_what_the_history_does_not_explain_is_kept_as_unexplained(rig):
    rig.keep(reading("003A", {"Phone": "1", "Fax": "1"}))
    rig.keep(
        reading(
            "003A", {"Phone": "2", "Fax": "2"}, modified=40, trail=[event("Phone", "2", 20, BOB)]
        )
    )

    _, told, untold = rig.store.timeline(ref())
    assert told.changes == (Change("Phone", '"1"', '"2"'),)
    assert untold.changes == (Change("Fax", '"1"', '"2"'),)
    assert (untold.actor.kind, untold.at) == (ActorKind.UNKNOWN, at(40))
    assert untold.actor.why == "the vendor's history does not name it"
    assert fields(rig) == {"Phone": "2", "Fax": "2"}


def test_a_late_entry_still_names_the_author_of_a_field_that_differs(rig):
    rig.keep(reading("003A", {"Phone": "1"}, modified=30))
    rig.keep(
        reading(
            "003A",
            {"Phone": "2"},
            modified=40,
            trail=[event("Phone", "2", 25, BOB), event("Phone", "1", 20, ADA)],
        )
    )

    made = rig.store.timeline(ref())[-1]
    assert (made.actor, made.at, made.changes) == (BOB, at(25), (Change("Phone", '"1"', '"2"'),))


# --- our own restores ----------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["sending", "settled"])
def test_our_own_write_is_a_restore_and_alarms_nobody(rig, state):
    watching = Watching()
    rig.keep(reading("003A", {"Phone": ""}))
    rig.send(ref(), {"Phone": '"1"'}, sent=20, state=state)

    rig.keep(reading("003A", {"Phone": "1"}, modified=21, actor=ROBOT), notice=watching)

    made = rig.store.timeline(ref())[-1]
    assert (made.op, made.transaction, made.actor) == (Op.RESTORE, "p1", ROBOT)
    assert made.operation is None
    assert watching.shown == []
    assert rig.seen() == 2


def test_what_others_changed_in_the_same_reading_stays_an_update(rig):
    watching = Watching()
    rig.keep(reading("003A", {"Phone": "", "Fax": "1"}))
    rig.send(ref(), {"Phone": '"1"'}, sent=20)

    kept = rig.keep(
        reading("003A", {"Phone": "1", "Fax": "2"}, modified=21, actor=ROBOT), notice=watching
    )

    by_op = {made.op: made for made in rig.store.timeline(ref())[1:]}
    assert by_op[Op.RESTORE].changes == (Change("Phone", '""', '"1"'),)
    assert by_op[Op.UPDATE].changes == (Change("Fax", '"1"', '"2"'),)
    assert [made.op for made in watching.shown] == [Op.UPDATE]
    assert (kept.updated, kept.changes) == (1, 2)
    assert rig.seen() == by_op[Op.RESTORE].number
    assert fields(rig) == {"Phone": "1", "Fax": "2"}


def test_a_restore_is_seen_once(rig):
    rig.keep(reading("003A", {"Phone": ""}))
    rig.send(ref(), {"Phone": '"1"'}, sent=20)
    rig.keep(reading("003A", {"Phone": "1"}, modified=21))
    rig.keep(reading("003A", {"Phone": ""}, modified=41, actor=BOB))
    rig.keep(reading("003A", {"Phone": "1"}, modified=61, actor=BOB))

    assert ops(rig) == [Op.BASELINE, Op.RESTORE, Op.UPDATE, Op.UPDATE]
    assert rig.seen() == 2


@pytest.mark.parametrize(
    ("write", "sent", "state"),
    [
        ({"Phone": '"other"'}, 20, "sending"),
        ({"Fax": '"1"'}, 20, "sending"),
        ({"Phone": '"1"'}, 30, "sending"),
        ({"Phone": '"1"'}, 20, "planned"),
    ],
    ids=["another value", "another field", "sent later", "never sent"],
)
def test_what_we_did_not_write_is_no_restore(rig, write, sent, state):
    rig.keep(reading("003A", {"Phone": ""}))
    rig.send(ref(), write, sent=sent, state=state)
    rig.keep(reading("003A", {"Phone": "1"}, modified=21))
    assert ops(rig) == [Op.BASELINE, Op.UPDATE]
    assert rig.seen() is None


def test_a_step_for_another_record_is_not_taken_for_this_one(rig):
    rig.keep(reading("003A", {"Phone": ""}))
    rig.send(ref("003B"), {"Phone": '"1"'}, sent=20)
    rig.keep(reading("003A", {"Phone": "1"}, modified=21))
    assert ops(rig) == [Op.BASELINE, Op.UPDATE]


def test_the_vendors_clock_may_lag_a_little(rig):
    rig.keep(reading("003A", {"Phone": ""}))
    rig.send(ref(), {"Phone": '"1"'}, sent=25)
    rig.keep(reading("003A", {"Phone": "1"}, modified=21))
    assert ops(rig) == [Op.BASELINE, Op.RESTORE]
