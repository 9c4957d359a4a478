"""The decision at the heart of the store, without any store."""

from dataclasses import replace

import pytest

from crmtrail.model import Change, Loss, Op
from snapshot.awaited import Sent
from snapshot.canonical import tokens_of
from snapshot.diff import unfold
from snapshot.drafts import COMPUTED, STAMP_ONLY, UNNAMED, Past
from support.readings import ADA, BOB, ROBOT, at, event, reading, ref, removal

FIRST = reading("003A", {"Phone": "1", "Fax": "1"})


@pytest.fixture
def past() -> Past:
    return unfold(None, FIRST, horizon=None).past


def steps(unfolded) -> list[tuple]:
    made = [draft.change_set for draft in unfolded.drafts]
    return [(m.op, {c.field: c.new for c in m.changes}, m.actor, m.at) for m in made]


def test_a_first_reading_is_a_baseline(past):
    assert past.number == 1
    assert past.fields == {"Phone": '"1"', "Fax": '"1"'}
    assert not past.deleted


@pytest.mark.parametrize(
    "stale",
    [
        reading("003A", {"Phone": "9"}, modified=-1, read=99),
        reading("003A", {"Phone": "9"}, read=9),
        removal("003A", read=9),
    ],
)
def test_what_is_older_changes_nothing_at_all(past, stale):
    unfolded = unfold(past, stale, horizon=None)
    assert unfolded.past is past
    assert unfolded.drafts == ()


def test_the_same_reading_again_leaves_the_very_same_state(past):
    unfolded = unfold(past, FIRST, horizon=None)
    assert unfolded.past == past
    assert unfolded.drafts == ()


def test_stamps_move_without_a_version(past):
    moved = unfold(past, replace(FIRST, stamps={"N": "2"}, read_at=at(30)), horizon=None)
    assert moved.drafts == ()
    assert moved.past == past._replace(known_at=at(30))


@pytest.mark.parametrize(
    ("found", "author", "when"),
    [
        (reading("003A", {"Phone": "2"}, modified=30, edited=20, actor=BOB), BOB, at(20)),
        (reading("003A", {"Phone": "2"}, modified=30, edited=0), STAMP_ONLY, at(30)),
        (reading("003A", {"Phone": "2"}, read=40), COMPUTED, at(40)),
    ],
    ids=["edited", "stamped", "neither"],
)
def test_the_author_follows_from_the_stamps(past, found, author, when):
    assert steps(unfold(past, found, horizon=None)) == [(Op.UPDATE, {"Phone": '"2"'}, author, when)]


def test_history_is_replayed_in_time_order_by_actor(past):
    trail = [
        event("Phone", "4", 30, ADA),
        event("Fax", "2", 20, BOB),
        event("Phone", "2", 10, ADA),
        event("Phone", "3", 20, ADA),
        event("Unread", "x", 20, ADA),
    ]
    found = reading("003A", {"Phone": "4", "Fax": "2"}, modified=30, trail=trail)
    assert steps(unfold(past, found, horizon=None)) == [
        (Op.UPDATE, {"Phone": '"2"'}, ADA, at(10)),
        (Op.UPDATE, {"Phone": '"3"'}, ADA, at(20)),
        (Op.UPDATE, {"Fax": '"2"'}, BOB, at(20)),
        (Op.UPDATE, {"Phone": '"4"'}, ADA, at(30)),
    ]


def test_history_without_effect_vanishes_and_the_rest_is_unnamed(past):
    trail = [event("Phone", "1", 20, BOB), event("Fax", "7", -5, BOB)]
    found = reading("003A", {"Phone": "1", "Fax": "2"}, modified=30, trail=trail)
    assert steps(unfold(past, found, horizon=None)) == [
        (Op.UPDATE, {"Fax": '"2"'}, UNNAMED, at(30))
    ]


def test_the_last_state_is_the_readings_with_what_it_did_not_tell(past):
    trail = [event("Phone", "5", 10, BOB), event("Phone", "2", 20, ADA)]
    found = reading("003A", {"Phone": "2"}, modified=30, trail=trail)
    unfolded = unfold(past, found, horizon=None)
    states = [draft.fields for draft in unfolded.drafts]
    assert states == [{"Phone": '"5"', "Fax": '"1"'}, {"Phone": '"2"', "Fax": '"1"'}]
    assert unfolded.past.fields == unfolded.drafts[-1].fields
    assert unfolded.past.number == 3


