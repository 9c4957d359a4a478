"""Two times: when it happened by the vendor's clock, and when we learnt it."""

import pytest

from crmtrail.model import Change, Op, value_of
from crmtrail.ports import Difference, Query
from support.readings import ADA, BOB, OBJECT, SOURCE, at, event, reading, ref, removal
from support.store_rig import RIGS, proven_rig


@pytest.fixture(params=sorted(RIGS))
def rig(request, tmp_path):
    with proven_rig(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def late(rig):
    """A record looked at when it was 100, of which we learn at 150 what Bob did at 60."""
    rig.keep(
        reading("003A", {"Phone": "1", "Fax": "1"}, read=100),
        reading("003B", {"Phone": "1"}, read=100),
        complete_to=at(5),
    )
    rig.keep(
        reading(
            "003A",
            {"Phone": "2", "Fax": "1"},
            modified=60,
            read=150,
            trail=[event("Phone", "2", 60, BOB)],
        )
    )
    rig.keep(reading("003C", {"Phone": "9"}, modified=170, created=40, creator=ADA, read=180))
    rig.keep(removal("003B", read=200, when=70, actor=BOB))
    return rig


def phone(rig, when, known=None, id_="003A"):
    state = rig.store.version(
        ref(id_), None if when is None else at(when), known=None if known is None else at(known)
    )
    return None if state is None else value_of(state.fields["Phone"])


def exported(rig, when, known):
    found = rig.store.records(SOURCE, OBJECT, at(when), known=at(known))
    return {one.ref.id: (value_of(one.fields["Phone"]), one.deleted) for one in found}


def test_what_came_late_stands_at_its_own_time(late):
    assert [(made.at, made.known_at) for made in late.store.timeline(ref())] == [
        (at(0), at(100)),
        (at(60), at(150)),
    ]
    assert phone(late, 59) == "1"
    assert phone(late, 60) == "2"
    assert phone(late, 99) == "2"


def test_before_it_came_the_answer_is_the_old_one(late):
    assert phone(late, 99, known=149) == "1"
    assert phone(late, 99, known=150) == "2"
    assert phone(late, None, known=149) == "1"
    assert phone(late, None, known=99) is None
    assert late.store.version(ref("003B"), at(80), known=at(199)).deleted is False
    assert late.store.version(ref("003B"), at(80), known=at(200)).deleted is True
    assert late.store.version(ref("003C"), at(50), known=at(179)) is None


def test_a_whole_object_agrees_with_each_record(late):
    assert exported(late, 99, 99) == {}
    assert exported(late, 99, 149) == {"003A": ("1", False), "003B": ("1", False)}
    assert exported(late, 99, 150) == {"003A": ("2", False), "003B": ("1", False)}
    assert exported(late, 99, 200) == {
        "003A": ("2", False),
        "003B": ("1", True),
        "003C": ("9", False),
    }
    for when in (30, 59, 99):
        for known in (99, 120, 150, 180, 200):
            for id_, (value, deleted) in exported(late, when, known).items():
                one = late.store.version(ref(id_), at(when), known=at(known))
                assert (value_of(one.fields["Phone"]), one.deleted) == (value, deleted)


def test_a_difference_by_what_was_known(late):
    changed = Difference(ref("003A"), Op.UPDATE, (Change("Phone", '"1"', '"2"'),))
    gone, new = Difference(ref("003B"), Op.DELETE), Difference(ref("003C"), Op.CREATE)

    def diff(known):
        by = None if known is None else at(known)
        return list(late.store.diff(SOURCE, OBJECT, at(30), at(90), known=by))

    assert diff(None) == [changed, gone, new]
    assert diff(199) == [changed, new]
    assert diff(150) == [changed]
    assert diff(149) == []
    assert late.store.difference(ref(), at(30), at(90), known=at(150)) == changed
    assert late.store.difference(ref(), at(30), at(90), known=at(149)) is None
    assert late.store.difference(ref(), at(30), at(90), known=at(50)) is None


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["003B", "003C", "003A"]),
        ({"known_since": at(150)}, ["003B", "003C", "003A"]),
        ({"known_since": at(151)}, ["003B", "003C"]),
        ({"known_until": at(180)}, ["003A"]),
        ({"known_since": at(151), "known_until": at(200)}, ["003C"]),
        ({"until": at(65), "known_until": at(180)}, ["003A"]),
        ({"since": at(65), "known_until": at(180)}, []),
        ({"actor": "bob noyce", "known_since": at(190)}, ["003B"]),
        ({"field": "Phone", "known_since": at(151)}, []),
    ],
)
def test_the_log_by_when_it_was_learnt(late, asked, found):
    entries, _ = late.store.log(Query(**asked), limit=100)
    assert [entry.change_set.ref.id for entry in entries] == found


def test_versions_build_on_each_other_so_a_later_one_never_comes_without_its_forerunner(rig):
    """A clock of the vendor's may go wrong: the second version was read "before" the first."""
    rig.keep(reading("003A", {"Phone": "1"}, read=10))
    rig.keep(reading("003A", {"Phone": "2"}, modified=20, read=90))
    rig.keep(reading("003A", {"Phone": "3", "Fax": "1"}, modified=40, read=50))
    assert phone(rig, 45, known=60) == "1"
    assert phone(rig, 45, known=90) == "3"
    assert exported(rig, 45, 60) == {"003A": ("1", False)}


def test_the_same_size_of_the_ledger_gives_the_same_again(late):
    size = late.store.checkpoint(at(0)).size
    asked = {"known": at(500), "size": size}
    before = list(late.store.records(SOURCE, OBJECT, at(99), **asked))
    late.keep(
        reading("003A", {"Phone": "7", "Fax": "1"}, modified=80, read=210),
        reading("003D", {"Phone": "7"}, modified=80, read=210),
    )
    assert list(late.store.records(SOURCE, OBJECT, at(99), **asked)) == before
    assert len(list(late.store.records(SOURCE, OBJECT, at(99), known=at(500)))) == 4


# --- stretches without history ------------------------------------------------------------------


def test_a_change_without_history_says_when_the_record_was_seen_before(rig):
    rig.keep(reading("003A", {"Phone": "1"}, read=10))
    rig.keep(reading("003A", {"Phone": "1"}, modified=15, edited=0, read=30))
    rig.keep(reading("003A", {"Phone": "2"}, modified=50, read=60))
    [_, made] = rig.store.timeline(ref())
    assert (made.since, made.at, made.known_at) == (at(30), at(50), at(60))
    [entry], _ = rig.store.log(Query(), limit=9)
    assert entry.change_set.since == at(30)


def test_what_the_vendor_s_history_tells_is_one_write(rig):
    rig.keep(reading("003A", {"Phone": "1"}, read=10))
    rig.keep(
        reading(
            "003A",
            {"Phone": "3"},
            modified=50,
            trail=[
                event("Phone", "2", 30, BOB),
                event("Phone", "3", 50, ADA),
            ],
        )
    )
    assert [made.since for made in rig.store.timeline(ref())] == [None, None, None]
