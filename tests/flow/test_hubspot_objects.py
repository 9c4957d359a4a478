"""Every object of HubSpot is synced as it is: the CRM's own, what people do, and custom ones."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from crmtrail.model import ActorKind, Mode, Op
from support.hubspot_trails import Trails, trails

BOOKKEEPING = {"hs_object_id", "lastmodifieddate", "hs_lastmodifieddate", "tax_number"}
TEXTS = {
    "leads": "hs_lead_name",
    "calls": "hs_call_body",
    "emails": "hs_email_html",
    "meetings": "hs_meeting_body",
    "notes": "hs_note_body",
    "tasks": "hs_task_body",
    "line_items": "description",
    "products": "description",
    "quotes": "hs_comments",
    "service_plans": "plan_name",
}
LONG = f"<p>{'Ümläut & word ' * 20_000}</p>"


@pytest.fixture
def portal() -> Iterator[Trails]:
    with trails() as found:
        yield found


def truth(portal: Trails, object_: str) -> Mapping[str, Mapping[str, Any]]:
    return {
        one["id"]: {k: v for k, v in one["properties"].items() if k not in BOOKKEEPING}
        for one in portal.portal.truth(object_)
        if not one["deleted"]
    }


def stored(portal: Trails, object_: str) -> Mapping[str, Mapping[str, Any]]:
    return {
        id_: {k: v for k, v in portal.fields(object_, id_).items() if v is not None}
        for id_ in portal.live(object_)
    }


def own_name(portal: Trails, object_: str) -> str:
    custom = object_ == "service_plans"
    return f"p{portal.portal.people['portal']}_{object_}" if custom else object_


@pytest.mark.parametrize("version", ["", "2026-03"])
def test_all_objects_are_synced_as_they_are(portal: Trails, version: str) -> None:
    portal.version = version
    with portal.connected() as connector:
        objects = connector.objects()

    runs = portal.sync(*objects)

    assert [(run.object, run.state, run.gaps) for run in runs] == [
        (object_, "done", ()) for object_ in objects
    ]
    own = own_name(portal, "service_plans")
    names = {object_: "service_plans" if object_ == own else object_ for object_ in objects}
    assert {*TEXTS, "contacts", "companies", "deals", "tickets"} == set(names.values())
    for object_, name in names.items():
        assert stored(portal, object_) == truth(portal, name), object_


@pytest.mark.parametrize("object_", TEXTS)
def test_a_change_is_read_with_its_author(portal: Trails, object_: str) -> None:
    name, field = own_name(portal, object_), TEXTS[object_]
    portal.sync(name)
    portal.pass_time(300)
    id_ = portal.portal.ids(object_, 1)[0]
    change = [{"id": id_, "fields": {field: "Written anew"}}]
    portal.act("update", by="Elena Moretti", object=object_, records=change)

    portal.sync(name)

    edits = {entry.field: entry for entry in portal.log(name, Op.UPDATE)}
    assert edits[field].new == '"Written anew"'
    assert edits[field].change_set.actor.name == "Elena Moretti"
    assert edits[field].change_set.actor.kind is ActorKind.USER
    assert stored(portal, name) == truth(portal, object_)


@pytest.mark.parametrize("object_", ["notes", "emails"])
def test_a_large_body_is_kept_to_the_last_letter(portal: Trails, object_: str) -> None:
    portal.sync(object_)
    portal.pass_time(300)
    id_ = portal.portal.ids(object_, 1)[0]
    change = [{"id": id_, "fields": {TEXTS[object_]: LONG}}]
    portal.act("update", object=object_, records=change)

    portal.sync(object_)

    assert portal.fields(object_, id_)[TEXTS[object_]] == LONG


@pytest.mark.parametrize("object_", ["notes", "tasks", "leads"])
def test_what_is_deleted_is_gone(portal: Trails, object_: str) -> None:
    portal.sync(object_)
    portal.pass_time(300)
    id_ = portal.portal.ids(object_, 1)[0]
    portal.act("delete", object=object_, records=[{"id": id_}])

    portal.sync(object_)
    portal.sync(object_, mode=Mode.RECONCILE)

    assert id_ not in portal.live(object_)
    [gone] = portal.log(object_, Op.DELETE)
    assert gone.change_set.ref.id == id_


def test_deleting_a_quote_deletes_its_line_items_here_too(portal: Trails) -> None:
    pair = "line_items-quotes"
    portal.sync("quotes", "line_items", pair)
    portal.pass_time(300)
    item, quote = min(portal.live(pair)).split("-")
    portal.act("delete", object="quotes", records=[{"id": quote}])

    portal.sync("quotes", "line_items")
    portal.sync(pair, mode=Mode.RECONCILE)

    assert quote not in portal.live("quotes")
    assert item not in portal.live("line_items")
    assert not [id_ for id_ in portal.live(pair) if id_.endswith(f"-{quote}")]
