"""Webhooks of the sandbox's HubSpot: what is sent, how it is signed, and when again."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from hubspot.utils.signature import Signature

from crmtrail.sandbox.hubspot.webhooks import signature
from support.hubspot_portal import PortalUnderTest, portal_under_test
from support.webhook_target import Delivery, Target, webhook_target

SECRET = "4c1a4f9e-77aa-4b1b-9d5e-3f6f1c0a2b11"
MINUTE = 60
MAYA = "userId:9586500"


@pytest.fixture
def portal() -> Iterator[PortalUnderTest]:
    with portal_under_test() as running:
        yield running


@pytest.fixture
def target() -> Iterator[Target]:
    with webhook_target() as running:
        yield running


def subscribe(portal: PortalUnderTest, target: Target, *events: str, **more: Any) -> str:
    order = {"target": target.url, "secret": SECRET, "events": list(events), **more}
    return str(portal.act("webhook", **order)["ids"][0])


def settled(portal: PortalUnderTest) -> int:
    """Return how many events wait once nothing is under way."""
    assert portal.wire.sender.wait(20)
    return int(portal.act("deliver")["waiting"])


def told(delivery: Delivery) -> list[tuple[str, int]]:
    return [(each["subscriptionType"], each["objectId"]) for each in delivery.events]


def moment(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def test_the_signature_is_that_of_the_known_vector() -> None:
    signed = signature(
        "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy",
        "POST",
        "https://www.example.com/webhook_uri",
        b"{'example_field':'example_value'}",
        "1693657560000",
    )

    assert signed == "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y="


def test_a_change_is_sent_signed_so_that_the_official_client_accepts_it(
    portal: PortalUnderTest, target: Target
) -> None:
    hook = subscribe(portal, target, "contact.propertyChange")
    id_ = portal.ids()[0]

    portal.change("contacts", id_, {"jobtitle": "Überseherin", "city": None})
    came = target.next()

    stamp = came.headers["x-hubspot-request-timestamp"]
    assert Signature.is_valid(
        came.headers["x-hubspot-signature-v3"],
        SECRET,
        came.body.decode(),
        http_uri=came.uri,
        http_method="POST",
        signature_version="v3",
        timestamp=stamp,
    )
    title = next(each for each in came.events if each["propertyName"] == "jobtitle")
    assert title["eventId"] > 0
    assert title["subscriptionId"] == int(hook)
    assert title["portalId"] == portal.people["portal"]
    assert title["subscriptionType"] == "contact.propertyChange"
    assert title["objectId"] == int(id_)
    assert title["propertyValue"] == "Überseherin"
    assert (title["changeSource"], title["sourceId"]) == ("CRM_UI", MAYA)
    assert title["attemptNumber"] == 0
    assert title["occurredAt"] == moment(portal.journal()[-1]["at"])
    city = next(each for each in came.events if each["propertyName"] == "city")
    assert city["propertyValue"] == ""


def test_every_sort_of_event_has_its_own_words(portal: PortalUnderTest, target: Target) -> None:
    subscribe(
        portal,
        target,
        *(f"contact.{what}" for what in ("creation", "deletion", "restore", "merge")),
        "contact.privacyDeletion",
        "contact.associationChange",
    )
    first, second, third = portal.ids()[:3]
    company = portal.ids("companies")[-1]

    made = portal.act(
        "create", object="contacts", records=[{"fields": {"email": "new@fernhill.example"}}]
    )["ids"][0]
    assert told(target.next()) == [("contact.creation", int(made))]
    portal.act("delete", object="contacts", records=[{"id": first}])
    assert told(target.next()) == [("contact.deletion", int(first))]
    portal.act("restore", object="contacts", records=[{"id": first}])
    assert told(target.next()) == [("contact.restore", int(first))]
    survivor = portal.act("merge", object="contacts", records=[{"id": first}, {"id": second}])
    merge = target.next().events[0]
    assert merge["subscriptionType"] == "contact.merge"
    assert merge["primaryObjectId"] == int(first)
    assert merge["mergedObjectIds"] == [int(first), int(second)]
    assert merge["newObjectId"] == int(survivor["ids"][0])
    assert merge["numberOfPropertiesMoved"] >= 0
    portal.act("gdpr_delete", object="contacts", records=[{"id": third}])
    assert told(target.next()) == [("contact.privacyDeletion", int(third))]
    wish = {"id": made, "to": {"object": "companies", "id": company}, "type": 1}
    portal.act("associate", object="contacts", records=[wish])
    link = target.next().events[0]
    assert link["associationType"] == "CONTACT_TO_COMPANY"
    assert (link["fromObjectId"], link["toObjectId"]) == (int(made), int(company))
    assert (link["associationRemoved"], link["isPrimaryAssociation"]) == (False, True)
    portal.act("dissociate", object="contacts", records=[wish])
    assert target.next().events[0]["associationRemoved"] is True


def test_a_refused_delivery_comes_again_with_its_attempt_number(
    portal: PortalUnderTest, target: Target
) -> None:
    subscribe(portal, target, "contact.propertyChange", properties=["jobtitle"])
    target.refusals = 2
    portal.change("contacts", portal.ids()[0], {"jobtitle": "A", "city": "B"})
    first = target.next()
    assert settled(portal) == 1
    assert target.quiet()

    attempts = [first]
    for wait in (MINUTE, 2 * MINUTE):
        portal.world.clock.turn(wait + 1)
        portal.act("deliver")
        attempts.append(target.next())
        settled(portal)

    assert [each.events[0]["attemptNumber"] for each in attempts] == [0, 1, 2]
    assert {each.events[0]["eventId"] for each in attempts} == {first.events[0]["eventId"]}
    assert settled(portal) == 0


def test_hubspot_gives_up_after_ten_retries_within_a_day(
    portal: PortalUnderTest, target: Target
) -> None:
    subscribe(portal, target, "contact.deletion")
    target.refusals = 100
    portal.act("delete", object="contacts", records=[{"id": portal.ids()[0]}])
    started = portal.world.clock.now()
    numbers = [target.next().events[0]["attemptNumber"]]
    while settled(portal):
        portal.world.clock.turn(10 * MINUTE)
        portal.act("deliver")
        while portal.wire.sender.wait(20) and not target.quiet():
            numbers.append(target.next().events[0]["attemptNumber"])

    assert numbers == list(range(11))
    assert (portal.world.clock.now() - started).total_seconds() < 86_400


def test_at_most_a_hundred_events_come_at_once(portal: PortalUnderTest, target: Target) -> None:
    subscribe(portal, target, "contact.propertyChange", properties=["jobtitle"])
    records = [{"id": id_, "fields": {"jobtitle": "Buyer at large"}} for id_ in portal.ids()]
    more = [{"id": id_, "fields": {"jobtitle": "Again"}} for id_ in portal.ids()[:30]]
    portal.wire.sender.wait(20)
    with portal.world.lock:
        portal.act("update", object="contacts", records=records)
        portal.act("update", object="contacts", records=more)

    sizes = [len(target.next().events)]
    while sum(sizes) < 130:
        sizes.append(len(target.next().events))

    assert sizes == [100, 30]


def test_duplicates_and_disorder_and_delay(portal: PortalUnderTest, target: Target) -> None:
    subscribe(portal, target, "contact.propertyChange", properties=["jobtitle"])
    portal.act("webhooks", duplicates=True, shuffle=True, delay=30)
    records = [{"id": id_, "fields": {"jobtitle": "Moved"}} for id_ in portal.ids()[:40]]
    portal.act("update", object="contacts", records=records)
    assert settled(portal) == 40
    assert target.quiet()

    portal.world.clock.turn(31)
    portal.act("deliver")
    once, twice = target.next(), target.next()

    assert once.body == twice.body
    ids = [each["objectId"] for each in once.events]
    assert sorted(ids) == [int(each["id"]) for each in records]
    assert ids != sorted(ids)


def test_objects_without_names_of_their_own_bear_a_type_id(
    portal: PortalUnderTest, target: Target
) -> None:
    subscribe(portal, target, "object.propertyChange", properties=["hs_comments", "zip"])
    quote, contact = portal.ids("quotes")[0], portal.ids()[0]

    portal.change("quotes", quote, {"hs_comments": "Called."})
    first = target.next().events[0]
    portal.change("contacts", contact, {"zip": "99999"})
    second = target.next().events[0]

    assert (first["subscriptionType"], first["objectTypeId"]) == ("object.propertyChange", "0-14")
    assert (second["subscriptionType"], second["objectTypeId"]) == ("object.propertyChange", "0-1")
    assert first["isSensitive"] is False


def test_a_paused_subscription_gets_nothing(portal: PortalUnderTest, target: Target) -> None:
    hook = subscribe(portal, target, "contact.propertyChange")
    portal.act("webhook", id=hook, active=False)
    portal.change("contacts", portal.ids()[0], {"jobtitle": "Unheard"})

    assert settled(portal) == 0
    assert target.quiet()


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({"target": "ftp://x.example", "secret": SECRET}, "http or https"),
        ({"target": "http://x.example", "secret": SECRET, "events": ["contact.walk"]}, "unknown"),
        ({"id": 1, "active": False}, "no webhook subscription 1"),
    ],
)
def test_orders_for_webhooks_that_make_no_sense(
    portal: PortalUnderTest, order: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        portal.act("webhook", **order)


def test_writes_over_the_api_are_told_as_the_apps(portal: PortalUnderTest, target: Target) -> None:
    subscribe(portal, target, "contact.propertyChange", properties=["jobtitle"])
    id_ = portal.ids()[0]

    portal.send("PATCH", f"/crm/v3/objects/contacts/{id_}", {"properties": {"jobtitle": "Dean"}})
    told_ = target.next().events[0]

    assert (told_["changeSource"], told_["sourceId"]) == ("INTEGRATION", "3217790")
