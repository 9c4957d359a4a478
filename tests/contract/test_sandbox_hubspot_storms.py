"""What goes wrong at once: floods of one millisecond, failing servers, lost answers, big merges."""

from collections.abc import Iterator

import pytest
import requests

from support.hubspot_portal import PortalUnderTest, portal_under_test

FLOOD = 12_000
STAMP = "lastmodifieddate"


@pytest.fixture
def portal() -> Iterator[PortalUnderTest]:
    with portal_under_test() as running:
        yield running


def test_twelve_thousand_contacts_are_stamped_in_one_millisecond(portal: PortalUnderTest) -> None:
    system = {"kind": "system", "id": "BATCH_UPDATE"}
    fields = {"hs_marketable_status": "false"}

    done = portal.act("flood", object="contacts", count=FLOOD, fields=fields, by=system)

    assert len(set(done["ids"])) == FLOOD
    at = portal.truth("contacts", done["ids"][0])[0]["properties"][STAMP]
    same = {"propertyName": STAMP, "operator": "EQ", "value": at}
    assert portal.search("contacts", same, limit=1)["total"] == FLOOD
    beyond = {"filterGroups": [{"filters": [same]}], "limit": 100, "after": "9950"}
    refused = portal.post("contacts/search", beyond)
    assert refused.status_code == 400
    seen: list[str] = []
    while True:
        last = seen[-1] if seen else "0"
        behind = {"propertyName": "hs_object_id", "operator": "GT", "value": last}
        sorts = [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]
        page = portal.search("contacts", same, behind, sorts=sorts, limit=200)["results"]
        if not page:
            break
        seen += [each["id"] for each in page]
    assert sorted(seen) == sorted(done["ids"])
    newest = portal.history("contacts", done["ids"][-1], "hs_marketable_status")[0]
    assert (newest["sourceType"], newest["timestamp"]) == ("BATCH_UPDATE", at)


@pytest.mark.parametrize("status", [500, 502, 504, 521, 522, 523, 524])
def test_servers_in_between_answer_with_a_page(portal: PortalUnderTest, status: int) -> None:
    portal.order_fault(kind="unavailable", status=status)

    answer = portal.get("contacts")

    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "text/html"
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()
    assert portal.get("contacts").status_code == 200


def test_a_status_that_is_no_servers_failure_is_refused(portal: PortalUnderTest) -> None:
    with pytest.raises(ValueError, match="from 500 to 599"):
        portal.order_fault(kind="unavailable", status=404)


@pytest.mark.parametrize(("kind", "applied"), [("reset_after", True), ("reset_before", False)])
def test_a_lost_answer_says_nothing_of_the_write(
    portal: PortalUnderTest, kind: str, applied: bool
) -> None:
    portal.order_fault(kind=kind, method="POST", path="batch/create")
    inputs = [{"properties": {"email": "lost@fernhill.example"}}]

    with pytest.raises(requests.exceptions.ConnectionError):
        portal.post("contacts/batch/create", {"inputs": inputs})

    held = [each["properties"].get("email") for each in portal.truth("contacts")]
    assert ("lost@fernhill.example" in held) is applied


def test_a_merged_contact_is_found_by_both_emails(portal: PortalUnderTest) -> None:
    one, two, three = portal.ids(count=3)
    held = {each["id"]: each["properties"]["email"] for each in portal.truth("contacts")}
    first = portal.act("merge", object="contacts", records=[{"id": one}, {"id": two}])["ids"][0]
    last = portal.act("merge", object="contacts", records=[{"id": first}, {"id": three}])["ids"][0]

    found = portal.get(
        f"contacts/{held[two]}", idProperty="email", properties="email,hs_additional_emails"
    ).json()
    taken = portal.post("contacts", {"properties": {"email": held[three]}})

    assert found["id"] == last
    assert found["properties"]["email"] == held[one]
    assert found["properties"]["hs_additional_emails"] == ";".join(sorted([held[two], held[three]]))
    assert taken.status_code == 409
    assert f"Existing ID: {last}" in taken.json()["message"]
    chain = portal.truth("contacts", last)[0]["properties"]
    vids = [part.split(":")[0] for part in chain["hs_calculated_merged_vids"].split(";")]
    assert vids == [first, three]
    assert chain["hs_merged_object_ids"] == f"{one};{two};{first};{three}"


def test_all_emails_of_a_merged_contact_are_blocked_when_it_is_forgotten(
    portal: PortalUnderTest,
) -> None:
    one, two = portal.ids(count=2)
    held = {each["id"]: each["properties"]["email"] for each in portal.truth("contacts")}
    id_ = portal.act("merge", object="contacts", records=[{"id": one}, {"id": two}])["ids"][0]

    forgotten = portal.post("contacts/gdpr-delete", {"objectId": id_})

    assert forgotten.status_code == 204
    for email in (held[one], held[two]):
        refused = portal.post("contacts", {"properties": {"email": email}})
        assert refused.status_code == 400
        assert "blocklisted" in refused.json()["message"]
    for old in (one, two, id_):
        assert portal.get(f"contacts/{old}").status_code == 404


def test_a_profile_has_at_most_250_identities(portal: PortalUnderTest) -> None:
    one, two = portal.ids(count=2)
    full = ";".join(str(number) for number in range(250))
    portal.change("contacts", one, {"hs_merged_object_ids": full}, by={"kind": "system"})

    refused = portal.post("contacts/merge", {"primaryObjectId": one, "objectIdToMerge": two})

    assert refused.status_code == 414
    assert refused.json()["message"] == "Cannot have more than 250 identities on a profile"
    assert portal.get(f"contacts/{two}").json()["id"] == two


def test_values_of_the_bin_are_gone_after_ninety_days_for_every_id(
    portal: PortalUnderTest,
) -> None:
    one, two = portal.ids(count=2)
    id_ = portal.act("merge", object="contacts", records=[{"id": one}, {"id": two}])["ids"][0]
    portal.act("delete", object="contacts", records=[{"id": id_}])
    assert portal.get(f"contacts/{one}", archived="true").json()["id"] == id_

    portal.world.clock.turn(90 * 86_400 + 1)

    for old in (one, two, id_):
        assert portal.get(f"contacts/{old}", archived="true").status_code == 404
