"""What every store answers: times, authors, the log, differences."""

import pytest

from crmtrail.errors import Mistake
from crmtrail.model import ActorKind, Change, Op, Ref
from crmtrail.ports import Difference, Query
from support.readings import ADA, BOB, OBJECT, ROBOT, SOURCE, T0, at, event, reading, ref, removal
from support.store_rig import RIGS, Watching, fields, proven_rig


@pytest.fixture(params=sorted(RIGS))
def rig(request, tmp_path):
    with proven_rig(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def story(rig):
    """Two contacts and an account over a hundred seconds."""
    rig.keep(
        reading("003A", {"Phone": "1", "Fax": "1"}),
        reading("003B", {"Phone": "1"}, modified=1),
        complete_to=at(5),
    )
    rig.keep(reading("003A", {"Phone": "2", "Fax": "2"}, modified=20, actor=BOB))
    rig.keep(reading("003C", {"Phone": "1"}, modified=30, created=30, creator=ROBOT))
    rig.keep(reading("003B", {"Phone": "2"}, modified=40))
    rig.keep(removal("003A", read=60, when=55, actor=BOB))
    rig.keep(reading("003A", {"Phone": "3", "Fax": "2"}, modified=80, actor=ADA))
    rig.store.absorb(
        SOURCE,
        "Account",
        [reading("001A", {"Phone": "7"}, modified=90, object_="Account")],
        notice=lambda *_: pytest.fail("a baseline is not shown"),
    )
    return rig


def log(rig, *, limit=100, **asked):
    entries, following = rig.store.log(Query(**asked), limit=limit)
    assert following is None
    return [(e.change_set.ref.id, e.change_set.op, e.field) for e in entries]


# --- one record --------------------------------------------------------------------------------


def test_a_record_at_any_time(story):
    assert story.store.version(ref("003A"), at(-1)) is None
    assert fields(story, when=0) == {"Phone": "1", "Fax": "1"}
    assert fields(story, when=19.9) == {"Phone": "1", "Fax": "1"}
    assert fields(story, when=20) == {"Phone": "2", "Fax": "2"}
    assert story.store.version(ref("003A"), at(54)).deleted is False
    assert story.store.version(ref("003A"), at(56)).deleted is True
    assert fields(story, when=80) == {"Phone": "3", "Fax": "2"}
    assert story.store.version(ref("003A")).number == 4


def test_a_deletion_changes_no_field(story):
    one, two, gone, back = (fields(story, when=when) for when in (0, 20, 56, 80))
    assert gone == two
    assert one != two != back


def test_a_change_learnt_late_counts_from_its_own_time(rig):
    rig.keep(reading("003A", {"Phone": "1", "Score": 1}))
    rig.keep(reading("003A", {"Phone": "1", "Score": 2}, read=50))  # computed, seen at 50
    rig.keep(
        reading(
            "003A", {"Phone": "2", "Score": 2}, modified=60, trail=[event("Phone", "2", 30, BOB)]
        )
    )
    # At 40 the phone had changed and the score, as far as we know, had not.
    assert fields(rig, when=40) == {"Phone": "2", "Score": 1}
    assert fields(rig, when=50) == {"Phone": "2", "Score": 2}


def test_heads_of_several_objects_at_once(story):
    account = Ref(SOURCE, "Account", "001A")
    nobody = Ref("hs", "contacts", "1")
    heads = story.store.heads([ref("003B"), account, nobody, ref("003A")])
    assert set(heads) == {ref("003A"), ref("003B"), account}
    assert heads[ref("003A")].fields == {"Phone": '"3"', "Fax": '"2"'}
    assert heads[ref("003A")].number == 4
    assert heads[account].known_at == at(100)


def test_the_timeline_of_a_field(story):
    assert [made.number for made in story.store.timeline(ref("003A"))] == [1, 2, 3, 4]
    made = story.store.timeline(ref("003A"), "Fax")
    assert [(each.number, each.op) for each in made] == [
        (1, Op.BASELINE),
        (2, Op.UPDATE),
        (3, Op.DELETE),
        (4, Op.UNDELETE),
    ]
    assert [each.number for each in story.store.timeline(ref("003B"), "Fax")] == [1]


def test_blame_names_who_set_each_value_now(story):
    fax, phone = story.store.blame(ref("003A"))
    assert (fax.field, fax.token, fax.number, fax.at, fax.actor) == ("Fax", '"2"', 2, at(20), BOB)
    assert (phone.field, phone.number, phone.actor) == ("Phone", 4, ADA)
    [created] = story.store.blame(ref("003C"))
    assert (created.number, created.actor) == (1, ROBOT)
    assert story.store.blame(ref("003Z")) == []


def test_blame_does_not_guess_who_set_what_before_the_first_sync(rig):
    rig.keep(reading("003A", {"Phone": "1"}))
    [blame] = rig.store.blame(ref())
    assert (blame.number, blame.at, blame.actor.kind) == (1, at(0), ActorKind.UNKNOWN)
    assert "Ada Lovelace" in blame.actor.why


# --- the log -------------------------------------------------------------------------------------


def test_the_log_is_newest_first_and_whole(story):
    assert log(story) == [
        ("003A", Op.UNDELETE, None),
        ("003A", Op.UNDELETE, "Phone"),
        ("003A", Op.DELETE, None),
        ("003B", Op.UPDATE, "Phone"),
        ("003C", Op.CREATE, None),
        ("003A", Op.UPDATE, "Fax"),
        ("003A", Op.UPDATE, "Phone"),
    ]


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8])
@pytest.mark.parametrize("asked", [{}, {"field": "Phone"}, {"since": at(20)}])
def test_pages_of_the_log_join_without_loss_or_repeat(story, limit, asked):
    query = Query(**asked)
    whole, _ = story.store.log(query, limit=1000)
    paged, cursor, pages = [], None, 0
    while True:
        entries, cursor = story.store.log(query, limit=limit, cursor=cursor)
        assert len(entries) <= limit
        paged.extend(entries)
        pages += 1
        if cursor is None:
            break
    assert paged == list(whole)
    assert pages == -(-len(whole) // limit)


def test_an_entry_holds_the_value_before_and_after(story):
    entries, _ = story.store.log(Query(record=ref("003A"), field="Fax"), limit=9)
    [entry] = entries
    assert (entry.old, entry.new) == ('"1"', '"2"')
    assert entry.change_set.changes == (
        Change("Fax", '"1"', '"2"'),
        Change("Phone", '"1"', '"2"'),
    )


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"field": "Fax"}, [("003A", Op.UPDATE, "Fax")]),
        ({"object": "Account"}, []),
        ({"object": "Account", "op": Op.BASELINE}, [("001A", Op.BASELINE, None)]),
        ({"object": "Account", "field": "Phone"}, []),
        ({"source": "nowhere"}, []),
        ({"field": "Nothing"}, []),
        ({"record": ref("003Z")}, []),
        ({"record": ref("003C")}, [("003C", Op.CREATE, None)]),
        ({"record": ref("003B"), "field": "Phone"}, [("003B", Op.UPDATE, "Phone")]),
        ({"op": Op.DELETE}, [("003A", Op.DELETE, None)]),
        ({"actor": "bob noyce", "op": Op.DELETE}, [("003A", Op.DELETE, None)]),
        ({"actor": "005b", "field": "Phone"}, [("003A", Op.UPDATE, "Phone")]),
        ({"via": "ENRICHER"}, [("003C", Op.CREATE, None)]),
        ({"actor": "ada lovelace", "op": Op.UPDATE}, [("003B", Op.UPDATE, "Phone")]),
        ({"actor": "nobody"}, []),
        ({"since": at(40), "until": at(55)}, [("003B", Op.UPDATE, "Phone")]),
        ({"since": at(30), "until": at(40)}, [("003C", Op.CREATE, None)]),
        ({"object": OBJECT, "until": at(1), "op": Op.BASELINE}, [("003A", Op.BASELINE, None)]),
        ({"operation": "op-9"}, []),
    ],
)
def test_the_log_answers_questions(story, asked, found):
    assert log(story, **asked) == found


