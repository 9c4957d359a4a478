"""Which records went into a survivor, when, and by whom."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec

from connectors.hubspot.merging import merged_away, merged_ids, mergers, traces
from connectors.hubspot.readings import reading_of
from connectors.hubspot.shapes import Thing, milliseconds
from crmtrail.model import Reading, Ref, Removal

READ = datetime(2026, 11, 24, 10, tzinfo=UTC)
ONE = datetime(2026, 11, 1, 8, tzinfo=UTC)
TWO = datetime(2026, 11, 2, 9, tzinfo=UTC)


class Staff:
    def user(self, id_: str) -> str | None:
        return {"7": "Ada", "9": "Bob"}.get(id_)

    def import_(self, id_: str) -> str | None:
        del id_
        return None


def entry(value: str, at: datetime, user: int, source: str = "MERGE_CONTACTS") -> dict[str, Any]:
    return {
        "value": value,
        "timestamp": at.isoformat(),
        "sourceType": source,
        "updatedByUserId": user,
    }


def survivor(properties: dict[str, Any], history: dict[str, Any], id_: str = "55") -> Reading:
    body = {"id": id_, "updatedAt": READ.isoformat(), "properties": properties}
    thing = msgspec.json.decode(json.dumps(body | {"propertiesWithHistory": history}), type=Thing)
    return reading_of(Ref("hs", "contacts", id_), thing, READ, Staff())


def told(found: Reading) -> dict[str, tuple[datetime | None, str | None]]:
    return {one.ref.id: (one.at, one.actor.name) for one in mergers(found)}


def vids(*pairs: tuple[str, datetime]) -> str:
    return ";".join(f"{id_}:{milliseconds(at)}" for id_, at in pairs)


def test_the_history_of_the_ids_tells_when_and_who() -> None:
    history = {"hs_merged_object_ids": [entry("51;52;53", TWO, 9), entry("51;52", ONE, 7)]}
    found = survivor({"hs_merged_object_ids": "51;52;53"}, history)
    assert told(found) == {"51": (ONE, "Ada"), "52": (ONE, "Ada"), "53": (TWO, "Bob")}


def test_without_it_the_times_of_a_contact_and_the_entries_of_its_merges_tell() -> None:
    history = {"phone": [entry("2", TWO, 9), entry("1", ONE, 7)]}
    properties = {"hs_calculated_merged_vids": vids(("51", ONE), ("53", TWO), ("55", TWO))}
    assert told(survivor(properties, history)) == {"51": (ONE, "Ada"), "53": (TWO, "Bob")}


def test_ids_of_either_property_are_told() -> None:
    properties = {
        "hs_merged_object_ids": "51;52",
        "hs_calculated_merged_vids": vids(("53", TWO), ("52", ONE)),
    }
    assert merged_ids(survivor(properties, {})) == ("51", "52", "53")


def test_one_merge_of_all_explains_every_id() -> None:
    found = survivor({"hs_merged_object_ids": "51;52"}, {"phone": [entry("1", ONE, 7)]})
    assert told(found) == {"51": (ONE, "Ada"), "52": (ONE, "Ada")}


def test_of_several_merges_none_is_guessed() -> None:
    history = {"phone": [entry("2", TWO, 9), entry("1", ONE, 7)]}
    found = survivor({"hs_merged_object_ids": "51;52"}, history)
    assert told(found) == {"51": (None, None), "52": (None, None)}
    assert {one.actor.why for one in mergers(found)} == {"HubSpot does not say who merged it"}


def test_a_merge_that_was_undone_is_no_merge() -> None:
    history = {"phone": [entry("1", ONE, 7, "MERGE_REVERT_OBJECTS")]}
    assert told(survivor({"hs_merged_object_ids": "51"}, history)) == {"51": (None, None)}


def test_a_primary_that_kept_its_id_did_not_go_into_itself() -> None:
    properties = {
        "hs_merged_object_ids": "55;51",
        "hs_calculated_merged_vids": vids(("55", ONE), ("51", ONE)),
    }
    assert list(told(survivor(properties, {}))) == ["51"]


def test_an_id_that_answers_with_another_tells_what_its_survivor_knows() -> None:
    history = {"hs_merged_object_ids": [entry("51;52", ONE, 7)]}
    found = survivor({"hs_merged_object_ids": "51;52"}, history)
    lost = merged_away(found, "51")
    assert isinstance(lost, Removal)
    assert (lost.ref.id, lost.merged_into, lost.at, lost.actor.name) == ("51", "55", ONE, "Ada")
    chained = merged_away(survivor({}, {}), "40")
    assert (chained.ref.id, chained.merged_into, chained.at) == ("40", "55", None)


def test_odd_traces_name_nobody() -> None:
    properties = {"hs_merged_object_ids": " ;", "hs_calculated_merged_vids": "x;:5;7:later"}
    assert merged_ids(survivor(properties, {})) == ()


def test_only_contacts_tell_the_times() -> None:
    assert traces("deals") == ("hs_merged_object_ids",)
    assert traces("0-1") == ("hs_merged_object_ids", "hs_calculated_merged_vids")
