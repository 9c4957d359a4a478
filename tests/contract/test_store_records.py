"""Every store streams the records of an object: at a time, by id, and steadily while it grows."""

import pytest

from crmtrail.model import Op
from support.readings import ADA, BOB, OBJECT, SOURCE, at, event, reading, ref, removal
from support.store_rig import RIGS, proven_rig

MANY = 1_100
"""More than two batches."""


@pytest.fixture(params=sorted(RIGS))
def rig(request, tmp_path):
    with proven_rig(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def story(rig):
    rig.keep(
        reading("003B", {"Phone": "1"}),
        reading("003A", {"Phone": "1", "Fax": None}, modified=1),
        complete_to=at(5),
    )
    rig.keep(reading("003A", {"Phone": "2", "Fax": "7"}, modified=20, actor=BOB))
    rig.keep(reading("003C", {"Phone": "1"}, modified=30, created=30))
    rig.keep(removal("003B", read=60, when=55, actor=BOB))
    rig.store.absorb(
        SOURCE,
        "Account",
        [reading("001A", {"Phone": "7"}, object_="Account")],
        notice=lambda *_: pytest.fail("a baseline is not shown"),
    )
    return rig


def told(rig, when=None, **more):
    found = rig.store.records(SOURCE, OBJECT, None if when is None else at(when), **more)
    return {one.ref.id: (one.number, one.deleted, dict(one.fields)) for one in found}


def test_now_by_id_with_deleted_ones(story):
    found = list(story.store.records(SOURCE, OBJECT))
    assert [one.ref for one in found] == [ref("003A"), ref("003B"), ref("003C")]
    assert told(story) == {
        "003A": (2, False, {"Phone": '"2"', "Fax": '"7"'}),
        "003B": (2, True, {"Phone": '"1"'}),
        "003C": (1, False, {"Phone": '"1"'}),
    }
    assert (found[0].op, found[0].at, found[0].actor) == (Op.UPDATE, at(20), BOB)
    assert found[0].known_at == at(30)


@pytest.mark.parametrize("when", [-1, 0, 1, 19.9, 20, 30, 54, 56, 1000])
def test_each_record_is_what_asking_for_it_alone_gives(story, when):
    ids = ("003A", "003B", "003C")
    alone = [story.store.version(ref(id_), at(when)) for id_ in ids]
    assert list(story.store.records(SOURCE, OBJECT, at(when))) == [one for one in alone if one]


def test_now_is_what_asking_for_each_alone_gives(story):
    found = list(story.store.records(SOURCE, OBJECT))
    assert found == [story.store.version(one.ref) for one in found]


def test_a_change_learnt_late_counts_from_its_own_time(rig):
    rig.keep(reading("003A", {"Phone": "1", "Score": 1}))
    rig.keep(reading("003A", {"Phone": "1", "Score": 2}, read=50))  # computed, seen at 50
    trail = [event("Phone", "2", 30, BOB)]
    rig.keep(reading("003A", {"Phone": "2", "Score": 2}, modified=60, trail=trail))
    assert told(rig, 40)["003A"][2] == {"Phone": '"2"', "Score": "1"}
    assert list(rig.store.records(SOURCE, OBJECT, at(40))) == [rig.store.version(ref(), at(40))]


def test_what_became_known_later_is_left_out(story):
    size = story.store.checkpoint(at(0)).size
    before = told(story), told(story, 25)
    story.keep(reading("003A", {"Phone": "3", "Fax": None}, modified=70))
    story.keep(reading("003A", {"Phone": "4", "Fax": None}, modified=80))
    story.keep(reading("003D", {"Phone": "1"}, modified=10))
    assert (told(story, size=size), told(story, 25, size=size)) == before
    assert told(story, size=0) == {}
    assert told(story)["003A"][2] == {"Phone": '"4"', "Fax": "null"}
    assert "003D" in told(story, 25)


def test_a_sync_meanwhile_changes_nothing_of_the_stream(rig):
    ids = [f"003{no:04}" for no in range(MANY)]
    rig.keep(*(reading(id_, {"Phone": "old"}) for id_ in ids))
    stream = rig.store.records(SOURCE, OBJECT)
    found = [next(stream)]
    rig.keep(
        *(reading(id_, {"Phone": "new", "Fax": "1"}, modified=50) for id_ in ids),
        reading("003zz", {"Phone": "new"}, modified=50),
        removal(ids[-1], read=90, when=80),
    )
    found += stream
    assert [one.ref.id for one in found] == ids
    assert {one.fields["Phone"] for one in found} == {'"old"'}
    assert {(one.number, one.deleted, one.actor) for one in found} == {(1, False, ADA)}
    assert all(one.fields == found[0].fields for one in found)


def test_an_object_never_seen_has_none(rig):
    assert list(rig.store.records(SOURCE, "Nothing")) == []
    assert list(rig.store.records("zz", OBJECT)) == []
