"""Answers that no document of HubSpot settles: the sandbox gives either, by a switch."""

from collections.abc import Iterator

import pytest

from support.hubspot_portal import PortalUnderTest, portal_under_test


@pytest.fixture
def portal() -> Iterator[PortalUnderTest]:
    with portal_under_test() as running:
        yield running


@pytest.mark.parametrize("echo", [True, False])
def test_trace_ids_are_echoed_or_not(portal: PortalUnderTest, echo: bool) -> None:
    portal.act("unsettled", trace_echo=echo)
    inputs = [
        {"id": portal.ids()[0], "properties": {"city": "A"}, "objectWriteTraceId": "t1"},
    ]

    results = portal.post("contacts/batch/update", {"inputs": inputs}).json()["results"]

    assert [each.get("objectWriteTraceId") for each in results] == (["t1"] if echo else [None])


@pytest.mark.parametrize("in_part", [True, False])
def test_a_bad_value_fails_itself_or_the_batch(portal: PortalUnderTest, in_part: bool) -> None:
    portal.act("unsettled", update_in_part=in_part)
    one, two = portal.ids(count=2)
    inputs = [
        {"id": one, "properties": {"city": "A"}, "objectWriteTraceId": "good"},
        {"id": two, "properties": {"hs_lead_status": "NO"}, "objectWriteTraceId": "bad"},
    ]

    answer = portal.post("contacts/batch/update", {"inputs": inputs})

    assert answer.status_code == (207 if in_part else 400)
    changed = portal.truth("contacts", one)[0]["properties"].get("city") == "A"
    assert changed is in_part
    if in_part:
        (error,) = answer.json()["errors"]
        assert error["context"] == {"objectWriteTraceId": ["bad"]}
        assert "INVALID_OPTION" in error["message"]


@pytest.mark.parametrize("shown", [True, False])
def test_archived_records_show_their_history_or_not(portal: PortalUnderTest, shown: bool) -> None:
    portal.act("unsettled", archived_history=shown)
    id_ = portal.ids()[0]
    portal.change("contacts", id_, {"city": "A"})
    portal.act("delete", object="contacts", records=[{"id": id_}])

    found = portal.get(f"contacts/{id_}", archived="true", propertiesWithHistory="city").json()

    values = [each["value"] for each in found["propertiesWithHistory"]["city"]]
    assert (values[:1] == ["A"]) is shown
    assert bool(values) is shown


@pytest.mark.parametrize("kept", [True, False])
def test_history_outlasts_the_recycle_bin_or_not(portal: PortalUnderTest, kept: bool) -> None:
    portal.act("unsettled", restore_keeps_history=kept)
    id_ = portal.ids()[0]
    portal.change("contacts", id_, {"city": "A"})
    portal.change("contacts", id_, {"city": "B"})
    portal.act("delete", object="contacts", records=[{"id": id_}])
    portal.world.clock.turn(60)
    portal.act("restore", object="contacts", records=[{"id": id_}])

    entries = portal.history("contacts", id_, "city")

    if kept:
        assert [each["value"] for each in entries[:2]] == ["B", "A"]
        assert entries[0]["sourceType"] == "CRM_UI"
    else:
        assert [each["value"] for each in entries] == ["B"]
        assert entries[0]["sourceType"] == "RESTORE_OBJECTS"


@pytest.mark.parametrize(("as_null", "value"), [(False, ""), (True, None)])
def test_a_cleared_value_is_empty_or_null(
    portal: PortalUnderTest,
    as_null: bool,
    value: str | None,
) -> None:
    portal.act("unsettled", cleared_as_null=as_null)
    id_ = portal.ids()[0]
    portal.change("contacts", id_, {"city": "A"})
    portal.change("contacts", id_, {"city": None})

    assert portal.history("contacts", id_, "city")[0]["value"] == value


@pytest.mark.parametrize("nulls", [True, False])
def test_empty_sources_are_null_or_absent(portal: PortalUnderTest, nulls: bool) -> None:
    portal.act("unsettled", null_sources=nulls)
    id_ = portal.ids()[0]
    portal.change("contacts", id_, {"num_notes": "4"}, by={"kind": "system", "id": "CALCULATED"})

    newest = portal.history("contacts", id_, "num_notes")[0]

    assert ("sourceId" in newest) is nulls
    assert newest.get("sourceId") is None
    assert newest["sourceType"] == "CALCULATED"


