"""From HubSpot's JSON to readings, trails, removals and gaps."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from connectors.hubspot.history import overflows
from connectors.hubspot.merging import mergers
from connectors.hubspot.readings import reading_of, removal_of, token
from connectors.hubspot.shapes import Thing
from crmtrail.model import NULL, ActorKind, Loss, Ref, value_of

AT = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
REF = Ref("hs", "contacts", "101")


class Nobody:
    def user(self, id_: str) -> str | None:
        return {"9": "Maya Lindqvist"}.get(id_)

    def import_(self, id_: str) -> str | None:
        return None


def thing(**parts: Any) -> Thing:
    body = {
        "id": "101",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-11-24T09:00:00.500Z",
        "properties": {},
    } | parts
    return msgspec.json.decode(json.dumps(body), type=Thing)


def entry(value: Any, at: str, source: str = "CRM_UI", **more: Any) -> dict[str, Any]:
    return {"value": value, "timestamp": at, "sourceType": source, "sourceId": "userId:9"} | more


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("null", NULL),
        ('""', NULL),
        ('"1.10"', '"1.10"'),
        ('"Zo\u00eb"', '"Zo\\u00eb"'),
        ('"Zo\\u00EB"', '"Zo\\u00eb"'),
        ('"a\\/b"', '"a/b"'),
        ('"\U0001f642"', '"\\ud83d\\ude42"'),
        ("1.10", "1.10"),
        ("true", "true"),
    ],
)
def test_one_value_has_one_spelling(text: str, expected: str) -> None:
    body = f'{{"id":"1","properties":{{"x":{text}}}}}'
    raw = msgspec.json.decode(body.encode(), type=Thing).properties["x"]
    assert token(raw) == expected


def test_stamps_and_ids_are_no_content() -> None:
    properties = {
        "email": "a@b.example",
        "phone": None,
        "lastmodifieddate": "2026-11-24T09:00:00.500Z",
        "hs_object_id": "101",
    }
    reading = reading_of(REF, thing(properties=properties), AT, Nobody())
    assert reading.fields == {"email": '"a@b.example"', "phone": NULL}
    assert set(reading.stamps) == {"lastmodifieddate", "hs_object_id"}
    assert reading.modified_at == datetime(2026, 11, 24, 9, 0, 0, 500_000, tzinfo=UTC)
    assert reading.created_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert reading.read_at == AT


def test_nothing_is_read_before_it_was_changed() -> None:
    late = thing(updatedAt="2026-11-24T10:00:00.700Z")
    reading = reading_of(REF, late, AT, Nobody())
    assert reading.read_at == reading.modified_at > AT


def test_a_record_without_history_names_nobody() -> None:
    reading = reading_of(REF, thing(), AT, Nobody())
    assert reading.actor.kind is ActorKind.UNKNOWN
    assert "list" in str(reading.actor.why)
    assert reading.edited_at == reading.modified_at


def test_the_trail_tells_values_times_and_actors() -> None:
    history = {
        "phone": [
            entry("", "2026-11-24T08:59:00Z"),
            entry("1", "2026-11-01T00:00:00Z", "INTEGRATION", sourceId="77", sourceLabel="Sync"),
        ],
        "score": [entry("5", "2026-11-24T09:00:00.500Z", "CALCULATED", sourceId=None)],
        "lastmodifieddate": [entry("x", "2026-11-24T09:00:00.500Z")],
    }
    reading = reading_of(REF, thing(propertiesWithHistory=history), AT, Nobody())
    told = {(one.field, one.token, one.actor.name) for one in reading.trail}
    assert told == {
        ("phone", NULL, "Maya Lindqvist"),
        ("phone", '"1"', "Sync"),
        ("score", '"5"', "HubSpot (CALCULATED)"),
    }
    assert (reading.actor.id, reading.actor.name) == ("9", "Maya Lindqvist")
    assert reading.edited_at == datetime(2026, 11, 24, 8, 59, tzinfo=UTC)


def test_hubspots_arithmetic_is_the_editor_only_where_nobody_else_was() -> None:
    history = {"score": [entry("5", "2026-11-24T09:00:00Z", "CALCULATED")]}
    reading = reading_of(REF, thing(propertiesWithHistory=history), AT, Nobody())
    assert reading.actor.kind is ActorKind.SYSTEM


def test_entries_with_missing_parts_are_survived() -> None:
    history: dict[str, Any] = {
        "a": [{"value": None, "timestamp": "2026-11-24T09:00:00Z", "sourceType": "API"}],
        "b": [{"value": "x"}],
        "c": [{"value": "y", "timestamp": 1711929600000, "sourceType": "NEW", "sourceId": 7}],
    }
    reading = reading_of(REF, thing(propertiesWithHistory=history), AT, Nobody())
    told = {(one.field, one.token, one.actor.kind) for one in reading.trail}
    assert told == {("a", NULL, ActorKind.APP), ("c", '"y"', ActorKind.UNKNOWN)}


def test_an_archived_record_is_a_removal_with_a_way_back() -> None:
    removal = removal_of(REF, thing(archived=True, archivedAt="2026-11-20T00:00:00Z"), AT)
    assert (removal.loss, removal.at) == (Loss.DELETED, datetime(2026, 11, 20, tzinfo=UTC))
    assert removal.restorable_until == datetime(2026, 11, 20, tzinfo=UTC) + timedelta(days=90)
    assert removal.actor.why == "HubSpot does not say who archived a record"


def test_a_survivor_tells_whom_it_swallowed() -> None:
    history = {
        "hs_merged_object_ids": [
            entry("51;52", "2026-11-24T09:00:00Z", "MERGE_CONTACTS", updatedByUserId=9),
            entry("51", "2026-11-01T00:00:00Z", "MERGE_CONTACTS", sourceId=None),
        ]
    }
    properties = {"hs_merged_object_ids": "51;52;101"}
    merged = thing(properties=properties, propertiesWithHistory=history)
    first, second = mergers(reading_of(REF, merged, AT, Nobody()))
    assert (first.ref.id, first.at) == ("51", datetime(2026, 11, 1, tzinfo=UTC))
    assert (second.ref.id, second.actor.id, second.merged_into) == ("52", "9", "101")
    assert {one.loss for one in (first, second)} == {Loss.MERGED}


@pytest.mark.parametrize(
    ("object_", "entries", "gaps"),
    [("contacts", 45, 1), ("contacts", 44, 0), ("deals", 20, 1), ("deals", 19, 0)],
)
def test_a_history_cut_off_since_the_last_poll_is_a_gap(
    object_: str, entries: int, gaps: int
) -> None:
    since = datetime(2026, 11, 24, tzinfo=UTC)
    history = {
        "phone": [entry(str(n), f"2026-11-24T0{1 + n // 10}:00:0{n % 10}Z") for n in range(entries)]
    }
    found = list(overflows(object_, thing(propertiesWithHistory=history), since))
    assert len(found) == gaps
    for gap in found:
        assert (gap.object, gap.since) == (object_, since)
        assert gap.until == datetime(2026, 11, 24, 1, tzinfo=UTC)
        assert value_of('"phone"') in gap.why
    earlier = datetime(2026, 11, 24, 5, tzinfo=UTC)
    assert not list(overflows(object_, thing(propertiesWithHistory=history), earlier))


@pytest.mark.parametrize(
    ("source", "more", "expected"),
    [
        ("CRM_UI", {"sourceId": "userId:9"}, (ActorKind.USER, "9")),
        ("IMPORT", {"sourceId": "35795473"}, (ActorKind.IMPORT, "35795473")),
        ("FORM", {"sourceId": "7"}, (ActorKind.UNKNOWN, None)),
    ],
)
def test_the_first_values_name_the_creator_where_the_source_does_not(
    source: str, more: dict[str, Any], expected: tuple[ActorKind, str | None]
) -> None:
    made = "2026-05-01T10:00:00.000Z"
    record = thing(
        createdAt=made,
        properties={"hs_object_source": source, "email": "a@b.c"},
        propertiesWithHistory={"email": [entry("a@b.c", made, source, **more)]},
    )
    creator = reading_of(REF, record, AT, Nobody()).creator
    assert creator is not None
    assert (creator.kind, creator.id) == expected


@pytest.mark.parametrize(
    ("at", "source"),
    [
        ("2026-05-01T10:00:01.000Z", "CRM_UI"),
        ("2026-05-01T10:00:00.000Z", "CRM_UI_BULK_ACTION"),
    ],
)
def test_later_values_and_other_sources_do_not_name_the_creator(at: str, source: str) -> None:
    record = thing(
        createdAt="2026-05-01T10:00:00.000Z",
        properties={"hs_object_source": "CRM_UI", "email": "a@b.c"},
        propertiesWithHistory={"email": [entry("a@b.c", at, source, sourceId="userId:9")]},
    )
    creator = reading_of(REF, record, AT, Nobody()).creator
    assert creator is not None
    assert creator.kind is ActorKind.UNKNOWN
