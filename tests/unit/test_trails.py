"""What a vendor's history tells of a first sight, and of fields that have no history."""

from dataclasses import replace

from crmtrail.model import Event, Op, token_of
from snapshot.diff import unfold
from snapshot.drafts import COMPUTED, UNNAMED
from snapshot.trails import EARLIER
from support.readings import ADA, BOB, ROBOT, at, event, reading, removal

YEAR = 31_536_000


def told(field: str, old: str | None, new: str | None, when: float, actor=ADA) -> Event:
    return Event(field, token_of(new), at(when), actor, token_of(old))


def partly(trail, fields, *, since: float = -YEAR, **more):
    """A reading whose vendor keeps the history of some fields."""
    found = reading("003A", fields, trail=trail, **more)
    return replace(found, trail_whole=False, trail_since=at(since))


def story(unfolded) -> list[tuple]:
    made = [draft.change_set for draft in unfolded.drafts]
    return [
        (m.op, [(c.field, c.old, c.new) for c in m.changes], m.actor, m.at, m.number) for m in made
    ]


def states(unfolded) -> list[dict[str, str]]:
    return [draft.fields for draft in unfolded.drafts]


def test_history_before_the_first_sync_becomes_versions_with_their_authors():
    found = partly(
        [told("Phone", "2", "3", -10, BOB), told("Phone", "1", "2", -20, ADA)],
        {"Phone": "3", "Fax": "9"},
        created=-50,
        creator=ROBOT,
        actor=BOB,
    )
    unfolded = unfold(None, found, horizon=None)
    assert story(unfolded) == [
        (Op.BASELINE, [], ROBOT, at(-50), 1),
        (Op.UPDATE, [("Phone", '"1"', '"2"')], ADA, at(-20), 2),
        (Op.UPDATE, [("Phone", '"2"', '"3"')], BOB, at(-10), 3),
        (Op.BASELINE, [], BOB, at(0), 4),
    ]
    # Of Fax nobody knows what it was: it is not there before it was seen.
    assert states(unfolded) == [
        {"Phone": '"1"'},
        {"Phone": '"2"'},
        {"Phone": '"3"'},
        {"Phone": '"3"', "Fax": '"9"'},
    ]
    assert unfolded.past.number == 4
    assert unfolded.past.history_to == at(-10)


def test_a_record_older_than_its_history_begins_with_that():
    found = partly([told("Phone", "1", "2", -20)], {"Phone": "2"}, created=-900, since=-100)
    first = story(unfold(None, found, horizon=None))[0]
    assert first == (Op.BASELINE, [], EARLIER, at(-100), 1)


def test_a_missing_entry_is_a_change_of_nobody():
    found = partly(
        [told("Phone", "1", "2", -30), told("Phone", "5", "6", -10, BOB)],
        {"Phone": "7"},
        created=-50,
    )
    assert story(unfold(None, found, horizon=None))[1:] == [
        (Op.UPDATE, [("Phone", '"1"', '"2"')], ADA, at(-30), 2),
        (Op.UPDATE, [("Phone", '"2"', '"5"')], UNNAMED, at(-10), 3),
        (Op.UPDATE, [("Phone", '"5"', '"6"')], BOB, at(-10), 4),
        (Op.UPDATE, [("Phone", '"6"', '"7"')], UNNAMED, at(0), 5),
    ]


def test_a_new_record_is_told_from_its_creation_on():
    found = partly(
        [told("Phone", None, "2", 40, BOB)], {"Phone": "2", "Fax": "9"}, created=20, modified=40
    )
    unfolded = unfold(None, found, horizon=at(10))
    assert [step[0] for step in story(unfolded)] == [Op.CREATE, Op.UPDATE]
    assert states(unfolded)[0] == {"Phone": "null", "Fax": '"9"'}


def test_where_every_field_has_history_what_was_set_at_creation_is_the_first_version():
    found = reading(
        "003A",
        {"Phone": "2", "Fax": "9"},
        created=-50,
        trail=[event("Fax", "9", -50), event("Phone", "1", -50), event("Phone", "2", -10, BOB)],
    )
    unfolded = unfold(None, found, horizon=None)
    assert [step[:3] for step in story(unfolded)] == [
        (Op.BASELINE, [], unfolded.drafts[0].change_set.actor),
        (Op.UPDATE, [("Phone", '"1"', '"2"')], BOB),
    ]
    assert states(unfolded)[0] == {"Phone": '"1"', "Fax": '"9"'}


def test_history_that_tells_of_no_change_leaves_the_plain_baseline():
    found = reading(
        "003A", {"Phone": "1"}, created=-50, trail=[event("Phone", "1", -50)], modified=-5
    )
    assert story(unfold(None, found, horizon=None)) == [(Op.BASELINE, [], ADA, at(-5), 1)]


def test_a_deleted_record_ends_deleted():
    found = partly([told("Phone", "1", "2", -20)], {"Phone": "2"}, created=-50, deleted=True)
    unfolded = unfold(None, found, horizon=None)
    assert story(unfolded)[-1][0] is Op.DELETE
    assert unfolded.drafts[-1].deleted
    assert unfolded.past.deleted


def test_what_has_no_history_is_laid_to_the_last_editor():
    past = unfold(None, reading("003A", {"Phone": "1", "Fax": "1"}), horizon=None).past
    found = partly(
        [told("Phone", "1", "2", 20, BOB)], {"Phone": "2", "Fax": "2"}, modified=30, actor=ADA
    )
    unfolded = unfold(past, found, horizon=None)
    assert story(unfolded) == [
        (Op.UPDATE, [("Phone", '"1"', '"2"')], BOB, at(20), 2),
        (Op.UPDATE, [("Fax", '"1"', '"2"')], ADA, at(30), 3),
    ]
    assert [draft.change_set.since for draft in unfolded.drafts] == [None, past.known_at]


