"""What binds writes to the sandbox's HubSpot: scopes, rules of an admin, locks, late sums."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import requests

from support.hubspot_portal import PortalUnderTest, portal_under_test

VERSIONS = ["v3", "2026-03", "2026-09"]


@pytest.fixture
def portal() -> Iterator[PortalUnderTest]:
    with portal_under_test() as running:
        yield running


def path(version: str, rest: str) -> str:
    return f"/crm/v3/objects/{rest}" if version == "v3" else f"/crm/objects/{version}/{rest}"


def patch(
    portal: PortalUnderTest, rest: str, values: dict[str, Any], version: str = "v3"
) -> requests.Response:
    return portal.send("PATCH", path(version, rest), {"properties": values})


def codes(refused: requests.Response) -> set[tuple[str, str]]:
    assert refused.status_code == 400, refused.text
    assert refused.json()["category"] == "VALIDATION_ERROR"
    return {(each["code"], each["context"]["propertyName"][0]) for each in refused.json()["errors"]}


# required properties


@pytest.mark.parametrize("version", VERSIONS)
def test_a_condition_binds_only_the_writes_of_2026_09(
    portal: PortalUnderTest, version: str
) -> None:
    when = {"lifecyclestage": "customer"}
    portal.act("require", object="contacts", properties=["customer_number"], when=when)
    id_ = portal.ids()[0]
    portal.change("contacts", id_, {"lifecyclestage": "lead", "customer_number": None})

    bare = patch(portal, f"contacts/{id_}", {"lifecyclestage": "customer"}, version)
    if version != "2026-09":
        assert bare.status_code == 200
        return
    assert codes(bare) == {("MISSING_CONDITIONAL_REQUIRED_PROPERTY", "customer_number")}
    whole = {"lifecyclestage": "customer", "customer_number": "N-77"}
    assert patch(portal, f"contacts/{id_}", whole, version).status_code == 200
    cleared = patch(portal, f"contacts/{id_}", {"customer_number": ""}, version)
    assert codes(cleared) == {("MISSING_CONDITIONAL_REQUIRED_PROPERTY", "customer_number")}
    assert patch(portal, f"contacts/{id_}", {"city": "Bonn"}, version).status_code == 200


@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_create_form_requires_binds_new_records(
    portal: PortalUnderTest, version: str
) -> None:
    portal.act("require", object="contacts", properties=["phone"])
    bare = {"properties": {"email": "new@fernhill.example"}}

    made = portal.send("POST", path(version, "contacts"), bare)

    if version != "2026-09":
        assert made.status_code == 201
        return
    assert codes(made) == {("MISSING_REQUIRED_PROPERTY", "phone")}
    id_ = portal.ids()[0]
    assert patch(portal, f"contacts/{id_}", {"phone": ""}, version).status_code == 200


def test_rules_bind_batches_of_2026_09_too(portal: PortalUnderTest) -> None:
    portal.act("require", object="contacts", properties=["phone"])
    good, bad = {"email": "a@fernhill.example", "phone": "1"}, {"email": "b@fernhill.example"}
    inputs = [
        {"properties": values, "objectWriteTraceId": str(n)} for n, values in enumerate((good, bad))
    ]

    answer = portal.send(
        "POST", path("2026-09", "contacts/batch/create"), {"inputs": inputs}
    ).json()

    assert [each["objectWriteTraceId"] for each in answer["results"]] == ["0"]
    assert answer["errors"][0]["context"]["objectWriteTraceId"] == ["1"]
    assert answer["errors"][0]["errors"][0]["code"] == "MISSING_REQUIRED_PROPERTY"


def test_acts_of_the_portal_obey_no_rules_and_rules_can_go(portal: PortalUnderTest) -> None:
    portal.act("require", object="contacts", properties=["phone"])
    portal.act("create", object="contacts", records=[{"fields": {"email": "x@fernhill.example"}}])
    portal.act("require", object="contacts", clear=True)

    body = {"properties": {"email": "y@fernhill.example"}}

    assert portal.send("POST", path("2026-09", "contacts"), body).status_code == 201


@pytest.mark.parametrize(
    ("rule", "argument", "good", "bad"),
    [
        ("MAX_LENGTH", "5", "12345", "123456"),
        ("MIN_LENGTH", "3", "123", "12"),
        ("REGEX", "[A-Z]{2}\\d+", "DE77", "77"),
        ("ALPHANUMERIC", "", "AB12", "AB-12"),
    ],
)
def test_validation_rules_are_listed_and_bind_2026_09(
    portal: PortalUnderTest, rule: str, argument: str, good: str, bad: str
) -> None:
    portal.act("validation", object="contacts", name="zip", rule=rule, arguments=[argument])
    id_ = portal.ids()[0]

    listed = portal.send("GET", "/crm/v3/property-validations/0-1").json()["results"]
    one = portal.send("GET", "/crm/property-validations/2026-09/0-1/zip").json()["results"]

    shown = {"ruleType": rule, "ruleArguments": [argument], "shouldApplyNormalization": False}
    assert listed == [{"propertyName": "zip", "propertyValidationRules": [shown]}]
    assert one == [shown]
    typed = portal.send("GET", f"/crm/v3/property-validations/0-1/zip/rule-type/{rule}")
    assert typed.json() == shown
    assert patch(portal, f"contacts/{id_}", {"zip": good}, "2026-09").status_code == 200
    refused = patch(portal, f"contacts/{id_}", {"zip": bad}, "2026-09")
    assert codes(refused) == {("INVALID_PROPERTY_VALUE", "zip")}
    assert patch(portal, f"contacts/{id_}", {"zip": bad}).status_code == 200


# scopes


@pytest.mark.parametrize(
    ("method", "target", "scope"),
    [
        ("GET", "/crm/v3/objects/deals", "crm.objects.deals.read"),
        ("GET", "/crm/objects/2026-03/0-3", "crm.objects.deals.read"),
        ("POST", "/crm/v3/objects/deals/search", "crm.objects.deals.read"),
        ("POST", "/crm/v3/objects/deals/batch/read", "crm.objects.deals.read"),
        ("PATCH", "/crm/v3/objects/deals/1", "crm.objects.deals.write"),
        ("POST", "/crm/v4/associations/deals/contacts/batch/read", "crm.objects.deals.read"),
        ("GET", "/crm/v3/owners", "crm.objects.owners.read"),
        ("GET", "/settings/v3/users", "settings.users.read"),
        ("GET", "/settings/v3/users/teams", "settings.users.teams.read"),
        ("GET", "/crm/v3/imports", "crm.import"),
        ("GET", "/account-info/v3/activity/login", "account-info.security.read"),
        ("GET", "/crm/v3/objects/tickets", "tickets"),
    ],
)
def test_a_token_without_the_scope_is_refused(
    portal: PortalUnderTest, method: str, target: str, scope: str
) -> None:
    portal.act("scopes", app="restorer", take=[scope])

    refused = portal.send(method, target, None if method == "GET" else {})

    assert refused.status_code == 403
    body = refused.json()
    assert body["category"] == "MISSING_SCOPES"
    assert body["errors"][0]["context"] == {"requiredGranularScopes": [scope]}
    assert portal.send("GET", "/account-info/v3/details").status_code == 200


def test_any_one_scope_of_several_suffices(portal: PortalUnderTest) -> None:
    portal.act("scopes", app="restorer", take=["crm.schemas.deals.read"])
    assert portal.send("GET", "/crm/v3/properties/deals").status_code == 200

    portal.act("scopes", app="restorer", take=["crm.objects.deals.read"])
    refused = portal.send("GET", "/crm/v3/properties/deals")

    assert refused.json()["errors"][0]["context"]["requiredGranularScopes"] == [
        "crm.schemas.deals.read",
        "crm.objects.deals.read",
    ]
    portal.act("scopes", app="restorer", give=["crm.objects.deals.read"])
    assert portal.send("GET", "/crm/v3/properties/deals").status_code == 200


def test_a_scope_opens_sensitive_values(portal: PortalUnderTest) -> None:
    id_ = portal.ids()[0]
    portal.change("contacts", id_, {"tax_number": "DE 123"})
    assert (
        "tax_number"
        not in portal.get(f"contacts/{id_}", properties="tax_number").json()["properties"]
    )

    portal.act("scopes", app="restorer", give=["crm.objects.contacts.sensitive.read.v2"])

    found = portal.get(
        f"contacts/{id_}", properties="tax_number", propertiesWithHistory="tax_number"
    ).json()
    assert found["properties"]["tax_number"] == "DE 123"
    assert found["propertiesWithHistory"]["tax_number"][0]["value"] == "DE 123"


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({"app": "nobody"}, "no app 'nobody'"),
        ({"app": "observer", "take": ["crm.fly"]}, "has no scope crm.fly"),
    ],
)
def test_orders_for_scopes_that_make_no_sense(
    portal: PortalUnderTest, order: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        portal.act("scopes", **order)


def test_an_app_whose_maker_left_reaches_no_records(portal: PortalUnderTest) -> None:
    portal.act("orphan", app="restorer")

    refused = portal.get("contacts")

    assert refused.status_code == 403
    assert refused.json()["category"] == "USER_DOES_NOT_HAVE_PERMISSIONS"
    assert portal.send("GET", "/crm/v3/owners").status_code == 200
    portal.act("orphan", app=None)
    assert portal.get("contacts").status_code == 200


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("oauth", [True, False])
def test_the_users_permission_to_associate_binds_oauth_in_2026_09_only(
    portal: PortalUnderTest, version: str, oauth: bool
) -> None:
    portal.act("edit_associations", on=False)
    if oauth:
        portal.token = logged_in(portal)
    one, company = portal.ids()[0], portal.ids("companies")[-1]
    root = "/crm/v4/associations" if version == "v3" else f"/crm/associations/{version}"
    wish = {"inputs": [{"from": {"id": one}, "to": {"id": company}}]}

    made = portal.send("POST", f"{root}/contacts/companies/batch/associate/default", wish)

    if oauth and version == "2026-09":
        assert made.status_code == 400
        assert made.json()["message"] == "Missing 'Edit Associations' permission."
    else:
        assert made.status_code == 200


def logged_in(portal: PortalUnderTest) -> str:
    form = portal.people["oauth"]["restorer"] | {"grant_type": "refresh_token"}
    given = requests.post(f"{portal.server.url}/oauth/2026-03/token", data=form, timeout=30)
    return str(given.json()["access_token"])


# published quotes


def published(portal: PortalUnderTest) -> str:
    id_ = portal.ids("quotes")[0]
    portal.change("quotes", id_, {"hs_status": "APPROVED"}, by={"kind": "system"})
    return id_


def test_a_published_quote_cannot_be_edited_until_it_is_recalled(portal: PortalUnderTest) -> None:
    id_ = published(portal)
    inputs = [{"id": id_, "properties": {"hs_title": "New"}}]

    alone = patch(portal, f"quotes/{id_}", {"hs_title": "New"})
    many = portal.post("quotes/batch/update", {"inputs": inputs})
    recalled = patch(portal, f"quotes/{id_}", {"hs_status": "DRAFT", "hs_title": "New"})

    assert (alone.status_code, many.status_code) == (400, 400)
    assert f"Quote {id_} is published" in alone.json()["message"]
    assert recalled.status_code == 200
    assert portal.truth("quotes", id_)[0]["properties"]["hs_locked"] == "false"
    assert patch(portal, f"quotes/{id_}", {"hs_title": "Newer"}).status_code == 200


def test_the_lock_of_quotes_can_be_taken_off(portal: PortalUnderTest) -> None:
    id_ = published(portal)
    portal.act("quote_lock", on=False)

    assert patch(portal, f"quotes/{id_}", {"hs_title": "New"}).status_code == 200


# late sums


def test_sums_come_late_and_move_the_stamp_when_they_do(portal: PortalUnderTest) -> None:
    portal.act("rollup_lag", seconds=20)
    deal, item = portal.ids("deals")[0], portal.ids("line_items")[0]
    before = portal.truth("deals", deal)[0]["properties"]

    patch(portal, f"line_items/{item}", {"quantity": "1000", "hs_discount_percentage": "10"})
    at_once = portal.truth("line_items", item)[0]["properties"]
    portal.world.clock.turn(21)
    later = portal.truth("line_items", item)[0]["properties"]
    portal.world.clock.turn(21)
    after = portal.truth("deals", deal)[0]["properties"]

    price = float(at_once["price"])
    assert at_once["hs_total_discount"] != later["hs_total_discount"]
    assert float(later["hs_total_discount"]) == pytest.approx(price * 100, abs=0.01)
    assert after["amount"] != before["amount"]
    assert after["hs_lastmodifieddate"] > before["hs_lastmodifieddate"]
    newest = portal.history("deals", deal, "amount")[0]
    assert (newest["sourceType"], newest["value"]) == ("CALCULATED", after["amount"])


def test_a_deals_own_amount_gives_way_to_the_late_sum(portal: PortalUnderTest) -> None:
    deal, item = portal.ids("deals")[0], portal.ids("line_items")[0]
    right = portal.truth("deals", deal)[0]["properties"]["amount"]
    portal.act("rollup_lag", seconds=20)

    written = patch(portal, f"deals/{deal}", {"amount": "1"})
    assert written.json()["properties"]["amount"] == "1"
    assert portal.truth("deals", deal)[0]["properties"]["amount"] == "1"
    patch(portal, f"line_items/{item}", {"name": "Renamed"})
    portal.world.clock.turn(41)

    assert portal.truth("deals", deal)[0]["properties"]["amount"] == right


def test_computed_values_of_a_new_record_come_late(portal: PortalUnderTest) -> None:
    portal.act("rollup_lag", seconds=20)
    body = {"properties": {"name": "Box", "price": "5", "quantity": "3"}}
    id_ = portal.post("line_items", body).json()["id"]
    assert "amount" not in portal.truth("line_items", id_)[0]["properties"]

    portal.world.clock.turn(21)

    assert portal.truth("line_items", id_)[0]["properties"]["amount"] == "15"


# the account's day


def test_the_day_ends_at_the_accounts_midnight(portal: PortalUnderTest) -> None:
    portal.act("time_zone", name="America/New_York")
    frozen = datetime.fromisoformat("2026-11-25T04:59:00+00:00")
    portal.world.clock.freeze(frozen)
    portal.act("limits", daily=1)
    usage = "/account-info/v3/api-usage/daily/private-apps"
    found = portal.send("GET", usage).json()["results"][0]
    refused = portal.send("GET", usage)

    assert found["resetsAt"] == "2026-11-25T05:00:00.000Z"
    assert refused.status_code == 429
    assert refused.json()["policyName"] == "DAILY"
    portal.world.clock.turn(61)
    again = portal.send("GET", "/account-info/v3/details").json()
    assert (again["timeZone"], again["utcOffset"]) == ("America/New_York", "-05:00")
    assert again["utcOffsetMilliseconds"] == -5 * 3_600_000


def test_an_unknown_time_zone_is_refused(portal: PortalUnderTest) -> None:
    with pytest.raises(ValueError, match="unknown time zone 'Mars/Base'"):
        portal.act("time_zone", name="Mars/Base")
