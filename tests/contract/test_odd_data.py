"""Odd data in, the same out: through every writer and reader of every store, sealed and clear."""

import pytest

from crmtrail.model import NULL, Change, Op
from crmtrail.ports import Query
from snapshot.canonical import document_of, tokens_of
from snapshot.store import SqlStore
from support.odd_data import ACTORS, FIELDS, HUGE, IDS, VALUES, shown, wide
from support.odd_rig import (
    AGAIN,
    BARE,
    BLANK,
    FIRST,
    KINDS,
    LAST,
    LONG,
    MANY,
    NAMELESS,
    NAMES,
    OTHER,
    OTHERS,
    PEOPLE,
    fill,
    rig_of,
    told,
)
from support.readings import OBJECT, SOURCE, at, ref


@pytest.fixture(scope="module", params=KINDS)
def rig(request, tmp_path_factory):
    with rig_of(request.param, tmp_path_factory.mktemp("odd")) as made:
        fill(made)
        yield made


def pairs_of(token):
    """Return what became of an odd field after its first value: old and new tokens."""
    if token == NULL:
        return [(NULL, OTHER), (OTHER, NULL)]
    return [(token, OTHER), (OTHER, token), (token, NULL), (NULL, token)]


def changes_of(made):
    return [(one.old, one.new) for one in made.changes if one.field == "Odd"]


def test_the_corpus_is_large():
    assert len(set(VALUES.values())) == len(VALUES) >= 60
    for token in VALUES.values():
        assert tokens_of(document_of({"a": token, "b": "1"})) == {"a": token, "b": "1"}


def test_heads(rig):
    heads = rig.store.heads([ref(id_) for id_ in NAMES.values()])
    assert {one.id: head.fields["Odd"] for one, head in heads.items()} == {
        NAMES[name]: token for name, token in VALUES.items()
    }


@pytest.mark.parametrize("when", [FIRST, OTHERS, AGAIN, BLANK, LAST])
def test_version_at_a_time(rig, when):
    then = {OTHERS: OTHER, BLANK: NULL}.get(when)
    for name, token in VALUES.items():
        version = rig.store.version(ref(NAMES[name]), at(when))
        assert version.fields == {"Name": OTHER, "Odd": then or token}, name


def records(rig, when=None):
    return {one.ref.id: dict(one.fields) for one in rig.store.records(SOURCE, OBJECT, when)}


@pytest.mark.parametrize("when", [FIRST + 50, AGAIN + 50, LAST + 50, None])
def test_records(rig, when):
    found = records(rig, None if when is None else at(when))
    assert {name: found[id_]["Odd"] for name, id_ in NAMES.items()} == VALUES


def test_timeline(rig):
    for token, id_ in zip(VALUES.values(), NAMES.values(), strict=True):
        first, *others = rig.store.timeline(ref(id_))
        assert (first.op, first.changes) == (Op.BASELINE, ())
        assert [pair for made in others for pair in changes_of(made)] == pairs_of(token)
        of_field = rig.store.timeline(ref(id_), "Odd")
        assert [pair for made in of_field for pair in changes_of(made)] == pairs_of(token)


def test_blame(rig):
    for token, id_ in zip(VALUES.values(), NAMES.values(), strict=True):
        name, odd = rig.store.blame(ref(id_))
        assert (name.field, name.token, name.number) == ("Name", OTHER, 1)
        assert (odd.field, odd.token, odd.number) == ("Odd", token, 3 if token == NULL else 5)


def log(rig, **query):
    lines, cursor = [], None
    while True:
        found, cursor = rig.store.log(Query(**query), limit=40, cursor=cursor)
        lines += found
        if cursor is None:
            return lines


def test_log(rig):
    found = {}
    for line in log(rig, field="Odd"):
        found.setdefault(line.change_set.ref.id, []).insert(0, (line.old, line.new))
    for token, id_ in zip(VALUES.values(), NAMES.values(), strict=True):
        assert found[id_] == pairs_of(token)


def test_the_log_of_what_was_blanked(rig):
    found = {line.change_set.ref.id: line.old for line in log(rig, field="Odd", blanked=True)}
    empty = {name for name, token in VALUES.items() if token in {NULL, '""'}}
    expected = {NAMES[name]: token for name, token in VALUES.items() if name not in empty}
    filled = dict.fromkeys((NAMES[name] for name in empty), OTHER)
    assert found == expected | filled | {LONG: HUGE}


