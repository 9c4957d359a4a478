"""Detection inside the page, operations, incidents, and the ledger of every store."""

from datetime import timedelta

import pytest

from crmtrail.errors import Unfound
from crmtrail.model import Field, FieldType, IncidentState, Mode, Op, Schema
from crmtrail.ports import Noticed
from support.readings import ADA, OBJECT, SOURCE, T0, at, reading, ref, removal
from support.store_rig import RIGS, StoreRig, Watching, ops, proven_rig


@pytest.fixture(params=sorted(RIGS))
def rig(request, tmp_path):
    with proven_rig(request.param, tmp_path) as made:
        yield made


def blank(rig: StoreRig, *ids: str, modified: float, notice) -> tuple[str, ...]:
    found = [reading(id_, {"Phone": ""}, modified=modified) for id_ in ids]
    return rig.keep(*found, notice=notice).incidents


@pytest.fixture
def loaded(rig):
    rig.keep(*(reading(id_, {"Phone": "1"}) for id_ in ("003A", "003B", "003C")), complete_to=at(1))
    return rig


# --- what detection is shown ---------------------------------------------------------------------


def test_detection_sees_acts_and_no_baselines(loaded):
    watching = Watching()
    loaded.keep(
        reading("003D", {"Phone": "1"}, modified=5, created=0),
        reading("003E", {"Phone": "1"}, modified=20, created=20),
        reading("003A", {"Phone": "2"}, modified=20),
        removal("003B", read=30, when=25),
        notice=watching,
    )
    assert [made.op for made in watching.shown] == [Op.CREATE, Op.UPDATE, Op.DELETE]


def test_detection_is_not_asked_about_nothing(loaded):
    loaded.keep(reading("003A", {"Phone": "1"}, read=99), notice=lambda *_: pytest.fail("asked"))


def test_the_scene_tells_the_schema_and_how_many_live(loaded):
    schema = Schema(SOURCE, OBJECT, {"Phone": Field("Phone", FieldType.PHONE)})
    loaded.store.learn(schema, T0)
    watching = Watching()
    loaded.keep(
        removal("003B", read=30, when=25),
        reading("003E", {"Phone": "1"}, modified=20, created=20),
        notice=watching,
    )
    [scene] = watching.scenes
    assert (scene.source, scene.object, scene.schema) == (SOURCE, OBJECT, schema)
    assert scene.population == 4  # three before, one new; what the page removes still counts


def test_an_operation_may_grow_for_six_hours(loaded):
    hours = timedelta(hours=1).total_seconds()
    blank(loaded, "003A", modified=100, notice=Watching("op-1"))
    near, far = Watching("op-2"), Watching("op-3")
    blank(loaded, "003B", modified=100 + 6 * hours, notice=near)
    blank(loaded, "003C", modified=101 + 13 * hours, notice=far)

    assert [each.id for each in near.scenes[0].operations] == ["op-1"]
    assert far.scenes[0].operations == []


def test_operations_of_other_objects_are_not_shown(loaded):
    blank(loaded, "003A", modified=100, notice=Watching("op-1"))
    watching = Watching("op-2")
    other = [
        reading("001A", {"Phone": value}, modified=when, object_="Account")
        for value, when in (("1", 90), ("", 110))
    ]
    loaded.store.absorb(SOURCE, "Account", other, notice=watching)
    assert watching.scenes[0].operations == []


def test_the_operation_of_the_version_before_is_told(loaded):
    watching = Watching("op-1")
    blank(loaded, "003A", modified=100, notice=watching)
    loaded.keep(reading("003A", {"Phone": "2"}, modified=120), notice=watching)

    first, second = watching.shown
    assert (first.previous_operation, second.previous_operation) == (None, "op-1")
    stored = loaded.store.timeline(ref("003A"))
    assert [made.operation for made in stored] == [None, "op-1", "op-1"]
    assert [made.previous_operation for made in stored] == [None, None, "op-1"]


