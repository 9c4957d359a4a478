"""The sandbox's HubSpot search: caps, operators, stamps, paging window, index lag."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from support.hubspot_portal import PortalUnderTest, portal_under_test

EVERYTHING = {"propertyName": "lastmodifieddate", "operator": "GTE", "value": "0"}
BY_STAMP = [{"propertyName": "lastmodifieddate", "direction": "ASCENDING"}]


def where(name: str, operator: str, value: object = None, **more: object) -> dict[str, Any]:
    found = {"propertyName": name, "operator": operator, **more}
    return found if value is None else found | {"value": str(value)}


@pytest.fixture
def portal() -> Iterator[PortalUnderTest]:
    with portal_under_test() as running:
        yield running


def test_a_window_of_changes_comes_in_order_with_a_total(portal: PortalUnderTest) -> None:
    body = {
        "filterGroups": [{"filters": [EVERYTHING]}],
        "sorts": BY_STAMP,
        "properties": ["email"],
        "limit": 100,
    }
    first = portal.searches.do_search("contacts", body)
    second = portal.searches.do_search("contacts", body | {"after": first.paging.next.after})

    assert first.total == second.total == 110
    assert first.paging.next.after == "100"
    assert second.paging is None
    stamps = [r.properties["lastmodifieddate"] for r in (*first.results, *second.results)]
    assert stamps == sorted(stamps)
    assert len({r.id for r in (*first.results, *second.results)}) == 110


def test_between_two_stamps(portal: PortalUnderTest) -> None:
    id_ = portal.ids()[7]
    before = portal.world.clock.now()
    portal.change("contacts", id_, {"city": "Oslo"})
    low, high = round(before.timestamp() * 1000), round(before.timestamp() * 1000) + 5000

    found = portal.search(
        "contacts", where("lastmodifieddate", "BETWEEN", low, highValue=str(high))
    )

    assert [r["id"] for r in found["results"]] == [id_]


@pytest.mark.parametrize(
    ("object_", "name", "count"),
    [
        ("contacts", "lastmodifieddate", 110),
        ("contacts", "hs_lastmodifieddate", 0),
        ("deals", "hs_lastmodifieddate", 40),
        ("deals", "lastmodifieddate", 0),
    ],
)
def test_the_wrong_stamp_finds_nothing_and_says_nothing(
    portal: PortalUnderTest, object_: str, name: str, count: int
) -> None:
    assert portal.search(object_, where(name, "GTE", 0))["total"] == count


@pytest.mark.parametrize(
    ("fields", "test", "matches"),
    [
        ({"amount": "500"}, where("amount", "GT", 499), True),
        ({"amount": "500"}, where("amount", "LTE", 499), False),
        ({"amount": "500"}, where("amount", "BETWEEN", 1, highValue="500"), True),
        ({"dealname": "Big Fish"}, where("dealname", "EQ", "big fish"), True),
        ({"dealname": "Big Fish"}, where("dealname", "NEQ", "big fish"), False),
        ({"dealname": "Big Fish"}, where("dealname", "IN", values=["big fish"]), True),
        ({"dealname": "Big Fish"}, where("dealname", "IN", values=["Big Fish"]), False),
        ({"dealname": "Big Fish"}, where("dealname", "NOT_IN", values=["big fish"]), False),
        ({"dealname": "Big Fish"}, where("dealname", "CONTAINS_TOKEN", "fish"), True),
        ({"dealname": "Big Fish"}, where("dealname", "CONTAINS_TOKEN", "fi*"), True),
        ({"dealname": "Big Fish"}, where("dealname", "CONTAINS_TOKEN", "fi"), False),
        ({"dealname": "Big Fish"}, where("dealname", "NOT_CONTAINS_TOKEN", "fish"), False),
        ({"dealstage": "closedwon"}, where("dealstage", "EQ", "closedwon"), True),
        ({"dealstage": "closedwon"}, where("dealstage", "EQ", "ClosedWon"), False),
        ({"hs_priority": None}, where("hs_priority", "HAS_PROPERTY"), False),
        ({"hs_priority": None}, where("hs_priority", "NOT_HAS_PROPERTY"), True),
        ({"hs_priority": None}, where("hs_priority", "NEQ", "low"), True),
        ({"signed_on": "2026-03-01"}, where("signed_on", "EQ", 1772323200000), True),
        ({"closedate": "2026-03-01"}, where("closedate", "LT", "2026-03-02"), True),
    ],
)  # fmt: skip
def test_operators(
    portal: PortalUnderTest, fields: dict[str, Any], test: dict[str, Any], matches: bool
) -> None:
    id_ = portal.ids("deals")[0]
    pipeline = {"pipeline": "default"} if "dealstage" in fields else {}
    portal.change("deals", id_, fields | pipeline)

    found = portal.search("deals", where("hs_object_id", "EQ", id_), test)

    assert [r["id"] for r in found["results"]] == ([id_] if matches else [])


def test_groups_are_alternatives(portal: PortalUnderTest) -> None:
    one, other = portal.ids()[:2]
    groups = [{"filters": [where("hs_object_id", "EQ", id_)]} for id_ in (one, other)]

    found = portal.post("contacts/search", {"filterGroups": groups}).json()

    assert {r["id"] for r in found["results"]} == {one, other}


def test_records_are_found_by_what_they_are_associated_with(portal: PortalUnderTest) -> None:
    deal = portal.ids("deals")[0]
    contact = portal.get(f"deals/{deal}", associations="contacts").json()
    buyer = contact["associations"]["contacts"]["results"][0]["id"]

    found = portal.search("deals", where("associations.contact", "EQ", buyer))

    assert deal in {r["id"] for r in found["results"]}


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 201},
        {"limit": 100, "after": "9901"},
        {"after": "next"},
        {"sorts": [*BY_STAMP, *BY_STAMP]},
        {"filterGroups": [{"filters": []}] * 6},
        {"filterGroups": [{"filters": [EVERYTHING] * 7}]},
        {"filterGroups": [{"filters": [EVERYTHING] * 5}] * 4},
        {"filterGroups": [{"filters": [where("email", "LIKE", "x")]}]},
        {"filterGroups": [{"filters": [where("email", "EQ")]}]},
        {"filterGroups": [{"filters": [where("email", "IN")]}]},
        {"filterGroups": [{"filters": [where("lastmodifieddate", "GT", "soon")]}]},
        {"properties": ["x" * 3000]},
    ],
    ids=[
        "limit", "window", "after", "two sorts", "groups", "filters", "all filters", "operator",
        "no value", "no values", "no date", "long body",
    ],
)  # fmt: skip
def test_what_search_refuses(portal: PortalUnderTest, body: dict[str, Any]) -> None:
    refused = portal.post("contacts/search", body)

    assert refused.status_code == 400
    assert refused.json()["category"] == "VALIDATION_ERROR"


def test_the_caps_themselves_are_allowed(portal: PortalUnderTest) -> None:
    three = {"filters": [EVERYTHING] * 3}
    body = {"filterGroups": [{"filters": [EVERYTHING] * 6}] + [three] * 4, "limit": 200}

    assert portal.post("contacts/search", body).json()["total"] == 110
    assert portal.post("contacts/search", {"limit": 100, "after": "9900"}).status_code == 200


def test_archived_records_are_never_found(portal: PortalUnderTest) -> None:
    id_ = portal.ids()[0]
    portal.act("delete", object="contacts", records=[{"id": id_}])

    assert portal.search("contacts", where("hs_object_id", "EQ", id_))["total"] == 0


def test_a_lagging_index_shows_the_old_state_until_the_clock_turns(portal: PortalUnderTest) -> None:
    changed, gone = portal.ids()[:2]
    old = portal.truth("contacts", changed)[0]["properties"]["city"]
    portal.act("index_lag", seconds=20)
    portal.change("contacts", changed, {"city": "Oslo"})
    portal.act("delete", object="contacts", records=[{"id": gone}])
    [made] = portal.act("create", object="contacts", records=[{"fields": {"city": "Rome"}}])["ids"]

    def seen() -> dict[str, str]:
        ids = where("hs_object_id", "IN", values=[changed, gone, made])
        found = portal.search("contacts", ids, properties=["city"])["results"]
        return {r["id"]: r["properties"]["city"] for r in found}

    lagging = seen()
    portal.world.clock.turn(21)

    assert lagging[changed] == old
    assert gone in lagging
    assert made not in lagging
    assert seen() == {changed: "Oslo", made: "Rome"}
    assert (
        portal.get(f"contacts/{changed}", properties="city").json()["properties"]["city"] == "Oslo"
    )


def test_jitter_lets_writes_reach_the_index_out_of_order(portal: PortalUnderTest) -> None:
    portal.act("index_lag", seconds=1000, jitter=True)
    ids = portal.ids("contacts", 40)
    portal.act(
        "update", object="contacts", records=[{"id": i, "fields": {"zip": "X"}} for i in ids]
    )

    def indexed() -> set[str]:
        return {
            r["id"]
            for r in portal.search("contacts", where("zip", "EQ", "x"), limit=200)["results"]
        }

    portal.world.clock.turn(500)
    half = indexed()
    portal.world.clock.turn(501)

    assert 0 < len(half) < 40
    assert indexed() == set(ids)


def test_a_flood_of_one_millisecond_is_found_whole(portal: PortalUnderTest) -> None:
    ids = portal.ids()
    records = [{"id": id_, "fields": {"hs_marketable_status": "false"}} for id_ in ids]
    system = {"kind": "system", "id": "BATCH_UPDATE"}
    portal.act("update", object="contacts", records=records, by=system)
    stamps = {
        r["properties"]["lastmodifieddate"]
        for r in portal.truth("contacts")
        if r["id"] in ids and r["properties"].get("hs_marketable_status") == "false"
    }
    newest = max(stamps)

    found = portal.search(
        "contacts",
        where("lastmodifieddate", "EQ", newest),
        where("hs_object_id", "GT", ids[10]),
        limit=200,
    )

    changed = {e["record"] for e in portal.journal() if e["actor"]["id"] == "BATCH_UPDATE"}
    assert {r["id"] for r in found["results"]} == {id_ for id_ in changed if id_ > ids[10]}
    assert len(changed) > 50


def test_pages_and_searches_are_fast_over_many_records() -> None:
    """A page costs what the page holds: far less than a look at each of 20,000 records."""
    with portal_under_test(records=20_000) as portal:
        portal.search("contacts", EVERYTHING)
        ids = [{"id": id_} for id_ in portal.ids("contacts", 100)]
        names = list(portal.truth("contacts", ids[0]["id"])[0]["properties"])
        started = time.perf_counter()
        found = portal.search("contacts", EVERYTHING, sorts=BY_STAMP, limit=200, after="9800")
        searched = time.perf_counter()
        portal.post("contacts/batch/read", {"inputs": ids, "properties": names})
        read = time.perf_counter()

        assert len(found["results"]) == 200
        assert searched - started < 0.5
        assert read - searched < 0.5


def test_a_text_query_looks_into_the_names(portal: PortalUnderTest) -> None:
    record = portal.truth("contacts")[4]

    found = portal.post("contacts/search", {"query": record["properties"]["email"].upper()}).json()

    assert record["id"] in {r["id"] for r in found["results"]}


def test_results_sort_both_ways_and_by_id_without_a_rule(portal: PortalUnderTest) -> None:
    def amounts(direction: str) -> list[float]:
        sorts = [{"propertyName": "amount", "direction": direction}]
        found = portal.post("deals/search", {"sorts": sorts, "limit": 100}).json()["results"]
        return [float(r["properties"]["amount"]) for r in found]

    assert amounts("ASCENDING") == sorted(amounts("DESCENDING"))
    assert amounts("DESCENDING") == amounts("ASCENDING")[::-1]
    plain = portal.post("deals/search", {"limit": 100}).json()["results"]
    assert [r["id"] for r in plain] == portal.ids("deals")
    assert portal.post("deals/search", {"sorts": ["amount"]}).status_code == 200
    wrong = [{"propertyName": "amount", "direction": "UP"}]
    assert portal.post("deals/search", {"sorts": wrong}).status_code == 400


def test_underfilled_search_pages_skip_nothing(portal: PortalUnderTest) -> None:
    portal.act("short_pages", on=True)
    seen, after = [], "0"
    while after is not None:
        page = portal.post("contacts/search", {"limit": 30, "after": after}).json()
        seen += [r["id"] for r in page["results"]]
        after = page.get("paging", {}).get("next", {}).get("after")

    assert seen == portal.ids("contacts", 1000)