def test_diff(rig):
    for since, until in ((FIRST, OTHERS), (OTHERS, AGAIN), (AGAIN, BLANK), (BLANK, LAST)):
        found = {
            one.ref.id: one.changes for one in rig.store.diff(SOURCE, OBJECT, at(since), at(until))
        }
        before = {OTHERS: OTHER, BLANK: NULL}.get(since)
        after = {OTHERS: OTHER, BLANK: NULL}.get(until)
        for name, id_ in NAMES.items():
            token = VALUES[name]
            pair = (token if before is None else before, token if after is None else after)
            if pair[0] == pair[1]:
                assert id_ not in found
            else:
                assert found[id_] == (Change("Odd", *pair),)
                one = rig.store.difference(ref(id_), at(since), at(until))
                assert one.changes == found[id_]


def test_members_of_an_operation(rig):
    found = {
        made.ref.id: changes_of(made)
        for made in rig.store.members(f"op-{BLANK}")
        if made.ref.id != NAMELESS
    }
    assert found == {
        NAMES[name]: [(token, NULL)] for name, token in VALUES.items() if token != NULL
    }


def test_names_of_fields(rig):
    assert rig.store.heads([ref(NAMELESS)])[ref(NAMELESS)].fields == dict.fromkeys(
        FIELDS, r'"\ud800"'
    )
    assert rig.store.version(ref(NAMELESS), at(OTHERS)).fields == dict.fromkeys(FIELDS, "1.10")
    _, *others = rig.store.timeline(ref(NAMELESS))
    for made in others:
        assert [one.field for one in made.changes] == sorted(FIELDS)
    assert [line.field for line in rig.store.blame(ref(NAMELESS))] == sorted(FIELDS)
    assert records(rig)[NAMELESS].keys() == set(FIELDS)


def test_a_field_is_found_by_its_odd_name(rig):
    for name in FIELDS:
        assert {line.field for line in log(rig, field=name)} == {name}
        made = [one for one in rig.store.timeline(ref(NAMELESS), name) if one.changes]
        tokens = [change.new for one in made for change in one.changes if change.field == name]
        assert tokens == ["1.10", r'"\u0000"', NULL, r'"\ud800"']


def test_ids_are_kept_apart(rig):
    expected = {id_: {"Odd": f'"{no}"'} for no, id_ in enumerate(IDS)}
    found = records(rig)
    assert {id_: found[id_] for id_ in IDS} == expected
    assert [id_ for id_ in found if id_ in expected] == sorted(IDS)
    heads = rig.store.heads([ref(id_) for id_ in IDS])
    assert {one.id: head.fields for one, head in heads.items()} == expected
    for id_ in IDS:
        assert rig.store.version(ref(id_)).fields == expected[id_]


def test_a_record_of_very_many_fields_and_one_without_any(rig):
    expected = wide() | {"Wide_1999__c": "-0"}
    assert rig.store.version(ref(MANY)).fields == expected
    assert rig.store.version(ref(MANY), at(0)).fields == wide()
    assert (records(rig)[MANY], records(rig)[BARE]) == (expected, {})
    assert rig.store.version(ref(BARE)).fields == {}
    assert rig.store.blame(ref(BARE)) == []


def test_ten_megabytes(rig):
    assert rig.store.version(ref(LONG), at(0)).fields == {"Odd": HUGE}
    _, blanked = rig.store.timeline(ref(LONG))
    assert blanked.changes == (Change("Odd", HUGE, NULL),)


def test_people(rig):
    made = rig.store.timeline(ref(PEOPLE))
    found = [one.actor for one in made]
    assert found in ([*ACTORS], [shown(actor) for actor in ACTORS])
    for one in made[1:]:
        if name := one.actor.name or one.actor.id:
            lines = [line for line in log(rig, actor=name) if line.change_set.ref == one.ref]
            assert one.number in {line.change_set.number for line in lines}


def test_a_page_that_repeats_what_is_stored_adds_nothing(rig):
    before = {name: rig.store.timeline(ref(id_)) for name, id_ in NAMES.items()}
    size = rig.store.checkpoint(at(0)).size
    told(rig, LAST, None, r'"\ud800"')
    assert rig.store.checkpoint(at(0)).size == size
    assert {name: rig.store.timeline(ref(id_)) for name, id_ in NAMES.items()} == before


def test_it_verifies(rig):
    assert rig.store.verify().ok


def test_what_is_sealed_lies_nowhere_in_the_clear(rig, request):
    if not isinstance(rig.store, SqlStore):
        return
    with rig.store.engine.connect() as connection:
        clear = connection.exec_driver_sql(
            "SELECT count(*) FROM change WHERE old IS NOT NULL OR new IS NOT NULL"
        ).scalar_one()
    assert (clear == 0) == ("sealed" in request.node.callspec.id)