def test_a_first_sight_is_no_change(story):
    assert Op.BASELINE not in {op for _, op, _ in log(story)}
    assert len(log(story, actor="Ada Lovelace", op=Op.BASELINE)) == 3


def test_the_log_of_an_operation(rig):
    rig.keep(reading("003A", {"Phone": "1"}), reading("003B", {"Phone": "1"}))
    rig.keep(reading("003A", {"Phone": ""}, modified=20), notice=Watching("op-1"))
    rig.keep(reading("003B", {"Phone": ""}, modified=20), notice=Watching("op-2"))
    assert log(rig, operation="op-1") == [("003A", Op.UPDATE, "Phone")]
    assert log(rig, operation="op-2", field="Phone") == [("003B", Op.UPDATE, "Phone")]


@pytest.mark.parametrize("cursor", ["", "x", "12", "x:Phone", "-1:Phone"])
def test_a_strange_cursor_is_a_mistake(rig, cursor):
    with pytest.raises(Mistake, match="cursor"):
        rig.store.log(Query(), limit=1, cursor=cursor)


def test_a_page_of_nothing_is_a_mistake(rig):
    with pytest.raises(Mistake, match="at least 1"):
        rig.store.log(Query(), limit=0)


# --- differences ---------------------------------------------------------------------------------