def test_two_of_our_steps_in_one_reading_are_told_apart(past):
    sent = [
        Sent("p1", 4, {"Phone": '"2"'}, at(19)),
        Sent("p2", 1, {"Fax": '"2"', "Phone": '"3"'}, at(20)),
    ]
    found = reading("003A", {"Phone": "2", "Fax": "2"}, modified=21, actor=ROBOT)
    unfolded = unfold(past, found, horizon=None, sent=sent)
    made = [draft.change_set for draft in unfolded.drafts]
    assert [(m.op, m.transaction, m.changes) for m in made] == [
        (Op.RESTORE, "p1", (Change("Phone", '"1"', '"2"'),)),
        (Op.RESTORE, "p2", (Change("Fax", '"1"', '"2"'),)),
    ]
    assert unfolded.seen == {("p1", 4): 2, ("p2", 1): 3}


def test_our_restore_amid_the_vendors_history(past):
    trail = [event("Phone", "", 10, BOB), event("Phone", "1", 20, ROBOT)]
    sent = [Sent("p1", 1, {"Phone": '"1"'}, at(20))]
    found = reading("003A", {"Phone": "1", "Fax": "1"}, modified=20, trail=trail)
    unfolded = unfold(past, found, horizon=None, sent=sent)
    assert [draft.change_set.op for draft in unfolded.drafts] == [Op.UPDATE, Op.RESTORE]


def test_a_merge_keeps_the_winner_in_its_note(past):
    found = removal(
        "003A", read=30, loss=Loss.MERGED, merged_into="003M", restorable_until=at(3600)
    )
    [draft] = unfold(past, found, horizon=None).drafts
    note = tokens_of(draft.note)
    assert draft.change_set.op is Op.MERGE
    assert (note["merged_into"], note["loss"]) == ('"003M"', '"merged"')
    assert note["restorable_until"] == '"2026-03-01T10:00:00Z"'


def test_a_second_removal_only_moves_our_knowledge(past):
    gone = unfold(past, removal("003A", read=30), horizon=None).past
    again = unfold(gone, removal("003A", read=60), horizon=None)
    assert again.drafts == ()
    assert again.past == gone._replace(known_at=at(60))


def test_the_number_goes_on_where_it_was(past):
    later = past._replace(number=41)
    [draft] = unfold(later, reading("003A", {"Phone": "2"}, modified=5), horizon=None).drafts
    assert draft.change_set.number == 42
    assert draft.change_set.ref == ref("003A")


@pytest.mark.parametrize(("read_back", "cause"), [(True, "p1"), (False, None)])
def test_what_moved_along_with_our_write_is_laid_to_it_at_once_only(past, read_back, cause):
    sent = [Sent("p1", 1, {"Phone": '"2"'}, at(20))]
    found = reading("003A", {"Phone": "2", "Fax": "9"}, modified=21, actor=ROBOT)
    unfolded = unfold(past, found, horizon=None, sent=sent, read_back=read_back)
    made = [draft.change_set for draft in unfolded.drafts]
    assert [(m.op, m.transaction, m.changes[0].field) for m in made] == [
        (Op.UPDATE, cause, "Fax"),
        (Op.RESTORE, "p1", "Phone"),
    ]


def test_the_vendors_history_tells_what_moved_along_with_our_write(past):
    sent = [Sent("p1", 1, {"Phone": '"2"'}, at(20))]
    trail = [event("Phone", "2", 21, ROBOT), event("Fax", "9", 21, ROBOT), event("Fax", "8", 20)]
    found = reading("003A", {"Phone": "2", "Fax": "9"}, modified=21, trail=trail)
    made = [d.change_set for d in unfold(past, found, horizon=None, sent=sent).drafts]
    assert [m.transaction for m in made] == [None, "p1", "p1"]


def test_an_undated_record_appeared_since_everything_was_last_seen():
    found = replace(reading("1-2", {"labels": "x"}, modified=90), undated=True)
    [draft] = unfold(None, found, horizon=at(60)).drafts
    made = draft.change_set
    assert (made.op, made.at, made.since) == (Op.CREATE, at(90), at(60))
    assert made.actor == found.actor

    [draft] = unfold(None, found, horizon=None).drafts
    assert (draft.change_set.op, draft.change_set.since) == (Op.BASELINE, None)
