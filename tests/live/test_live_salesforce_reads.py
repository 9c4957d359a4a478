"""The reading part of the contract, and assumptions that reading alone can settle."""

from datetime import UTC, datetime, timedelta

import pytest

from crmtrail.model import FieldType, Mode, moment, value_of
from crmtrail.ports import Connector
from support.live_findings import Findings, Ruling
from support.live_salesforce import RawOrg, among, walk

USERS_MOST = 200
HALF_A_YEAR = timedelta(days=190)


def test_the_org_says_who_we_are(live: Connector, raw: RawOrg, findings: Findings):
    told = live.identity()
    (org,) = raw.rows("SELECT Id, Name, OrganizationType, IsSandbox FROM Organization")
    assert told.account == org["Id"]
    assert told.server_time is not None
    assert abs(told.server_time - raw.now()) < timedelta(minutes=1)
    findings.circumstances |= {
        "org": f"{org['Name']}, {org['OrganizationType']}, sandbox: {org['IsSandbox']}",
        "when": f"{told.server_time:%Y-%m-%d %H:%M} UTC",
        "API version": raw.version,
    }


def test_objects_can_be_listed(live: Connector):
    objects = live.objects()
    assert {"Account", "Contact", "User"} <= set(objects)
    assert len(set(objects)) == len(objects)


def test_fields_are_described(live: Connector):
    schema = live.schema("Contact")
    assert {"LastName", "Title", "AccountId"} <= schema.fields.keys()
    assert "Account" in schema.fields["AccountId"].references
    assert schema.fields["AccountId"].type is FieldType.REFERENCE
    assert schema.undeletable


def test_a_first_page_holds_what_the_org_holds(live: Connector, raw: RawOrg):
    live.schema("Contact")
    cursor = live.start("Contact", None, Mode.INCREMENTAL)
    page = live.page("Contact", cursor)
    assert page.object == "Contact"
    assert page.cursor != cursor or page.done
    told = {one.ref.id: one for one in page.readings}
    some = sorted(told)[:50]
    if not some:
        return  # a Bulk job was begun, or there are no contacts; the next test reads to the end
    rows = raw.contacts(among(some), "Id, LastName, SystemModstamp")
    assert rows
    for row in rows:
        if told[row["Id"]].modified_at == moment(row["SystemModstamp"]):
            assert value_of(told[row["Id"]].fields["LastName"]) == row["LastName"]


def test_a_poll_after_a_whole_run_costs_little(live: Connector, raw: RawOrg):
    live.schema("User")
    first = walk(live, "User", None, USERS_MOST)
    seen = {one.ref.id for page in first for one in page.readings}
    assert {row["Id"] for row in raw.rows("SELECT Id FROM User LIMIT 200")} <= seen
    assert first[-1].complete_to is not None
    assert first[-1].watermark is not None
    before = live.calls
    again = walk(live, "User", first[-1].cursor, USERS_MOST)
    assert not [gap for page in again for gap in page.gaps]
    assert live.calls - before <= 10


def test_deletions_are_told(raw: RawOrg, findings: Findings):
    now = raw.now()
    short = _deleted(raw, now - timedelta(days=1), now)
    assert short.status_code == 200, raw.told(short)
    assert {"deletedRecords", "earliestDateAvailable", "latestDateCovered"} <= short.json().keys()
    long = _deleted(raw, now - timedelta(days=20), now)
    seen = f"20 days back: {raw.told(long)}" if long.status_code != 200 else "20 days back: 200"
    findings.note("deleted-days", long.status_code != 200, seen)


def _deleted(raw: RawOrg, start: datetime, end: datetime):
    window = {"start": start.isoformat(), "end": end.isoformat()}
    return raw.call("GET", "sobjects/Contact/deleted/", params=window)


def test_the_budget_is_told(live: Connector, raw: RawOrg, findings: Findings):
    usage = live.usage()
    assert usage.used is not None
    assert usage.limit is not None
    limits = raw.call("GET", "limits/")
    if limits.status_code == 200:
        calls = limits.json()["DailyApiRequests"]
        assert calls["Max"] == usage.limit
        findings.note("quota", True, f"DailyApiRequests {calls}")
    else:
        findings.note("quota", False, f"{raw.told(limits)}; the header says {usage}")


def test_how_far_logins_reach(raw: RawOrg, findings: Findings):
    soql = "SELECT LoginTime FROM LoginHistory ORDER BY LoginTime LIMIT 1"
    answer = raw.call("GET", "query/", params={"q": soql})
    rows = answer.json()["records"] if answer.status_code == 200 else []
    if not rows:
        findings.note("logins", Ruling.OPEN, f"no logins to be seen: {raw.told(answer)}")
        pytest.skip("this identity sees no logins")
    age = datetime.now(UTC) - moment(rows[0]["LoginTime"])
    assert age >= timedelta(0)
    ruling = Ruling.REFUTED if age > HALF_A_YEAR else Ruling.OPEN
    findings.note("logins", ruling, f"the oldest login is {age.days} days old")


def test_whether_logins_show_our_name(raw: RawOrg, place, findings: Findings):
    soql = "SELECT Application FROM LoginHistory ORDER BY LoginTime DESC LIMIT 200"
    answer = raw.call("GET", "query/", params={"q": soql})
    if answer.status_code != 200:
        findings.note("client-name", Ruling.OPEN, raw.told(answer))
        pytest.skip("this identity sees no logins")
    names = sorted({str(row["Application"]) for row in answer.json()["records"]})
    ours = place.settings.client_id in names
    findings.note("client-name", not ours, f"seen: {', '.join(names)[:150]}")
    assert len(names) <= 200
