"""What HubSpot's property histories tell, and what they cannot tell."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from connectors.hubspot.history import (
    Capped,
    beginning,
    events_of,
    noted,
    overflows,
    unknown_before,
)
from connectors.hubspot.readings import reading_of
from connectors.hubspot.shapes import Thing
from crmtrail.model import NULL, Op, Ref
from snapshot.diff import unfold

MADE = datetime(2026, 1, 1, tzinfo=UTC)
READ = datetime(2026, 11, 24, 10, tzinfo=UTC)
REF = Ref("hs", "deals", "101")


class Nobody:
    def user(self, id_: str) -> str | None:
        del id_
        return None

    def import_(self, id_: str) -> str | None:
        del id_
        return None


def day(number: int, second: int = 0) -> str:
    at = MADE + timedelta(days=number, seconds=second)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def entry(value: Any, at: str, source: str = "CRM_UI", user: int = 9) -> dict[str, Any]:
    return {"value": value, "timestamp": at, "sourceType": source, "updatedByUserId": user}


def thing(properties: dict[str, Any], history: dict[str, Any], **more: Any) -> Thing:
    body = {
        "id": "101",
        "createdAt": day(0),
        "updatedAt": day(200),
        "properties": properties,
        "propertiesWithHistory": history,
    } | more
    return msgspec.json.decode(json.dumps(body), type=Thing)


def told(found: Thing, object_: str = "deals") -> list[tuple[Any, ...]]:
    return [(one.field, one.old, one.token, one.at) for one in events_of(object_, found, Nobody())]


def at(number: int, second: int = 0) -> datetime:
    return MADE + timedelta(days=number, seconds=second)


def test_each_change_tells_old_new_and_time() -> None:
    history = {"stage": [entry("", day(9)), entry("b", day(5)), entry("a", day(3))]}
    assert told(thing({"stage": None}, history)) == [
        ("stage", NULL, '"a"', at(3)),
        ("stage", '"a"', '"b"', at(5)),
        ("stage", '"b"', NULL, at(9)),
    ]


@pytest.mark.parametrize("newest_first", [True, False])
def test_the_order_of_a_list_tells_that_of_one_moment(newest_first: bool) -> None:
    entries = [entry("c", day(9)), entry("b", day(5)), entry("a", day(5))]
    if not newest_first:
        entries.reverse()
    values = [one[2] for one in told(thing({"stage": "c"}, {"stage": entries}))]
    assert values == ['"a"', '"b"', '"c"']


def test_an_entry_that_is_listed_twice_is_one_change() -> None:
    history = {"stage": [entry("b", day(5)), entry("b", day(5)), entry("a", day(3))]}
    assert [one[2] for one in told(thing({"stage": "b"}, history))] == ['"a"', '"b"']


@pytest.mark.parametrize("count", [19, 20, 25])
def test_before_the_oldest_of_as_many_as_are_kept_nobody_knows(count: int) -> None:
    entries = [entry(str(no), day(100 + no)) for no in range(count)][::-1]
    first = told(thing({"stage": str(count - 1)}, {"stage": entries}))[0]
    assert first[1] == (NULL if count < 20 else None)


def test_a_full_history_that_begins_with_the_record_is_whole() -> None:
    entries = [entry(str(no), day(no)) for no in range(20)][::-1]
    whole = thing({"stage": "19"}, {"stage": entries})
    assert told(whole)[0][1] == NULL
    assert not list(overflows("deals", whole, at(-5)))


def test_contacts_keep_more() -> None:
    entries = [entry(str(no), day(100 + no)) for no in range(44)][::-1]
    assert told(thing({"stage": "43"}, {"stage": entries}), "contacts")[0][1] == NULL


@pytest.mark.parametrize("source", ["RESTORE_OBJECTS", "RECYCLING_BIN", "MERGE_CONTACTS"])
def test_an_entry_of_a_restore_or_a_merge_may_not_be_the_first(source: str) -> None:
    history = {"stage": [entry("a", day(3), source)]}
    assert told(thing({"stage": "a"}, history))[0][1] is None


def test_one_write_of_several_properties_stays_together() -> None:
    history = {
        "amount": [entry("5", day(9))],
        "score": [entry("1", day(9), "CALCULATED")],
        "stage": [entry("b", day(9))],
    }
    found = reading_of(
        REF, thing({"amount": "5", "score": "1", "stage": "b"}, history), READ, Nobody()
    )
    bare = reading_of(REF, thing({}, {}, updatedAt=day(5)), READ, Nobody())
    past = unfold(None, bare, horizon=None).past
    made = [one.change_set for one in unfold(past, found, horizon=None).drafts]
    fields = [sorted(change.field for change in one.changes) for one in made]
    assert sorted(fields) == [["amount", "stage"], ["score"]]


DATES = [
    ("2026-03-01T08:00:00.000Z", 1772352000000, '"2026-03-01T08:00:00.000Z"'),
    ("2026-03-01T08:00:00Z", "1772352000000", '"2026-03-01T08:00:00Z"'),
    ("2026-03-01", "1772323200000", '"2026-03-01"'),
    ("12.50", "12.5", '"12.50"'),
    ("closed", "7", '"7"'),
]


@pytest.mark.parametrize(("now", "in_history", "expected"), DATES)
def test_a_history_is_spelled_like_the_record(now: str, in_history: Any, expected: str) -> None:
    found = thing({"x": now}, {"x": [entry(in_history, day(9))]})
    assert told(found)[0][2] == expected


def test_older_dates_in_milliseconds_are_spelled_alike() -> None:
    found = thing(
        {"x": "2026-03-01"}, {"x": [entry(1772323200000, day(9)), entry("-86400000", day(8))]}
    )
    assert [one[2] for one in told(found)] == ['"1969-12-31"', '"2026-03-01"']


def story(found: Thing, horizon: datetime | None = None) -> list[tuple[Any, ...]]:
    reading = reading_of(REF, found, READ, Nobody())
    return [
        (draft.change_set.op, draft.change_set.at, dict(draft.fields or {}))
        for draft in unfold(None, reading, horizon=horizon).drafts
    ]


def test_a_first_sight_brings_the_whole_history_along() -> None:
    history = {
        "stage": [entry("b", day(50)), entry("a", day(0))],
        "amount": [entry("5", day(90))],
        "empty": [],
    }
    properties = {"stage": "b", "amount": "5", "empty": None, "silent": "x"}
    assert story(thing(properties, history)) == [
        (Op.BASELINE, at(0), {"stage": '"a"', "amount": NULL, "empty": NULL}),
        (Op.UPDATE, at(50), {"stage": '"b"', "amount": NULL, "empty": NULL}),
        (Op.UPDATE, at(90), {"stage": '"b"', "amount": '"5"', "empty": NULL}),
        # Nothing tells since when this one had its value.
        (
            Op.BASELINE,
            at(200),
            {"stage": '"b"', "amount": '"5"', "empty": NULL, "silent": '"x"'},
        ),
    ]


def test_values_from_before_the_oldest_kept_are_not_made_up() -> None:
    entries = [entry(str(no), day(100 + no)) for no in range(20)][::-1]
    first, second, *_ = story(thing({"stage": "19"}, {"stage": entries}))
    assert first == (Op.BASELINE, at(0), {})
    assert second == (Op.UPDATE, at(100), {"stage": '"0"'})


def test_a_survivor_has_the_history_of_what_went_into_it() -> None:
    history = {"stage": [entry("b", day(50)), entry("a", day(3))]}
    assert story(thing({"stage": "b"}, history, createdAt=day(60))) == [
        (Op.BASELINE, at(3), {"stage": '"a"'}),
        (Op.UPDATE, at(50), {"stage": '"b"'}),
    ]


def test_history_is_imported_only_as_far_back_as_was_asked_for() -> None:
    history = {
        "stage": [entry("c", day(90)), entry("b", day(50)), entry("a", day(0))],
        "amount": [entry("6", day(40)), entry("5", day(30))],
    }
    whole = reading_of(REF, thing({"stage": "c", "amount": "6"}, history), READ, Nobody())
    made = unfold(None, beginning(whole, at(60)), horizon=None).drafts
    assert [(one.change_set.op, one.change_set.at, one.fields) for one in made] == [
        (Op.BASELINE, at(60), {"stage": '"b"', "amount": '"6"'}),
        (Op.UPDATE, at(90), {"stage": '"c"', "amount": '"6"'}),
    ]
    assert beginning(whole, None) is whole
    assert beginning(whole, at(-1)) is whole


def test_what_a_first_load_cannot_know_is_one_gap_that_names_properties_and_records() -> None:
    entries = [entry(str(no), day(100 + no)) for no in range(20)][::-1]
    cut = thing({"stage": "19"}, {"stage": entries, "amount": entries[:3]})
    capped: Capped = noted({}, "deals", [cut])
    (gap,) = unknown_before("deals", capped)
    assert "stage (of deals 101)" in gap.why
    assert "amount" not in gap.why
    for _ in range(20):
        capped = noted(capped, "deals", [cut])
    (gap,) = unknown_before("deals", capped)
    assert "stage (of 21 deals)" in gap.why
    assert not list(unknown_before("deals", {}))
