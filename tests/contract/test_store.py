"""What every store makes of what was read: first sight, sameness, staleness, coming and going."""

import pytest

from crmtrail.model import ActorKind, Change, Loss, Op
from crmtrail.ports import Kept
from support.readings import ADA, BOB, OBJECT, SOURCE, at, reading, ref, removal
from support.store_rig import RIGS, fields, ops, proven_rig


@pytest.fixture(params=sorted(RIGS))
def rig(request, tmp_path):
    with proven_rig(request.param, tmp_path) as made:
        yield made


# --- first sight -------------------------------------------------------------------------------


def test_the_first_load_gives_baselines_dated_by_the_vendor(rig):
    kept = rig.keep(reading("003A", {"Phone": "1"}, modified=5), reading("003B", {"Phone": "2"}))

    assert kept == Kept(read=2, created=2)
    [made] = rig.store.timeline(ref("003A"))
    assert (made.op, made.at, made.known_at, made.actor) == (Op.BASELINE, at(5), at(15), ADA)
    assert made.changes == ()
    assert fields(rig) == {"Phone": "1"}


def test_a_record_created_after_the_horizon_is_a_creation(rig):
    rig.keep(complete_to=at(100))
    rig.keep(
        reading("003A", {"Phone": "1"}, modified=130, created=120, creator=BOB),
        reading("003B", {"Phone": "1"}, modified=130, created=90, creator=BOB),
        reading("003C", {"Phone": "1"}, modified=130, created=120),
    )

    [made] = rig.store.timeline(ref("003A"))
    assert (made.op, made.at, made.actor) == (Op.CREATE, at(120), BOB)
    assert ops(rig, "003B") == [Op.BASELINE]
    [nobody] = rig.store.timeline(ref("003C"))
    assert nobody.actor.kind is ActorKind.UNKNOWN
    assert nobody.actor.why


def test_a_deleted_record_at_first_sight_is_kept_as_deleted(rig):
    rig.keep(reading("003A", {"Phone": "1"}, deleted=True))

    version = rig.store.version(ref("003A"))
    assert (version.op, version.deleted, version.fields) == (Op.BASELINE, True, {"Phone": '"1"'})
    standing = rig.store.standing(SOURCE, OBJECT)
    assert (standing.records, standing.deleted) == (0, 1)


def test_a_removal_of_an_unknown_record_is_ignored(rig):
    assert rig.keep(removal("003Z", read=10)) == Kept(read=1)
    assert rig.store.version(ref("003Z")) is None
    assert rig.store.timeline(ref("003Z")) == []
    assert rig.store.heads([ref("003Z")]) == {}


# --- what is the same --------------------------------------------------------------------------


def test_the_same_page_twice_is_kept_once(rig):
    found = (reading("003A", {"Phone": "1"}), reading("003B", {"Phone": "2"}, modified=3))
    later = reading("003A", {"Phone": "9"}, modified=20, actor=BOB)
    rig.keep(*found)
    rig.keep(later, removal("003B", read=25, when=22))

    again = rig.keep(later, removal("003B", read=25, when=22))

    assert (again.created, again.updated, again.deleted, again.changes) == (0, 0, 0, 0)
    assert ops(rig, "003A") == [Op.BASELINE, Op.UPDATE]
    assert ops(rig, "003B") == [Op.BASELINE, Op.DELETE]
    assert rig.store.standing(SOURCE, OBJECT).versions == 4


def test_nothing_different_gives_no_version_but_moves_the_stamps(rig):
    rig.keep(reading("003A", {"Phone": "1"}))
    rig.keep(reading("003A", {"Phone": "1"}, modified=50, edited=0, read=60))

    assert ops(rig) == [Op.BASELINE]
    assert rig.store.heads([ref()])[ref()].known_at == at(60)
    # The stamps have moved: what is older than them is stale now.
    rig.keep(reading("003A", {"Phone": "old"}, modified=40, read=70))
    assert fields(rig) == {"Phone": "1"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.0", "1.00"),
        ("0", "-0"),
        ("100", "1e2"),
        ('"é"', '"\\u00e9"'),
        ('{"a":1,"b":[true]}', '{"b": [true], "a": 1.0}'),
    ],
)
def test_tokens_that_mean_the_same_are_no_change(rig, one, other):
    rig.keep(reading(tokens={"Amount": one}))
    kept = rig.keep(reading(tokens={"Amount": other}, modified=20))

    assert kept.changes == 0
    assert rig.store.version(ref()).fields == {"Amount": one}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "true"),
        ("null", '""'),
        ("0", "false"),
        ("123456789012345678", "123456789012345679"),
        ("0.1", "0.10000000000000000001"),
        ("[1,2]", "[2,1]"),
        ('"a"', '"A"'),
    ],
)
def test_tokens_that_mean_something_else_are_a_change_and_stay_exact(rig, one, other):
    rig.keep(reading(tokens={"Amount": one}))
    rig.keep(reading(tokens={"Amount": other}, modified=20))

    assert rig.store.timeline(ref())[-1].changes == (Change("Amount", one, other),)
    assert rig.store.version(ref()).fields == {"Amount": other}
    assert rig.store.version(ref(), at(5)).fields == {"Amount": one}


