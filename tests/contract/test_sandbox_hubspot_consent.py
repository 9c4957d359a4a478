"""The sandbox's HubSpot: subscription statuses, users and imports, and the security log."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hubspot_sdk import HubSpot

from support.hubspot_portal import PortalUnderTest, portal_under_test

NEWS = 4_471_002
PATH = "/communication-preferences/v4/statuses"
BASIS = {"legalBasis": "CONSENT_WITH_NOTICE", "legalBasisExplanation": "Asked on the phone."}


@pytest.fixture
def portal() -> Iterator[PortalUnderTest]:
    with portal_under_test() as running:
        yield running


def address_of(portal: PortalUnderTest, place: int = 1) -> str:
    found: str = portal.truth("contacts")[place]["properties"]["email"]
    return found


def order(status: str, **more: Any) -> dict[str, Any]:
    return {"subscriptionId": NEWS, "channel": "EMAIL", "statusState": status, **more}


def status_of(portal: PortalUnderTest, address: str) -> dict[str, Any]:
    found = portal.send("GET", f"{PATH}/{address}", params={"channel": "EMAIL"}).json()
    return next(one for one in found["results"] if one["subscriptionId"] == NEWS)


def security(portal: PortalUnderTest, **query: str) -> list[dict[str, Any]]:
    path = "/account-info/v3/activity/security"
    found: list[dict[str, Any]] = portal.send("GET", path, params=query).json()["results"]
    return found


@pytest.mark.parametrize("version", ["v4", "2026-03", "2026-09"])
def test_every_address_has_a_status_of_every_subscription(
    portal: PortalUnderTest, version: str
) -> None:
    address = address_of(portal)
    path = f"/communication-preferences/{version}/statuses"
    one = portal.send("GET", f"{path}/{address}", params={"channel": "EMAIL"}).json()
    two = portal.send(
        "POST", f"{path}/batch/read", {"inputs": [address]}, params={"channel": "EMAIL"}
    ).json()

    assert [each["subscriptionId"] for each in one["results"]] == [4_471_001, NEWS, 4_471_003]
    assert two["results"] == [{"subscriberIdString": address, "statuses": one["results"]}]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/batch/read", {"inputs": []}),
        ("/batch/read", {"inputs": [{"id": "a@x.example"}]}),
        ("/batch/read", {"inputs": ["nobody"]}),
        ("/batch/read", {"inputs": [f"a{no}@x.example" for no in range(101)]}),
    ],
)
def test_a_batch_of_anything_else_than_addresses_is_refused(
    portal: PortalUnderTest, path: str, body: dict[str, Any]
) -> None:
    reply = portal.send("POST", PATH + path, body, params={"channel": "EMAIL"})
    assert (reply.status_code, reply.json()["category"]) == (400, "VALIDATION_ERROR")


def test_a_channel_has_to_be_told(portal: PortalUnderTest) -> None:
    assert portal.send("GET", f"{PATH}/{address_of(portal)}").status_code == 400
    assert portal.send("POST", f"{PATH}/batch/read", {"inputs": ["a@x.example"]}).status_code == 400


def test_nobody_is_subscribed_without_a_legal_basis_under_the_gdpr(portal: PortalUnderTest) -> None:
    address = address_of(portal)
    refused = portal.send("POST", f"{PATH}/{address}", order("SUBSCRIBED"))
    strange = portal.send("POST", f"{PATH}/{address}", order("SUBSCRIBED", legalBasis="WHIM"))
    assert (refused.status_code, strange.status_code) == (400, 400)
    assert status_of(portal, address)["status"] == "NOT_SPECIFIED"

    portal.act("gdpr", on=False)
    assert portal.send("POST", f"{PATH}/{address}", order("SUBSCRIBED")).status_code == 200
    assert status_of(portal, address)["status"] == "SUBSCRIBED"


def test_a_status_says_why_setting_it_succeeded(portal: PortalUnderTest) -> None:
    address = address_of(portal)
    reasons = [
        portal.send("POST", f"{PATH}/{address}", order(status, **more)).json()["results"][0][
            "setStatusSuccessReason"
        ]
        for status, more in (
            ("SUBSCRIBED", BASIS),
            ("SUBSCRIBED", BASIS),
            ("UNSUBSCRIBED", {}),
            ("SUBSCRIBED", BASIS),
        )
    ]

    assert reasons == [
        "REQUESTED_CHANGE_OCCURRED",
        "NO_STATUS_CHANGE",
        "REQUESTED_CHANGE_OCCURRED",
        "RESUBSCRIBE_OCCURRED",
    ]
    found = status_of(portal, address)
    assert {name: found[name] for name in BASIS} == BASIS


def test_of_a_batch_of_writes_the_bad_one_fails_alone(portal: PortalUnderTest) -> None:
    good, bad = address_of(portal, 1), address_of(portal, 2)
    inputs = [
        order("UNSUBSCRIBED", subscriberIdString=good),
        order("SUBSCRIBED", subscriberIdString=bad),
    ]
    reply = portal.send("POST", f"{PATH}/batch/write", {"inputs": inputs})

    assert reply.status_code == 207
    assert [one["subscriberIdString"] for one in reply.json()["results"]] == [good]
    assert reply.json()["errors"][0]["context"] == {"subscriberIdString": [bad]}
    assert status_of(portal, good)["status"] == "UNSUBSCRIBED"


def test_each_scope_opens_its_own_door(portal: PortalUnderTest) -> None:
    token, address = portal.people["tokens"]["observer"], address_of(portal)
    batch = "communication_preferences.statuses.batch.read"
    channel = {"channel": "EMAIL"}

    def asked() -> tuple[int, int, int]:
        body = {"inputs": [address]}
        together = portal.send("POST", f"{PATH}/batch/read", body, token=token, params=channel)
        alone = portal.send("GET", f"{PATH}/{address}", token=token, params=channel)
        written = portal.send("POST", f"{PATH}/{address}", order("UNSUBSCRIBED"), token=token)
        return together.status_code, alone.status_code, written.status_code

    assert asked() == (200, 200, 403)
    portal.act("scopes", app="observer", take=[batch])
    assert asked() == (403, 200, 403)


def test_a_status_moves_the_stamp_of_its_contact(portal: PortalUnderTest) -> None:
    [contact] = portal.truth("contacts", portal.ids()[1])
    with portal.world.lock:
        portal.world.clock.turn(60)

    portal.act(
        "consent",
        records=[{"id": contact["id"], "subscription": "Product news", "status": "UNSUBSCRIBED"}],
    )

    [moved] = portal.truth("contacts", contact["id"])
    stamp = "lastmodifieddate"
    assert moved["properties"][stamp] > contact["properties"][stamp]
    assert status_of(portal, contact["properties"]["email"])["source"] == "CRM UI"


@pytest.mark.parametrize(
    "record",
    [
        {"subscription": NEWS, "status": "MAYBE"},
        {"subscription": "Nothing of the kind", "status": "UNSUBSCRIBED"},
        {"subscription": NEWS, "status": "SUBSCRIBED"},
    ],
)
def test_an_order_of_consent_that_makes_no_sense_is_refused(
    portal: PortalUnderTest, record: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"status|subscription|legalBasis"):
        portal.act("consent", records=[{"id": portal.ids()[1], **record}])


def test_the_dated_client_reads_statuses(portal: PortalUnderTest) -> None:
    address = address_of(portal)
    with HubSpot(
        access_token=portal.token,
        base_url=portal.server.url,
        max_retries=0,
        http_client=httpx.Client(),
    ) as client:
        preferences = client.communication_preferences
        alone = preferences.get_statuses(address, channel="EMAIL")
        together = preferences.statuses.batch.read(inputs=[address], channel="EMAIL")

    assert [one.status for one in alone.results] == ["NOT_SPECIFIED"] * 3
    assert together.results[0].subscriber_id_string == address
    assert len(together.results[0].statuses) == 3


def test_the_security_log_says_what_was_done_to_users(portal: PortalUnderTest) -> None:
    [id_] = portal.act("user", user="Tobias Okafor", change={"admin": True})["ids"]
    with portal.world.lock:
        portal.world.clock.turn(60)
        now = int(portal.world.clock.now().timestamp() * 1000)
    portal.act("user", user="Priya Raman", change={"archived": True})

    events = security(portal)
    assert [event["type"] for event in events] == ["REMOVE_USER", "ADD_ADMIN_PERMISSIONS"]
    assert events[1]["objectId"] == id_
    assert events[1]["actingUser"] == "maya.lindqvist@fernhill-supply.example"
    assert [one["type"] for one in security(portal, fromTimestamp=str(now))] == ["REMOVE_USER"]
    assert [one["objectId"] for one in security(portal, userId=id_)] == [id_]
    path = "/account-info/v3/activity/security"
    assert portal.send("GET", path, params={"fromTimestamp": "today"}).status_code == 400


def test_a_privacy_deletion_is_in_the_security_log(portal: PortalUnderTest) -> None:
    [id_] = portal.act("gdpr_delete", object="contacts", records=[{"id": portal.ids()[0]}])["ids"]

    [event] = security(portal)
    assert (event["type"], event["objectId"]) == ("GDPR_DELETE", id_)


def test_a_user_comes_and_goes(portal: PortalUnderTest) -> None:
    [made] = portal.act("user", new={"first": "Nora", "last": "Quist"})["ids"]
    emails = {user["id"]: user["email"] for user in portal.wire.people()["users"]}
    assert emails[made] == "nora.quist@fernhill-supply.example"

    portal.act("user", user=made, change={"archived": True})
    listed = portal.send("GET", "/settings/v3/users/").json()["results"]
    assert made not in {user["id"] for user in listed}
    for change in ({"name": "x"}, {"team": "7"}):
        with pytest.raises(ValueError, match=r"cannot change|no team"):
            portal.act("user", user="Priya Raman", change=change)


def test_an_import_can_be_reverted(portal: PortalUnderTest) -> None:
    [id_] = portal.act("import_state", **{"import": "trade-fair-leads.csv", "state": "REVERTED"})[
        "ids"
    ]

    assert portal.send("GET", f"/crm/v3/imports/{id_}").json()["state"] == "REVERTED"
    for bad in ({"import": "none.csv", "state": "DONE"}, {"import": id_, "state": "GONE"}):
        with pytest.raises(ValueError, match=r"no import|state"):
            portal.act("import_state", **bad)


def test_the_audit_log_is_filtered_by_time(portal: PortalUnderTest) -> None:
    portal.act("edition", enterprise=True)
    first, second = portal.ids()[:2]
    portal.change("contacts", first, {"jobtitle": "Buyer"})
    with portal.world.lock:
        portal.world.clock.turn(60)
        now = portal.world.clock.now().isoformat()
    portal.change("contacts", second, {"jobtitle": "Buyer"})

    path = "/account-info/v3/activity/audit-logs"
    found = portal.send("GET", path, params={"occurredAfter": now}).json()["results"]
    assert [one["targetObjectId"] for one in found] == [second]
    assert portal.send("GET", path, params={"occurredAfter": "soon"}).status_code == 400
