"""The reading part of the contract, and assumptions that reading alone can settle."""

from datetime import timedelta

import pytest

from crmtrail.model import FieldType, Mode, Reading, value_of
from crmtrail.ports import Connector
from support.live_findings import Findings, Ruling
from support.live_portal import RawPortal

PAGES_MOST = 10
CONTACTS = "/crm/v3/objects/contacts"


def test_the_portal_says_who_we_are(live: Connector, raw: RawPortal, findings: Findings):
    told = live.identity()
    details = raw.details()
    assert told.account == str(details["portalId"])
    assert told.server_time is not None
    assert abs(told.server_time - raw.now()) < timedelta(minutes=1)
    findings.circumstances |= {
        "portal": f"{details['portalId']}, {details.get('accountType')}",
        "when": f"{told.server_time:%Y-%m-%d %H:%M} UTC",
        "app": told.user,
    }
    if raw.is_private:
        answer = raw.token_info()
        findings.note("token-info", answer.status_code == 200, str(answer.status_code))


def test_objects_can_be_listed(live: Connector):
    objects = live.objects()
    assert {"contacts", "companies", "deals"} <= set(objects)
    assert len(set(objects)) == len(objects)


def test_fields_are_described(live: Connector):
    schema = live.schema("contacts")
    assert {"email", "lastname", "lifecyclestage"} <= schema.fields.keys()
    assert schema.fields["lifecyclestage"].type is FieldType.CHOICE


def test_a_first_page_holds_what_the_portal_holds(live: Connector, raw: RawPortal):
    live.schema("contacts")
    told: dict[str, Reading] = {}
    cursor = live.start("contacts", None, Mode.INCREMENTAL)
    for _ in range(PAGES_MOST):
        page = live.page("contacts", cursor)
        told |= {one.ref.id: one for one in page.readings}
        if told or page.done:
            break
        cursor = page.cursor
    rows = raw.get(CONTACTS, limit=20, properties="lastname").json()["results"]
    assert bool(rows) == bool(told)
    for row in rows:
        if row["id"] in told:
            last = told[row["id"]].fields.get("lastname")
            assert (last and value_of(last)) == (row["properties"].get("lastname") or None)


def test_an_undefined_property_is_left_out(raw: RawPortal, findings: Findings):
    name = "crmtrail_never_defined"
    answer = raw.get(CONTACTS, limit=1, properties=f"lastname,{name}")
    assert answer.status_code == 200, raw.told(answer)
    rows = answer.json()["results"]
    if not rows:
        pytest.skip("there are no contacts")
    findings.note("undefined", name not in rows[0]["properties"], f"{answer.status_code}")


def test_searches_have_limits_of_their_own(raw: RawPortal, findings: Findings):
    stamp = {"propertyName": "lastmodifieddate", "operator": "GT", "value": "0"}
    found = raw.search(stamp, limit=1)
    assert found.status_code == 200, raw.told(found)
    limits = ("daily", "-max", "remaining", "secondly")
    told = sorted(
        name
        for name in found.headers
        if "ratelimit" in name.lower() and any(one in name.lower() for one in limits)
    )
    findings.note("search-headers", not told, ", ".join(told) or "none")
    wrong = raw.search({**stamp, "propertyName": "hs_lastmodifieddate"}, limit=1)
    empty = wrong.status_code == 200 and wrong.json().get("total") == 0
    if found.json().get("total"):
        findings.note("wrong-stamp", empty, raw.told(wrong))
    else:
        findings.note("wrong-stamp", Ruling.OPEN, "there are no contacts")


def test_the_budget_is_told(live: Connector, raw: RawPortal, findings: Findings):
    listed = raw.get(CONTACTS, limit=1)
    daily = sorted(name for name in listed.headers if "ratelimit-daily" in name.lower())
    findings.note("daily-headers", bool(daily), ", ".join(daily) or "none")
    live.schema("contacts")
    if daily:
        assert live.usage().limit is not None
    usage = raw.get("/account-info/v3/api-usage/daily/private-apps")
    findings.note("resets", "resetsAt" in usage.text, raw.told(usage))
    assert usage.status_code in (200, 403, 404)


def test_which_logs_are_given_out(raw: RawPortal, findings: Findings):
    audit = raw.get("/account-info/v3/activity/audit-logs", limit=1)
    logins = raw.get("/account-info/v3/activity/login", limit=1)
    assert audit.status_code in (200, 403)
    gated = Ruling.CONFIRMED if audit.status_code == 403 else Ruling.OPEN
    findings.note("audit-gate", gated, f"{audit.status_code}")
    findings.note("logins", logins.status_code == 200, f"{logins.status_code}")


def test_where_association_labels_lie(raw: RawPortal, findings: Findings):
    answer = raw.get("/crm/v4/associations/contacts/companies/labels")
    other = raw.get("/crm/associations/v4/contacts/companies/labels")
    assert 200 in (answer.status_code, other.status_code), raw.told(answer)
    seen = f"client {answer.status_code}, spec {other.status_code}"
    findings.note("labels-path", answer.status_code == 200, seen)


def test_the_bin_is_listed(raw: RawPortal, findings: Findings):
    answer = raw.get(CONTACTS, archived="true", limit=100)
    assert answer.status_code == 200, raw.told(answer)
    ids = [int(row["id"]) for row in answer.json()["results"]]
    if len(ids) < 3:
        findings.note("archived-order", Ruling.OPEN, f"{len(ids)} in the bin")
    else:
        findings.note("archived-order", ids == sorted(ids), f"{len(ids)} in the bin")
