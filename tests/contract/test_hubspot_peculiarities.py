"""What is peculiar to HubSpot: merges, vanished ids, lag, short pages, long property lists."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import pytest

from crmtrail.model import (
    NULL,
    ActorKind,
    Loss,
    Mode,
    Page,
    Reading,
    Ref,
    Removal,
    Verdict,
    Write,
)
from crmtrail.ports import Connector
from support.connector_rig import Run, drive
from support.hubspot_rig import HubSpotRig, hubspot_rig

OBJECTS = ("contacts", "companies", "deals", "tickets", "line_items", "products", "quotes")


@pytest.fixture
def rig() -> Iterator[HubSpotRig]:
    with hubspot_rig() as rig:
        yield rig


@pytest.fixture
def connector(rig: HubSpotRig) -> Iterator[Connector]:
    with closing(rig.connect()) as connector:
        yield connector


def act(rig: HubSpotRig, verb: str, **order: Any) -> list[str]:
    by = order.pop("by", {"kind": "user", "id": rig.user.id})
    order = {"object": rig.object, "as": by} | order
    return [str(id_) for id_ in rig.sandbox.act("hubspot", do=verb, **order)["ids"]]


def switch(rig: HubSpotRig, verb: str, **order: Any) -> None:
    rig.sandbox.act("hubspot", do=verb, **order)


def named(ids: Sequence[str]) -> list[dict[str, str]]:
    return [{"id": id_} for id_ in ids]


def searched(rig: HubSpotRig, connector: Connector, position: str) -> Page:
    """Take the first page of a poll: ids are known, but not read yet."""
    return connector.page(rig.object, connector.start(rig.object, position, Mode.INCREMENTAL))


@pytest.mark.parametrize("object_", OBJECTS)
def test_every_standard_object_is_polled_by_its_own_stamp(
    rig: HubSpotRig, connector: Connector, object_: str
) -> None:
    rig.object = object_
    text = {
        "contacts": "jobtitle",
        "deals": "dealname",
        "tickets": "subject",
        "quotes": "hs_title",
    }.get(object_, "name")
    if object_ == "tickets":  # a tiny portal has none
        fields = {"subject": "broken", "hs_pipeline": "0", "hs_pipeline_stage": "1"}
        act(rig, "create", records=[{"fields": fields}])
    first = drive(rig, connector)
    live = [one["id"] for one in rig.sandbox.truth("hubspot", object_) if not one["deleted"]]
    assert sorted(first.ids()) == sorted(live)
    (id_, *_) = live
    rig.update([id_], {text: "renamed"})
    run = drive(rig, connector, first.position)
    assert run.reading(id_).fields[text] == '"renamed"'
    assert run.reading(id_).actor.id == rig.user.id


@pytest.mark.parametrize("preserve", [False, True])
def test_a_merge_is_told_by_its_survivor(
    rig: HubSpotRig, connector: Connector, preserve: bool
) -> None:
    switch(rig, "merge_mode", preserve_primary=preserve)
    kept, lost = rig.create(2)
    position = drive(rig, connector).position
    (survivor,) = act(rig, "merge", records=named([kept, lost]))
    run = drive(rig, connector, position)
    told = {one.ref.id: one for one in run.removals}
    assert set(told) == ({lost} if preserve else {kept, lost})
    for one in told.values():
        assert (one.loss, one.merged_into) == (Loss.MERGED, survivor)
        assert one.actor.id == rig.user.id
        assert one.at is not None
    assert survivor in run.ids()
    found = connector.read(rig.object, [lost, survivor])
    assert isinstance(found[survivor], Reading)
    removal = found[lost]
    assert not isinstance(removal, Reading)
    assert (removal.loss, removal.merged_into) == (Loss.MERGED, survivor)


def test_ids_that_vanish_between_search_and_read_are_looked_for(
    rig: HubSpotRig, connector: Connector
) -> None:
    stays, deleted, purged, kept, lost = ids = rig.create(5)
    rig.turn(3600)
    position = drive(rig, connector).position
    rig.update(ids, {rig.text_field: "changed"})
    page = searched(rig, connector, position)
    rig.delete([deleted])
    act(rig, "purge", records=named([purged]))
    (survivor,) = act(rig, "merge", records=named([kept, lost]))
    run = drive(rig, connector, page.cursor)
    assert run.ids() == [stays]
    told = {one.ref.id: (one.loss, one.merged_into) for one in run.removals}
    assert told == {
        deleted: (Loss.DELETED, None),
        kept: (Loss.MERGED, survivor),
        lost: (Loss.MERGED, survivor),
    }
    (gap,) = run.gaps
    assert f"contacts {purged} was not returned; its deletion is not confirmed" in gap.why
    assert drive(rig, connector, run.position).ids() == [survivor]


def test_a_purged_record_is_absent_never_deleted(rig: HubSpotRig, connector: Connector) -> None:
    (id_,) = rig.create(1)
    position = drive(rig, connector).position
    act(rig, "purge", records=named([id_]))
    run = drive(rig, connector, position)
    assert not run.removals
    assert connector.read(rig.object, [id_]) == {}


def test_a_contact_deleted_for_privacy_is_told_by_the_log_of_security(
    rig: HubSpotRig, connector: Connector
) -> None:
    (id_,) = rig.create(1)
    drive(rig, connector)
    act(rig, "gdpr_delete", records=named([id_]))
    removal = connector.read(rig.object, [id_])[id_]
    assert isinstance(removal, Removal)
    assert (removal.loss, removal.actor.id) == (Loss.FORGOTTEN, rig.user.id)
    assert removal.at is not None


def test_the_whole_history_of_old_records_comes_with_the_first_load(
    rig: HubSpotRig, connector: Connector
) -> None:
    (id_,) = rig.create(1)
    for number, by in enumerate((rig.user, rig.app, rig.user)):
        rig.turn(86_400)
        rig.update([id_], {rig.text_field: f"value {number}"}, by=by)
    rig.turn(86_400)
    reading = drive(rig, connector).reading(id_)
    told = [one for one in reading.trail if one.field == rig.text_field]
    assert [(one.old, one.token, one.actor.id) for one in told] == [
        (NULL, '"value 0"', rig.user.id),
        ('"value 0"', '"value 1"', rig.app.id),
        ('"value 1"', '"value 2"', rig.user.id),
    ]
    assert reading.actor.id == rig.user.id


@pytest.mark.parametrize("preserve", [False, True])
def test_a_merge_that_was_not_seen_is_told_with_its_time_and_author(
    rig: HubSpotRig, connector: Connector, preserve: bool
) -> None:
    switch(rig, "merge_mode", preserve_primary=preserve)
    kept, lost, third = rig.create(3)
    (first,) = act(rig, "merge", records=named([kept, lost]))
    rig.turn(60)
    (survivor,) = act(rig, "merge", records=named([first, third]))
    for id_ in (lost, third):
        removal = connector.read(rig.object, [id_])[id_]
        assert isinstance(removal, Removal)
        assert (removal.loss, removal.merged_into) == (Loss.MERGED, survivor)
        assert removal.at is not None
        assert removal.actor.id == rig.user.id


def test_what_was_edited_and_archived_between_two_polls_is_told(
    rig: HubSpotRig, connector: Connector
) -> None:
    (id_,) = rig.create(1)
    rig.turn(3600)
    position = drive(rig, connector).position
    rig.turn(3600)
    rig.update([id_], {rig.text_field: "last words"}, by=rig.app)
    rig.delete([id_])
    (removal,) = drive(rig, connector, position).removals
    assert removal.last is not None
    assert removal.last.fields[rig.text_field] == '"last words"'


def test_short_pages_lose_nothing(rig: HubSpotRig, connector: Connector) -> None:
    switch(rig, "short_pages", on=True)
    made = rig.create(250)
    rig.turn(3600)
    first = drive(rig, connector)
    assert sorted(first.ids()) == sorted(rig.truth())
    rig.turn(3600)
    rig.update(made, {rig.text_field: "changed"})
    rig.delete(made[:3])
    run = drive(rig, connector, first.position)
    assert set(run.ids()) == set(made[3:])
    assert {one.ref.id for one in run.removals} == set(made[:3])


def test_a_lagging_index_loses_nothing(rig: HubSpotRig, connector: Connector) -> None:
    ids = list(rig.truth())[:40]
    run = drive(rig, connector)
    switch(rig, "index_lag", seconds=45, jitter=True)
    last: dict[str, Reading] = {}
    for round_ in range(6):
        rig.update(ids[round_::6], {rig.text_field: f"round {round_}"})
        rig.turn(20)
        run = drive(rig, connector, run.position)
        last |= {one.ref.id: one for one in run.readings}
    for _ in range(3):
        rig.turn(30)
        run = drive(rig, connector, run.position)
        last |= {one.ref.id: one for one in run.readings}
    truth = rig.truth()
    assert {id_: last[id_].fields[rig.text_field] for id_ in ids} == {
        id_: truth[id_][rig.text_field] for id_ in ids
    }


def test_the_overlap_is_not_read_twice(rig: HubSpotRig, connector: Connector) -> None:
    ids = list(rig.truth())[:60]
    connector.schema(rig.object)
    position = drive(rig, connector).position
    rig.update(ids, {rig.text_field: "changed"})
    position = drive(rig, connector, position).position
    before = connector.calls
    run = drive(rig, connector, position)
    assert run.ids() == []
    assert connector.calls - before == rig.quiet_calls


@pytest.mark.parametrize("count", [150, 420])
def test_long_property_lists_are_read_whole(rig: HubSpotRig, count: int) -> None:
    names = [f"custom_property_number_{number:04}" for number in range(count)]
    for name in names:
        act(rig, "property", name=name, change={})
    (id_, *_) = made = rig.create(120)
    rig.update(made, {names[0]: "first", names[-1]: "last"})
    with closing(rig.connect()) as connector:
        first = drive(rig, connector)
        assert sorted(first.ids()) == sorted(rig.truth())
        fields = first.reading(id_).fields
        assert {names[0]: fields[names[0]], names[-1]: fields[names[-1]]} == {
            names[0]: '"first"',
            names[-1]: '"last"',
        }
        assert fields[names[1]] == NULL
        rig.update([id_], {names[0]: "changed", names[-1]: None})
        reading = drive(rig, connector, first.position).reading(id_)
    assert reading.fields[names[0]] == '"changed"'
    assert reading.fields[names[-1]] == NULL
    assert {one.token for one in reading.trail if one.field == names[-1]} == {NULL, '"last"'}
    assert {one.token for one in reading.trail if one.field == names[0]} == {
        '"first"',
        '"changed"',
    }


def test_a_history_that_overflowed_is_a_gap(rig: HubSpotRig, connector: Connector) -> None:
    (id_,) = rig.create(1)
    rig.turn(3600)
    position = drive(rig, connector).position
    rig.turn(3600)
    for number in range(50):
        rig.update([id_], {rig.text_field: f"value {number}"})
    (gap,) = drive(rig, connector, position).gaps
    assert rig.text_field in gap.why
    assert gap.since is not None
    assert gap.until is not None
    assert gap.since < gap.until


def test_other_actors_are_told(rig: HubSpotRig, connector: Connector) -> None:
    by_import, by_flow, by_system = rig.create(3)
    position = drive(rig, connector).position
    acts = {
        by_import: {"kind": "import", "name": "spring-list.csv"},
        by_flow: {"kind": "workflow", "name": "Nurture"},
        by_system: {"kind": "system", "id": "BATCH_UPDATE"},
    }
    for id_, by in acts.items():
        change = [{"id": id_, "fields": {rig.text_field: "set"}}]
        act(rig, "update", records=change, by=by)
    run = drive(rig, connector, position)
    imported = run.reading(by_import).actor
    assert (imported.kind, imported.name) == (ActorKind.IMPORT, "spring-list.csv")
    assert imported.via == "import spring-list.csv"
    flow = run.reading(by_flow).actor
    assert flow.kind is ActorKind.AUTOMATION
    (event,) = [
        one
        for one in run.reading(by_system).trail
        if (one.field, one.token) == (rig.text_field, '"set"')
    ]
    assert (event.actor.kind, event.actor.id) == (ActorKind.SYSTEM, "BATCH_UPDATE")


def test_reconciling_keeps_the_authors_of_what_changed(
    rig: HubSpotRig, connector: Connector
) -> None:
    (id_,) = rig.create(1)
    rig.turn(3600)
    position = drive(rig, connector).position
    rig.turn(3600)
    rig.update([id_], {rig.text_field: "changed"}, by=rig.app)
    run = drive(rig, connector, position, Mode.RECONCILE)
    assert run.seen() == set(rig.truth())
    assert run.ids() == [id_]
    assert run.reading(id_).actor.id == rig.app.id
    assert run.reading(id_).trail


def test_reconciling_in_the_middle_of_a_poll_does_both(
    rig: HubSpotRig, connector: Connector
) -> None:
    (id_,) = rig.create(1)
    rig.turn(3600)
    position = drive(rig, connector).position
    rig.turn(3600)
    rig.update([id_], {rig.text_field: "changed"}, by=rig.app)
    page = searched(rig, connector, position)
    run = drive(rig, connector, page.cursor, Mode.RECONCILE)
    assert run.readings[0].ref.id == id_
    assert run.readings[0].actor.id == rig.app.id
    assert run.seen() == set(rig.truth())
    assert run.pages[-1].swept is not None


def test_a_large_recycle_bin_is_not_listed_at_every_poll(
    rig: HubSpotRig, connector: Connector
) -> None:
    made = rig.create(1_150)
    connector.schema(rig.object)
    position = drive(rig, connector).position
    rig.delete(made)
    run = drive(rig, connector, position)
    assert {one.ref.id for one in run.removals} == set(made)
    rig.turn(120)
    assert calls(connector, lambda: drive(rig, connector, run.position)) == 1
    rig.turn(600)
    assert calls(connector, lambda: drive(rig, connector, run.position)) >= 12


def test_names_are_asked_for_once(rig: HubSpotRig, connector: Connector) -> None:
    ids = list(rig.truth())
    position = drive(rig, connector).position
    for round_ in range(3):
        rig.update(ids[:2], {rig.text_field: f"round {round_}"})
        position = drive(rig, connector, position).position
    targets = [one["target"] for one in rig.sandbox.requests(crm="hubspot")]
    assert len([one for one in targets if "/owners" in one]) <= 2


def test_a_lifecycle_stage_is_put_back(rig: HubSpotRig) -> None:
    (id_,) = rig.create(1)
    rig.update([id_], {"lifecyclestage": "customer"})
    write = Write(Ref(rig.source, rig.object, id_), {"lifecyclestage": '"lead"'}, "k")
    with closing(rig.connect_restorer()) as restorer:
        (answer,) = restorer.write(rig.object, [write])
    assert answer.verdict is Verdict.ACCEPTED
    assert rig.truth()[id_]["lifecyclestage"] == '"lead"'


def calls(connector: Connector, run: Any) -> int:
    before = connector.calls
    done: Run = run()
    assert done.pages[-1].done
    return connector.calls - before