def test_absent_is_never_blank(rig):
    rig.keep(reading("003A", {"Phone": "1", "Fax": "2"}))
    kept = rig.keep(reading("003A", {"Phone": "1"}, modified=20))

    assert kept.changes == 0
    assert fields(rig) == {"Phone": "1", "Fax": "2"}
    rig.keep(reading("003A", {"Phone": "3"}, modified=40))
    assert fields(rig) == {"Phone": "3", "Fax": "2"}
    assert rig.store.timeline(ref())[-1].changes == (Change("Phone", '"1"', '"3"'),)


def test_a_new_field_comes_out_of_absence(rig):
    rig.keep(reading("003A", {"Phone": "1"}))
    rig.keep(reading("003A", {"Phone": "1", "Tier": None}, modified=20))

    assert rig.store.timeline(ref())[-1].changes == (Change("Tier", None, "null"),)
    assert fields(rig, when=5) == {"Phone": "1"}


# --- what is stale -----------------------------------------------------------------------------


def test_an_older_reading_is_ignored(rig):
    rig.keep(reading("003A", {"Phone": "2"}, modified=50, read=60))

    rig.keep(reading("003A", {"Phone": "1"}, modified=40, read=100))
    rig.keep(reading("003A", {"Phone": "0"}, modified=50, read=59))

    assert ops(rig) == [Op.BASELINE]
    assert fields(rig) == {"Phone": "2"}


def test_an_older_removal_is_ignored(rig):
    rig.keep(reading("003A", {"Phone": "2"}, modified=50, read=60))
    rig.keep(removal("003A", read=55, when=40))
    assert ops(rig) == [Op.BASELINE]


# --- leaving and coming back ---------------------------------------------------------------------


def test_a_deletion_is_a_version_and_happens_once(rig):
    rig.keep(reading("003A", {"Phone": "1"}))
    kept = rig.keep(removal("003A", read=30, when=25, actor=BOB))
    rig.keep(removal("003A", read=60, when=25, actor=BOB))

    assert kept.deleted == 1
    assert ops(rig) == [Op.BASELINE, Op.DELETE]
    version = rig.store.version(ref())
    assert (version.deleted, version.at, version.actor) == (True, at(25), BOB)
    assert version.fields == {"Phone": '"1"'}
    assert rig.store.version(ref(), at(24)).deleted is False
    assert rig.store.heads([ref()])[ref()].deleted is True
    standing = rig.store.standing(SOURCE, OBJECT)
    assert (standing.records, standing.deleted, standing.versions) == (0, 1, 2)


def test_a_deletion_without_a_time_is_dated_when_it_was_read(rig):
    rig.keep(reading("003A", {"Phone": "1"}))
    rig.keep(removal("003A", read=30, loss=Loss.VANISHED))
    assert rig.store.timeline(ref())[-1].at == at(30)


def test_a_merge_is_a_version_of_its_own_kind(rig):
    rig.keep(reading("003A", {"Phone": "1"}))
    rig.keep(removal("003A", read=30, when=25, loss=Loss.MERGED, merged_into="003M"))
    assert ops(rig) == [Op.BASELINE, Op.MERGE]
    assert rig.store.version(ref()).deleted is True


def test_content_shown_in_the_recycle_bin_is_kept_with_the_deletion(rig):
    rig.keep(reading("003A", {"Phone": "1"}))
    rig.keep(reading("003A", {"Phone": "2"}, modified=20, actor=BOB, deleted=True))

    assert ops(rig) == [Op.BASELINE, Op.UPDATE, Op.DELETE]
    assert fields(rig) == {"Phone": "2"}
    assert rig.store.version(ref()).deleted is True


def test_a_record_that_is_back_is_undeleted_even_with_its_old_stamp(rig):
    rig.keep(reading("003A", {"Phone": "1"}))
    rig.keep(removal("003A", read=30, when=25))
    rig.keep(reading("003A", {"Phone": "1"}, read=50))

    assert ops(rig) == [Op.BASELINE, Op.DELETE, Op.UNDELETE]
    assert rig.store.version(ref()).deleted is False
    standing = rig.store.standing(SOURCE, OBJECT)
    assert (standing.records, standing.deleted) == (1, 0)


def test_an_undeletion_carries_what_changed_with_it(rig):
    rig.keep(reading("003A", {"Phone": "1"}))
    rig.keep(removal("003A", read=30, when=25))
    rig.keep(reading("003A", {"Phone": "2"}, modified=40, actor=BOB))

    made = rig.store.timeline(ref())[-1]
    assert (made.op, made.actor, made.at) == (Op.UNDELETE, BOB, at(40))
    assert made.changes == (Change("Phone", '"1"', '"2"'),)


def test_a_reading_from_before_the_deletion_does_not_undelete(rig):
    rig.keep(reading("003A", {"Phone": "1"}))
    rig.keep(removal("003A", read=30, when=25))
    rig.keep(reading("003A", {"Phone": "1"}, read=29), reading("003A", {"Phone": "1"}, read=30))
    assert ops(rig) == [Op.BASELINE, Op.DELETE]


def test_several_things_of_one_record_in_one_page_are_numbered_in_order(rig):
    rig.keep(
        reading("003A", {"Phone": "1"}),
        reading("003A", {"Phone": "2"}, modified=20),
        removal("003A", read=40, when=35),
    )
    made = rig.store.timeline(ref())
    assert [each.number for each in made] == [1, 2, 3]
    assert [each.op for each in made] == [Op.BASELINE, Op.UPDATE, Op.DELETE]
    assert fields(rig, when=10) == {"Phone": "1"}
