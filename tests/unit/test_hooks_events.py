"""What webhook events ask for."""

import json
from datetime import UTC, datetime

import pytest

from crmtrail.hooks.events import asked, events_of, polled

PORTAL = "891472211"
KEPT = ("contacts", "companies", "deals", "quotes", "contacts-companies", "contacts-deals")
PAIRS = {"contacts-companies", "contacts-deals"}
OWN = "p891472211_boats"


def event(name, **more):
    known = {"eventId": 1, "subscriptionType": name, "portalId": 891472211, "objectId": 7}
    return known | {"occurredAt": 1715203101896, "attemptNumber": 0} | more


def ask(*events, portal=PORTAL, kept=KEPT):
    return asked(events_of(json.dumps(events).encode()), portal, kept)


@pytest.mark.parametrize("what", ["creation", "deletion", "merge", "restore", "propertyChange"])
@pytest.mark.parametrize(
    ("subject", "object_"), [("contact", "contacts"), ("company", "companies"), ("deal", "deals")]
)
def test_a_change_asks_for_a_poll_of_its_object(subject, object_, what):
    found = ask(event(f"{subject}.{what}"))
    assert found.objects == {object_}
    assert found.counts == {"taken": 1}


def test_events_of_other_objects_bear_a_type_id():
    assert ask(event("object.propertyChange", objectTypeId="0-14")).objects == {"quotes"}
    assert ask(event("object.merge", objectTypeId="0-1")).objects == {"contacts"}
    boats = ask(event("object.creation", objectTypeId="2-9"))
    assert boats.custom == {("2-9", False)}
    assert boats.objects == frozenset()


@pytest.mark.parametrize(
    ("name", "more", "pairs"),
    [
        ("contact", {"associationType": "CONTACT_TO_COMPANY"}, {"contacts-companies"}),
        ("company", {"associationType": "COMPANY_TO_CONTACT"}, {"contacts-companies"}),
        ("deal", {"associationType": "DEAL_TO_CONTACT"}, {"contacts-deals"}),
        ("deal", {"associationType": "DEAL_TO_COMPANY"}, set()),
        # A label or nothing: all pairs that the object is an end of.
        (
            "contact",
            {"associationType": "Decision maker"},
            {"contacts-companies", "contacts-deals"},
        ),
        (
            "contact",
            {"associationType": "DEAL_TO_COMPANY"},
            {"contacts-companies", "contacts-deals"},
        ),
        ("company", {}, {"contacts-companies"}),
        ("quote", {}, set()),
    ],
)
def test_a_change_of_associations_asks_for_a_poll_of_the_pair(name, more, pairs):
    own = name != "quote"
    named = event(f"{name}.associationChange" if own else "object.associationChange", **more)
    assert ask(named if own else named | {"objectTypeId": "0-14"}).objects == pairs


def test_pairs_of_a_custom_object_are_found_by_its_name():
    assert ask(event("object.associationChange", objectTypeId="2-9")).custom == {("2-9", True)}
    kept = (OWN, f"contacts-{OWN}", "contacts-deals")
    assert polled(OWN, linked=True, kept=kept) == {f"contacts-{OWN}"}
    assert polled(OWN, linked=False, kept=kept) == {OWN}


def test_a_deletion_for_privacy_names_its_contact():
    found = ask(event("contact.privacyDeletion", objectId=41), event("contact.privacyDeletion"))
    assert found.objects == {"contacts"}
    at = datetime(2024, 5, 8, 21, 18, 21, 896_000, tzinfo=UTC)
    assert found.forgotten == {"41": at, "7": at}


def test_nobody_is_forgotten_on_the_word_of_a_portal_that_may_be_another():
    found = ask(event("contact.privacyDeletion"), portal=None)
    assert found.objects == {"contacts"}
    assert found.forgotten == {}


def test_events_of_another_portal_ask_for_nothing():
    found = ask(event("contact.creation", portalId=5), event("deal.merge", portalId=None))
    assert (found.objects, found.counts) == (frozenset(), {"foreign": 2})
    assert ask(event("contact.privacyDeletion", portalId=5)).forgotten == {}
    assert ask(event("contact.creation", portalId=PORTAL)).objects == {"contacts"}


@pytest.mark.parametrize(
    "name",
    [
        "",
        "contact",
        "contact.walk",
        "conversation.creation",
        "quote.creation",
        "deal.privacyDeletion",
        "object.creation",
    ],
)
def test_what_is_unknown_is_counted_and_passed_over(name):
    found = ask(event(name), event("deal.creation"))
    assert found.objects == {"deals"}
    assert found.counts == {"unknown": 1, "taken": 1}


def test_what_nobody_polls_is_counted():
    assert ask(event("ticket.creation")).counts == {"unwatched": 1}


def test_order_and_repetition_make_no_difference():
    events = [event("contact.creation"), event("deal.merge"), event("contact.privacyDeletion")]
    assert ask(*events, *events).objects == ask(*reversed(events)).objects
    assert ask(*events, *events).forgotten == ask(*events).forgotten


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[1]", b'[{"subscriptionType": 5}]', b"[{]", b'["secret@acme.example"]', b"\xff"],
)
def test_a_body_that_holds_no_events_is_refused_without_repeating_it(body):
    with pytest.raises(ValueError, match="no JSON list of events") as caught:
        events_of(body)
    assert "secret" not in str(caught.value)
