"""Rate limits and faults of the sandbox's HubSpot, in the vendor's words."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hubspot.crm.objects.exceptions import ApiException

from crmtrail.sandbox.hubspot.limits import Limits
from support.hubspot_portal import PortalUnderTest, portal_under_test

LIST = "/crm/v3/objects/contacts"
NOTHING: dict[str, object] = {"filterGroups": [], "limit": 1}


@pytest.fixture
def portal() -> Iterator[PortalUnderTest]:
    with portal_under_test() as running:
        yield running


class HandClock:
    """A monotonic clock moved by hand."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def test_the_window_of_ten_seconds_rolls() -> None:
    clock = HandClock()
    limits = Limits(burst=3, monotonic=clock)

    def statuses(count: int) -> list[int]:
        replies = [limits.count("app", searching=False, today="1") for _ in range(count)]
        return [200 if reply is None else reply.status for reply in replies]

    assert statuses(2) == [200, 200]
    clock.at += 6
    assert statuses(2) == [200, 429]
    clock.at += 5
    assert statuses(3) == [200, 200, 429]
    assert limits.count("other app", searching=False, today="1") is None


def test_searches_are_counted_by_the_second_and_for_all_apps() -> None:
    clock = HandClock()
    limits = Limits(monotonic=clock)
    apps = ["one", "two"] * 3
    replies = [limits.count(app, searching=True, today="1") for app in apps]
    clock.at += 1.01

    assert [reply is None for reply in replies] == [True] * 5 + [False]
    assert limits.count("one", searching=True, today="1") is None
    assert limits.headers("one")["X-HubSpot-RateLimit-Remaining"] == "190"


def test_every_answer_but_a_searchs_carries_the_headers(portal: PortalUnderTest) -> None:
    listed = portal.send("GET", LIST)
    again = portal.send("GET", LIST)
    searched = portal.post("contacts/search", NOTHING)

    assert listed.headers["X-HubSpot-RateLimit-Max"] == "190"
    assert listed.headers["X-HubSpot-RateLimit-Interval-Milliseconds"] == "10000"
    assert again.headers["X-HubSpot-RateLimit-Remaining"] == "188"
    assert listed.headers["X-HubSpot-RateLimit-Daily"] == "625000"
    assert not [name for name in searched.headers if "ratelimit-remaining" in name.lower()]
    assert not [name for name in searched.headers if "ratelimit-daily" in name.lower()]
    assert portal.get("contacts/1").headers["X-HubSpot-RateLimit-Max"] == "190"


def test_a_burst_is_refused_without_a_category(portal: PortalUnderTest) -> None:
    portal.act("limits", burst=2)
    for _ in range(2):
        portal.objects.get_page("contacts")

    with pytest.raises(ApiException) as refused:
        portal.objects.get_page("contacts")

    reply = portal.send("GET", LIST)
    assert refused.value.status == 429
    assert refused.value.headers["X-HubSpot-RateLimit-Remaining"] == "0"
    body = reply.json()
    assert body["policyName"] == "TEN_SECONDLY_ROLLING"
    assert body["message"] == "You have reached your ten_secondly_rolling limit."
    assert body["errorType"] == "RATE_LIMIT"
    assert "category" not in body
    assert "Retry-After" not in reply.headers


def test_too_many_searches_are_refused_without_headers(portal: PortalUnderTest) -> None:
    portal.act("limits", search=0)

    refused = portal.post("contacts/search", NOTHING)

    assert refused.status_code == 429
    assert refused.json()["policyName"] == "SECONDLY"
    assert not [name for name in refused.headers if "ratelimit" in name.lower()]


def test_the_day_is_over_until_midnight(portal: PortalUnderTest) -> None:
    portal.world.clock.freeze(datetime(2026, 11, 23, 22, 0, tzinfo=UTC))
    usage = "/account-info/v3/api-usage/daily/private-apps"
    portal.send("GET", LIST)
    [used] = portal.send("GET", usage).json()["results"]
    portal.act("limits", daily=2)

    refused = portal.send("GET", LIST)
    portal.world.clock.turn(2 * 3600)

    assert used["name"] == "private-apps-api-calls-daily"
    assert (used["currentUsage"], used["usageLimit"]) == (2, 625_000)
    assert used["resetsAt"] == "2026-11-24T00:00:00.000Z"
    assert refused.status_code == 429
    assert refused.json()["policyName"] == "DAILY"
    assert portal.send("GET", LIST).status_code == 200


def test_limits_can_be_switched_off(portal: PortalUnderTest) -> None:
    portal.act("limits", burst=1)
    portal.act("limits", burst=None)

    assert {portal.send("GET", LIST).status_code for _ in range(5)} == {200}


@pytest.mark.parametrize(
    ("fault", "status", "policy", "wait"),
    [
        ({"kind": "throttle"}, 429, "TEN_SECONDLY_ROLLING", None),
        ({"kind": "throttle", "retry_after": 7}, 429, "TEN_SECONDLY_ROLLING", "7"),
        ({"kind": "throttle", "quota": True}, 429, "DAILY", None),
        ({"kind": "unauthorized"}, 401, None, None),
    ],
)
def test_ordered_faults_speak_hubspot(
    portal: PortalUnderTest,
    fault: dict[str, object],
    status: int,
    policy: str | None,
    wait: str | None,
) -> None:
    portal.order_fault(**fault)

    refused = portal.send("GET", LIST)

    assert refused.status_code == status
    assert refused.json().get("policyName") == policy
    assert refused.headers.get("Retry-After") == wait
    assert portal.send("GET", LIST).status_code == 200


def test_a_locked_record_refuses_writes_only(portal: PortalUnderTest) -> None:
    portal.act("locked", times=1)
    path = f"{LIST}/{portal.ids()[0]}"
    body = {"properties": {"city": "Oslo"}}

    assert portal.send("GET", path).status_code == 200
    refused = portal.send("PATCH", path, body)
    assert (refused.status_code, refused.json()["category"]) == (423, "LOCKED")
    assert portal.send("PATCH", path, body).status_code == 200


def test_a_portal_that_moves_says_how_long(portal: PortalUnderTest) -> None:
    portal.act("migrating", times=1, retry_after=600)

    refused = portal.send("GET", LIST)

    assert (refused.status_code, refused.headers["Retry-After"]) == (477, "600")
    assert portal.send("GET", LIST).status_code == 200


def test_addresses_that_lead_nowhere(portal: PortalUnderTest) -> None:
    assert portal.send("GET", "/crm/v3/gadgets").status_code == 404
    assert portal.send("GET", "/crm/v9/objects/contacts").status_code == 404
    assert portal.send("PUT", LIST).status_code == 405
    assert portal.send("GET", LIST, params={"properties": "x" * 17_000}).status_code == 414