def test_differences_between_two_times(story):
    assert list(story.store.diff(SOURCE, OBJECT, at(2), at(50))) == [
        Difference(
            ref("003A"),
            Op.UPDATE,
            (Change("Fax", '"1"', '"2"'), Change("Phone", '"1"', '"2"')),
        ),
        Difference(ref("003B"), Op.UPDATE, (Change("Phone", '"1"', '"2"'),)),
        Difference(ref("003C"), Op.CREATE),
    ]
    assert list(story.store.diff(SOURCE, OBJECT, at(30), at(56))) == [
        Difference(ref("003A"), Op.DELETE),
        Difference(ref("003B"), Op.UPDATE, (Change("Phone", '"1"', '"2"'),)),
    ]
    assert list(story.store.diff(SOURCE, OBJECT, at(56), at(90))) == [
        Difference(ref("003A"), Op.CREATE)
    ]


def test_a_baseline_counts_as_unchanged_before(story):
    whole = list(story.store.diff(SOURCE, OBJECT, at(-9), at(90)))
    assert [(each.ref.id, each.op) for each in whole] == [
        ("003A", Op.UPDATE),
        ("003B", Op.UPDATE),
        ("003C", Op.CREATE),
    ]
    assert list(story.store.diff(SOURCE, OBJECT, at(-9), at(10))) == []


def test_what_came_and_went_is_no_difference(rig):
    rig.keep(reading("003A", {"Phone": "1"}), complete_to=at(1))
    rig.keep(reading("003A", {"Phone": "2"}, modified=20))
    rig.keep(reading("003A", {"Phone": "1"}, modified=40))
    rig.keep(reading("003B", {"Phone": "1"}, modified=20, created=20))
    rig.keep(removal("003B", read=50, when=45))
    assert list(rig.store.diff(SOURCE, OBJECT, at(10), at(60))) == []
    assert len(list(rig.store.diff(SOURCE, OBJECT, at(10), at(30)))) == 2


def test_the_difference_of_one_record(story):
    assert story.store.difference(ref("003B"), at(5), at(50)) == Difference(
        ref("003B"), Op.UPDATE, (Change("Phone", '"1"', '"2"'),)
    )
    assert story.store.difference(ref("003B"), at(41), at(50)) is None
    assert story.store.difference(ref("003Z"), at(5), at(50)) is None
    assert list(story.store.diff("nowhere", OBJECT, T0, at(50))) == []


def test_many_records_come_in_order_whole(rig):
    ids = [f"003{n:05}" for n in range(1203)]
    rig.keep(*(reading(id_, {"Phone": "1"}) for id_ in reversed(ids)))
    rig.keep(*(reading(id_, {"Phone": "2"}, modified=20) for id_ in ids))
    found = list(rig.store.diff(SOURCE, OBJECT, at(5), at(30)))
    assert [each.ref.id for each in found] == ids


def test_a_difference_half_read_blocks_nobody(rig):
    rig.keep(*(reading(f"003{n:05}", {"Phone": "1"}) for n in range(700)))
    rig.keep(*(reading(f"003{n:05}", {"Phone": "2"}, modified=20) for n in range(700)))
    stream = rig.store.diff(SOURCE, OBJECT, at(5), at(30))
    next(stream)
    rig.keep(reading("003Z", {"Phone": "1"}))
    assert sum(1 for _ in stream) == 699