def test_detection_has_to_place_every_change_set(loaded):
    with pytest.raises(ValueError, match="0 of 1"):
        blank(loaded, "003A", modified=100, notice=lambda *_: Noticed())
    assert ops(loaded) == [Op.BASELINE]


# --- operations ----------------------------------------------------------------------------------


def test_an_operation_grows_and_keeps_its_members(loaded):
    watching = Watching("op-1")
    blank(loaded, "003B", "003A", modified=100, notice=watching)
    blank(loaded, "003C", modified=200, notice=watching)

    operation = loaded.store.operation("op-1")
    assert (operation.records, operation.started, operation.ended) == (3, at(100), at(200))
    assert (operation.actor, operation.op, operation.fields) == (ADA, Op.UPDATE, ("Phone",))
    assert operation.tallies["Phone"].top == (('""', 1),)
    members = list(loaded.store.members("op-1"))
    assert [made.ref.id for made in members] == ["003A", "003B", "003C"]
    assert all(made.operation == "op-1" for made in members)


def test_members_stream_in_order_however_many(rig):
    ids = [f"003{n:05}" for n in range(1201)]
    rig.keep(*(reading(id_, {"Phone": "1"}) for id_ in ids))
    watching = Watching("op-1")
    blank(rig, *reversed(ids), modified=20, notice=watching)
    rig.keep(reading(ids[3], {"Phone": "5"}, modified=40), notice=watching)

    members = [(made.ref.id, made.number) for made in rig.store.members("op-1")]
    assert members == sorted([*((id_, 2) for id_ in ids), (ids[3], 3)])


def test_operations_are_listed_newest_first(loaded):
    for no, (id_, when) in enumerate([("003A", 100), ("003B", 300), ("003C", 200)]):
        blank(loaded, id_, modified=when, notice=Watching(f"op-{no}"))
    listed = loaded.store.operations
    assert [each.id for each in listed()] == ["op-1", "op-2", "op-0"]
    assert [each.id for each in listed(since=at(200))] == ["op-1", "op-2"]
    assert [each.id for each in listed(limit=1)] == ["op-1"]
    assert listed(source="hs") == []


def test_unknown_names_are_said_to_be_unknown(rig):
    for ask in (rig.store.operation, rig.store.incident, rig.store.members):
        with pytest.raises(Unfound, match="nothing-here"):
            ask("nothing-here")
    with pytest.raises(Unfound):
        rig.store.mark("nothing-here", IncidentState.RESOLVED, T0)


# --- incidents -----------------------------------------------------------------------------------


def test_a_finding_opens_an_incident_that_later_pages_keep_up(loaded):
    watching = Watching("op-1", rule="blanking")
    [id_] = blank(loaded, "003A", modified=100, notice=watching)
    first = loaded.store.incident(id_)
    assert id_.startswith("inc-")
    assert len(id_) == len("inc-") + 8
    assert (first.state, first.finding.records, first.opened_at) == (IncidentState.NEW, 1, T0)

    loaded.clock.move(60)
    assert blank(loaded, "003B", modified=110, notice=watching) == (id_,)

    grown = loaded.store.incident(id_)
    assert (grown.state, grown.finding.records) == (IncidentState.NEW, 2), "the same run"
    assert grown.finding.evidence == {"records": 2}
    assert (grown.opened_at, grown.seen_at) == (T0, at(60))
    assert grown.operation.records == 2
    assert loaded.store.incidents() == [grown]


def test_an_incident_that_grows_in_a_later_run_is_ongoing(loaded):
    watching = Watching("op-1", rule="blanking")
    [id_] = blank(loaded, "003A", modified=100, notice=watching)
    loaded.clock.move(60)
    loaded.store.finish(loaded.run, state="done", at=loaded.clock.now(), api_calls=1)
    loaded.run = loaded.store.begin(SOURCE, OBJECT, Mode.INCREMENTAL, loaded.clock.now())
    blank(loaded, "003B", modified=110, notice=watching)
    assert loaded.store.incident(id_).state is IncidentState.ONGOING


