"""The webhooks journal of the sandbox's HubSpot: an offset, a file, three days."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from support.hubspot_portal import PortalUnderTest, portal_under_test

DAY = 86_400
ROOT = "/webhooks-journal"
JOURNAL = f"{ROOT}/journal-local/2026-03"
RIGHTS = ("read", "subscriptions.read", "subscriptions.write")
ALL = [f"developer.webhooks_journal.{right}" for right in RIGHTS]


@pytest.fixture
def portal() -> Iterator[PortalUnderTest]:
    with portal_under_test() as running:
        running.token = token(running)
        yield running


def token(portal: PortalUnderTest, scope: str = " ".join(ALL)) -> str:
    client = portal.people["oauth"]["observer"]
    form = {
        "grant_type": "client_credentials",
        "client_id": client["client_id"],
        "client_secret": client["client_secret"],
        "scope": scope,
    }
    given = requests.post(f"{portal.server.url}/oauth/2026-03/token", data=form, timeout=30)
    assert given.status_code == 200, given.text
    return str(given.json()["access_token"])


def subscribe(portal: PortalUnderTest, **more: Any) -> dict[str, Any]:
    body = {
        "subscriptionType": "OBJECT",
        "portalId": portal.people["portal"],
        "objectTypeId": "0-1",
        "actions": ["CREATE", "UPDATE", "DELETE", "MERGE", "RESTORE"],
        "properties": ["jobtitle"],
        "objectIds": [],
    }
    made = portal.send("POST", f"{ROOT}/subscriptions/2026-03", body | more)
    assert made.status_code == 200, made.text
    found: dict[str, Any] = made.json()
    return found


def read(page: requests.Response) -> list[dict[str, Any]]:
    """Return the events of a page, read from its file without a token."""
    assert page.status_code == 200, page.text
    body = requests.get(page.json()["url"], timeout=30).json()
    assert body["offset"] == page.json()["currentOffset"]
    events: list[dict[str, Any]] = body["journalEvents"]
    return events


def after(portal: PortalUnderTest, page: requests.Response) -> requests.Response:
    return portal.send("GET", f"{JOURNAL}/offset/{page.json()['currentOffset']}/next")


def test_nothing_is_told_before_somebody_subscribed(portal: PortalUnderTest) -> None:
    portal.change("contacts", portal.ids()[0], {"jobtitle": "Unheard"})

    assert portal.send("GET", f"{JOURNAL}/earliest").status_code == 204


def test_pages_follow_each_other_and_end_in_204(portal: PortalUnderTest) -> None:
    subscribe(portal)
    one, two = portal.ids()[:2]
    portal.change("contacts", one, {"jobtitle": "Dean", "city": "Untold"})
    first = portal.send("GET", f"{JOURNAL}/earliest")
    assert after(portal, first).status_code == 204
    portal.change("contacts", two, {"city": "Untold too"})
    portal.act("delete", object="contacts", records=[{"id": two}])
    second = after(portal, first)

    (update,) = read(first)
    at = update.pop("occurredAt")
    assert at.replace("Z", "+00:00").startswith(portal.journal()[0]["at"][:19])
    assert update == {
        "type": "crmObject",
        "portalId": portal.people["portal"],
        "action": "UPDATE",
        "objectTypeId": "0-1",
        "objectId": int(one),
        "propertyChanges": {"jobtitle": "Dean"},
    }
    assert [(e["action"], e["objectId"]) for e in read(second)] == [("DELETE", int(two))]
    assert after(portal, second).status_code == 204
    assert (
        portal.send("GET", f"{JOURNAL}/latest").json()["currentOffset"]
        == (second.json()["currentOffset"])
    )


def test_creation_restore_and_merge_are_told(portal: PortalUnderTest) -> None:
    subscribe(portal)
    one, two = portal.ids()[:2]
    records = [{"fields": {"email": "n@fernhill.example", "jobtitle": "New"}}]
    made = portal.act("create", object="contacts", records=records)["ids"][0]
    portal.act("delete", object="contacts", records=[{"id": one}])
    portal.act("restore", object="contacts", records=[{"id": one}])
    survivor = portal.act("merge", object="contacts", records=[{"id": one}, {"id": two}])["ids"][0]

    events = read(portal.send("GET", f"{JOURNAL}/earliest"))

    assert [e["action"] for e in events] == ["CREATE", "DELETE", "RESTORE", "MERGE"]
    assert events[0]["objectId"] == int(made)
    assert events[0]["propertyChanges"] == {"jobtitle": "New"}
    assert events[3]["newObjectId"] == int(survivor)
    assert events[3]["mergedObjectIds"] == [int(one), int(two)]


def test_privacy_and_associations_have_subscriptions_of_their_own(
    portal: PortalUnderTest,
) -> None:
    subscribe(portal, subscriptionType="GDPR_PRIVACY_DELETION", actions=["GDPR_DELETE"])
    subscribe(
        portal,
        subscriptionType="ASSOCIATION",
        actions=["ASSOCIATION_ADDED", "ASSOCIATION_REMOVED"],
        associatedObjectTypeIds=["0-2"],
    )
    contact, gone = portal.ids()[:2]
    company = portal.ids("companies")[-1]
    wish = {"id": contact, "to": {"object": "companies", "id": company}}
    portal.act("associate", object="contacts", records=[wish])
    portal.act("dissociate", object="contacts", records=[wish])
    portal.act("gdpr_delete", object="contacts", records=[{"id": gone}])

    events = read(portal.send("GET", f"{JOURNAL}/earliest"))

    assert [e["action"] for e in events] == [
        "ASSOCIATION_ADDED",
        "ASSOCIATION_REMOVED",
        "GDPR_DELETE",
    ]
    assert events[0]["toObjectId"] == int(company)
    assert events[2]["objectId"] == int(gone)
    assert "propertyChanges" not in events[2]


def test_only_the_objects_asked_for_are_told(portal: PortalUnderTest) -> None:
    one, two = portal.ids()[:2]
    subscribe(portal, objectIds=[int(two)], actions=["UPDATE"])
    for id_ in (one, two):
        portal.change("contacts", id_, {"jobtitle": "Dean"})

    events = read(portal.send("GET", f"{JOURNAL}/earliest"))

    assert [e["objectId"] for e in events] == [int(two)]


def test_an_offset_is_gone_after_three_days(portal: PortalUnderTest) -> None:
    subscribe(portal)
    portal.change("contacts", portal.ids()[0], {"jobtitle": "Old"})
    first = portal.send("GET", f"{JOURNAL}/earliest")
    portal.world.clock.turn(2 * DAY)
    portal.token = token(portal)
    portal.change("contacts", portal.ids()[0], {"jobtitle": "Newer"})
    second = after(portal, first)
    assert second.status_code == 200
    portal.world.clock.turn(DAY + 1)
    portal.token = token(portal)

    lost = after(portal, first)

    assert lost.status_code == 404
    assert lost.json()["category"] == "OBJECT_NOT_FOUND"
    earliest = portal.send("GET", f"{JOURNAL}/earliest")
    assert [e["propertyChanges"] for e in read(earliest)] == [{"jobtitle": "Newer"}]


def test_events_nobody_read_in_three_days_are_lost(portal: PortalUnderTest) -> None:
    subscribe(portal)
    portal.change("contacts", portal.ids()[0], {"jobtitle": "Old"})
    portal.world.clock.turn(3 * DAY + 1)
    portal.token = token(portal)

    assert portal.send("GET", f"{JOURNAL}/earliest").status_code == 204


def test_a_files_address_holds_for_an_hour_and_for_that_file_only(portal: PortalUnderTest) -> None:
    subscribe(portal)
    portal.change("contacts", portal.ids()[0], {"jobtitle": "Dean"})
    page = portal.send("GET", f"{JOURNAL}/earliest").json()

    forged = requests.get(page["url"].replace("signature=", "signature=A"), timeout=30)
    portal.world.clock.turn(3_601)
    late = requests.get(page["url"], timeout=30)

    assert (forged.status_code, late.status_code) == (403, 403)
    assert late.headers["Content-Type"] == "application/xml"


def test_pages_come_in_batches(portal: PortalUnderTest) -> None:
    subscribe(portal)
    offsets = []
    for number in range(3):
        portal.change("contacts", portal.ids()[0], {"jobtitle": f"Step {number}"})
        offsets.append(portal.send("GET", f"{JOURNAL}/latest").json()["currentOffset"])

    def batch(path: str) -> list[str]:
        found = portal.send("GET", f"{JOURNAL}/batch/{path}").json()
        assert found["status"] == "COMPLETE"
        return [each["currentOffset"] for each in found["results"]]

    assert batch("earliest/2") == offsets[:2]
    assert batch("latest/2") == offsets[1:]
    assert batch(f"{offsets[0]}/next/9") == offsets[1:]
    body = {"inputs": [offsets[2], offsets[0]]}
    asked = portal.send("POST", f"{JOURNAL}/batch/read", body).json()["results"]
    assert [each["currentOffset"] for each in asked] == [offsets[2], offsets[0]]
    assert portal.send("GET", f"{JOURNAL}/batch/{offsets[2]}/next/5").status_code == 204


def test_subscriptions_are_listed_and_removed(portal: PortalUnderTest) -> None:
    made = subscribe(portal)
    path = f"{ROOT}/subscriptions/2026-03"

    listed = portal.send("GET", path).json()["results"]
    assert [each["id"] for each in listed] == [made["id"]]
    assert portal.send("GET", f"{path}/{made['id']}").json() == made
    assert portal.send("DELETE", f"{path}/{made['id']}").status_code == 204
    assert portal.send("GET", f"{path}/{made['id']}").status_code == 404
    subscribe(portal)
    assert portal.send("DELETE", f"{path}/portals/{portal.people['portal']}").status_code == 204
    assert portal.send("GET", path).json() == {"results": []}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"subscriptionType": "WEATHER"}, "subscriptionType"),
        ({"actions": ["GDPR_DELETE"]}, "actions of OBJECT"),
        ({"portalId": 1}, "not installed in portal 1"),
        ({"objectTypeId": "9-99"}, "object type"),
    ],
)
def test_subscriptions_that_make_no_sense(
    portal: PortalUnderTest, change: dict[str, Any], words: str
) -> None:
    good = {"subscriptionType": "OBJECT", "portalId": portal.people["portal"]}
    body = good | {"objectTypeId": "0-1", "actions": ["UPDATE"]} | change

    refused = portal.send("POST", f"{ROOT}/subscriptions/2026-03", body)

    assert refused.status_code == 400
    assert words in refused.json()["message"]


def test_the_journal_wants_a_token_of_the_app_and_each_right(portal: PortalUnderTest) -> None:
    private = portal.people["tokens"]["restorer"]
    narrow = token(portal, ALL[1])

    for given, scope in ((private, ALL[0]), (narrow, ALL[0])):
        refused = portal.send("GET", f"{JOURNAL}/earliest", token=given)
        assert refused.status_code == 403
        assert refused.json()["errors"][0]["context"] == {"requiredGranularScopes": [scope]}
    contacts = portal.send("GET", "/crm/v3/objects/contacts")
    assert contacts.status_code == 403


def test_the_token_ends_after_half_an_hour(portal: PortalUnderTest) -> None:
    portal.world.clock.turn(1_801)

    refused = portal.send("GET", f"{JOURNAL}/earliest")

    assert refused.status_code == 401
    assert refused.json()["category"] == "EXPIRED_AUTHENTICATION"


def test_the_journal_counts_toward_no_limit(portal: PortalUnderTest) -> None:
    portal.act("limits", burst=1, daily=1)
    private = portal.people["tokens"]["restorer"]
    assert portal.send("GET", "/crm/v3/owners", token=private).status_code == 200
    assert portal.send("GET", "/crm/v3/owners", token=private).status_code == 429

    answers = [portal.send("GET", f"{JOURNAL}/earliest") for _ in range(5)]

    assert {each.status_code for each in answers} == {204}
    assert not any("X-HubSpot-RateLimit-Max" in each.headers for each in answers)