@pytest.mark.parametrize("as_text", [True, False])
def test_ids_compare_as_numbers_or_letters(portal: PortalUnderTest, as_text: bool) -> None:
    portal.act("unsettled", ids_as_text=as_text)
    after = {"propertyName": "hs_object_id", "operator": "GT", "value": "9"}
    sorts = [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]

    found = portal.search("contacts", after, sorts=sorts, limit=200)

    # Every seeded id begins with 1: as a number it is above 9, as a text below.
    assert found["total"] == (0 if as_text else 110)
    whole = portal.search("contacts", sorts=sorts, limit=200)["results"]
    ids = [each["id"] for each in whole]
    assert ids == sorted(ids, key=None if as_text else int)
    rest = [each for each in ids if each > ids[9]]
    some = portal.search("contacts", after | {"value": ids[9]}, sorts=sorts, limit=200)
    assert [each["id"] for each in some["results"]] == rest


@pytest.mark.parametrize("as_text", [True, False])
def test_short_ids_of_early_records_sort_either_way(portal: PortalUnderTest, as_text: bool) -> None:
    portal.act("unsettled", ids_as_text=as_text)
    early = ["51", "951", "1551"]
    records = [{"id": id_, "fields": {"city": "Early"}} for id_ in early]
    assert portal.act("create", object="contacts", records=records)["ids"] == early
    where = {"propertyName": "city", "operator": "EQ", "value": "Early"}

    by_id = [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]
    by_stamp = [{"propertyName": "lastmodifieddate", "direction": "ASCENDING"}]

    for sorts in (by_id, by_stamp):
        ids = [each["id"] for each in portal.search("contacts", where, sorts=sorts)["results"]]
        assert ids == (["1551", "51", "951"] if as_text else early)
    with pytest.raises(ValueError, match="contact 51 exists already"):
        portal.act("create", object="contacts", records=records[:1])


@pytest.mark.parametrize("hidden", [True, False])
def test_search_hides_merged_ids_or_not(portal: PortalUnderTest, hidden: bool) -> None:
    portal.act("unsettled", hide_merged_ids=hidden)
    one, two = portal.ids(count=2)
    id_ = portal.act("merge", object="contacts", records=[{"id": one}, {"id": two}])["ids"][0]

    where = {"propertyName": "hs_object_id", "operator": "EQ", "value": id_}
    found = portal.search("contacts", where, properties=["hs_merged_object_ids"])["results"][0]

    assert found["properties"]["hs_merged_object_ids"] == (None if hidden else f"{one};{two}")
    read = portal.get(f"contacts/{id_}", properties="hs_merged_object_ids").json()
    assert read["properties"]["hs_merged_object_ids"] == f"{one};{two}"


@pytest.mark.parametrize("by_time", [True, False])
def test_the_bin_is_listed_by_id_or_by_time(portal: PortalUnderTest, by_time: bool) -> None:
    portal.act("unsettled", bin_by_time=by_time)
    ids = portal.ids(count=7)
    for id_ in (*ids[3:], *ids[:3]):
        portal.act("delete", object="contacts", records=[{"id": id_}])
        portal.world.clock.turn(1)

    seen: list[str] = []
    after = None
    while True:
        page = portal.get("contacts", archived="true", limit=3, after=after or "0").json()
        seen += [each["id"] for each in page["results"]]
        if "paging" not in page:
            break
        after = page["paging"]["next"]["after"]

    assert seen == ([*ids[2::-1], *ids[:2:-1]] if by_time else ids)


@pytest.mark.parametrize("in_context", [True, False])
def test_missing_scopes_are_told_in_either_place(portal: PortalUnderTest, in_context: bool) -> None:
    portal.act("unsettled", scopes_in_context=in_context)
    portal.act("scopes", app="restorer", take=["crm.objects.deals.read"])

    body = portal.get("deals").json()

    told = {"missingScopes": ["crm.objects.deals.read"]} if in_context else None
    assert body.get("context") == told
    assert ("errors" in body) is not in_context


def test_an_unknown_switch_is_named(portal: PortalUnderTest) -> None:
    with pytest.raises(ValueError, match="unknown key 'weather' for unsettled"):
        portal.act("unsettled", weather=True)