def test_the_same_finding_again_changes_nothing(loaded):
    watching = Watching("op-1", rule="blanking")
    [id_] = blank(loaded, "003A", modified=100, notice=watching)
    before = loaded.store.incident(id_)
    loaded.clock.move(60)
    kept = loaded.keep(reading("003A", {"Phone": "2"}, modified=120), notice=watching)

    after = loaded.store.incident(id_)
    assert kept.incidents == ()
    assert (after.state, after.seen_at, after.finding) == (
        IncidentState.NEW,
        before.seen_at,
        before.finding,
    )
    assert after.operation.ended == at(120)


def test_a_resolved_incident_that_grows_is_ongoing_again(loaded):
    watching = Watching("op-1", rule="blanking")
    [id_] = blank(loaded, "003A", modified=100, notice=watching)
    loaded.store.mark(id_, IncidentState.RESOLVED, at(200))
    assert loaded.store.incident(id_).state is IncidentState.RESOLVED
    assert loaded.store.incidents((IncidentState.NEW, IncidentState.ONGOING)) == []

    blank(loaded, "003B", modified=110, notice=watching)
    [incident] = loaded.store.incidents([IncidentState.ONGOING])
    assert incident.id == id_


def test_two_rules_on_one_operation_are_two_incidents(loaded):
    blanking, mass = Watching("op-1", rule="blanking"), Watching("op-1", rule="mass")
    [one] = blank(loaded, "003A", modified=100, notice=blanking)
    loaded.clock.move(5)
    [other] = blank(loaded, "003B", modified=110, notice=mass)
    assert [each.id for each in loaded.store.incidents()] == [other, one]


# --- the ledger ----------------------------------------------------------------------------------


def test_every_version_and_every_action_is_an_entry(loaded):
    store = loaded.store
    assert store.checkpoint(T0).size == 3
    watching = Watching("op-1", rule="blanking")
    [id_] = blank(loaded, "003A", modified=100, notice=watching)
    assert store.seal("anchored", {"sink": "file", "size": 5}, at(300)) == 5
    store.mark(id_, IncidentState.RESOLVED, at(400))
    store.mark(id_, IncidentState.RESOLVED, at(500))
    store.finish(loaded.run, state="done", at=at(600), api_calls=1)

    told = store.verify()
    assert (told.ok, told.entries) == (True, 8)
    assert told.root == store.checkpoint(T0).root
    loaded.run = store.begin(SOURCE, OBJECT, Mode.INCREMENTAL, at(650))
    loaded.keep(reading("003B", {"Phone": "2"}, modified=30))
    assert store.checkpoint(at(700)).size == 9


def test_the_empty_ledger_has_the_empty_root(tmp_path):
    for name, rig in RIGS.items():
        folder = tmp_path / name
        folder.mkdir()
        with rig(folder) as made:
            checkpoint = made.store.checkpoint(T0)
        assert checkpoint.size == 0
        assert checkpoint.root.startswith("e3b0c44298fc1c14")


def test_versions_cannot_be_sealed_by_hand(rig):
    with pytest.raises(ValueError, match="versions"):
        rig.store.seal("version", {}, T0)


def test_all_stores_seal_as_much(tmp_path):
    roots = []
    for name, rig in RIGS.items():
        folder = tmp_path / name
        folder.mkdir()
        with rig(folder) as made:
            made.keep(*(reading(f"003{n}", {"Phone": "1"}, modified=n) for n in range(7)))
            made.keep(
                *(reading(f"003{n}", {"Phone": None}, modified=20 + n) for n in range(5)),
                removal("0036", read=90, when=80),
                notice=Watching("op-1", rule="blanking"),
            )
            made.store.begin(SOURCE, "Account", Mode.FULL, T0)
            made.store.finish(made.run, state="failed", at=at(99), api_calls=2)
            roots.append(made.store.checkpoint(T0))
    assert len({root.size for root in roots}) == 1