def test_one_write_of_fields_with_and_without_history_is_one_version():
    past = unfold(None, reading("003A", {"Phone": "1", "Fax": "1"}), horizon=None).past
    found = partly(
        [told("Phone", "1", "2", 30, ADA)], {"Phone": "2", "Fax": "2"}, modified=30, actor=ADA
    )
    assert story(unfold(past, found, horizon=None)) == [
        (Op.UPDATE, [("Fax", '"1"', '"2"'), ("Phone", '"1"', '"2"')], ADA, at(30), 2)
    ]


def test_values_that_came_and_went_between_two_looks_are_kept():
    past = unfold(None, reading("003A", {"Phone": "1"}), horizon=None).past
    found = partly(
        [told("Phone", "1", "2", 20, BOB), told("Phone", "2", "1", 30, ADA)],
        {"Phone": "1"},
        modified=30,
        actor=ADA,
    )
    assert [step[1:3] for step in story(unfold(past, found, horizon=None))] == [
        ([("Phone", '"1"', '"2"')], BOB),
        ([("Phone", '"2"', '"1"')], ADA),
    ]


def test_one_field_set_twice_in_a_moment_is_two_versions():
    past = unfold(None, reading("003A", {"Phone": "1", "Fax": "1"}), horizon=None).past
    trail = [told("Phone", "1", "2", 20), told("Fax", "1", "2", 20), told("Phone", "2", "3", 20)]
    found = partly(trail, {"Phone": "3", "Fax": "2"}, modified=20)
    assert [step[1] for step in story(unfold(past, found, horizon=None))] == [
        [("Fax", '"1"', '"2"'), ("Phone", '"1"', '"2"')],
        [("Phone", '"2"', '"3"')],
    ]


def test_what_happened_shortly_before_a_deletion_is_kept():
    past = unfold(None, reading("003A", {"Phone": "1", "Fax": "1"}), horizon=None).past
    last = partly(
        [told("Phone", "1", "2", 20, BOB)],
        {"Phone": "2", "Fax": "9"},
        modified=30,
        actor=ADA,
        deleted=True,
    )
    gone = replace(removal("003A", read=40, when=30, actor=ADA), last=last)
    unfolded = unfold(past, gone, horizon=None)
    assert story(unfolded) == [
        (Op.UPDATE, [("Phone", '"1"', '"2"')], BOB, at(20), 2),
        (Op.UPDATE, [("Fax", '"1"', '"9"')], UNNAMED, at(30), 3),
        (Op.DELETE, [], ADA, at(30), 4),
    ]
    assert [draft.deleted for draft in unfolded.drafts] == [False, False, True]
    assert unfolded.past.fields == {"Phone": '"2"', "Fax": '"9"'}
    assert unfolded.past.deleted


def test_what_came_after_our_look_within_the_same_second_is_told_by_what_was_before():
    first = partly([told("Phone", "1", "2", 20)], {"Phone": "2"}, modified=20, read=20)
    past = unfold(unfold(None, reading("003A", {"Phone": "1"}), horizon=None).past, first,
                  horizon=None).past  # fmt: skip
    trail = [
        told("Phone", "1", "2", 20),
        told("Phone", "2", "3", 20, BOB),
        told("Phone", "3", "4", 30),
    ]
    found = partly(trail, {"Phone": "4"}, modified=30)
    assert [step[1:3] for step in story(unfold(past, found, horizon=None))] == [
        ([("Phone", '"2"', '"3"')], BOB),
        ([("Phone", '"3"', '"4"')], ADA),
    ]


def test_a_value_without_any_entry_is_not_claimed_to_have_been_there():
    trail = [told("Phone", None, "1", -50), told("Phone", "1", "2", -20, BOB)]
    fields = {"Phone": "2", "Fax": "9", "Site": None}
    found = reading("003A", fields, created=-50, trail=trail)
    unfolded = unfold(None, found, horizon=None)
    # That Site is blank without an entry says that it always was; Fax has a value from somewhere.
    assert states(unfolded) == [
        {"Phone": '"1"', "Site": "null"},
        {"Phone": '"2"', "Site": "null"},
        {"Phone": '"2"', "Site": "null", "Fax": '"9"'},
    ]
    assert [step[0] for step in story(unfolded)] == [Op.BASELINE, Op.UPDATE, Op.BASELINE]


def test_of_a_new_record_all_is_told_from_its_creation_on():
    trail = [told("Phone", None, "2", 40, BOB)]
    found = reading("003A", {"Phone": "2", "Fax": "9"}, created=20, modified=40, trail=trail)
    unfolded = unfold(None, found, horizon=at(10))
    assert states(unfolded)[0] == {"Phone": "null", "Fax": '"9"'}


def test_history_from_before_the_creation_of_a_survivor_is_kept():
    trail = [told("Phone", None, "1", -90, BOB), told("Phone", "1", "2", -70, ADA)]
    found = reading("003A", {"Phone": "2"}, created=-50, creator=ROBOT, trail=trail)
    assert story(unfold(None, found, horizon=None)) == [
        (Op.BASELINE, [], ROBOT, at(-90), 1),
        (Op.UPDATE, [("Phone", '"1"', '"2"')], ADA, at(-70), 2),
    ]


def test_a_value_that_moved_without_a_stamp_was_computed_after_our_last_look():
    past = unfold(None, reading("003A", {"Score": "1"}, edited=-30, read=60), horizon=None).past
    found = reading("003A", {"Score": "2"}, edited=0, read=90, actor=BOB)
    assert story(unfold(past, found, horizon=None)) == [
        (Op.UPDATE, [("Score", '"1"', '"2"')], COMPUTED, at(90), 2)
    ]
