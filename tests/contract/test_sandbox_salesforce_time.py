import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest

from support.salesforce_org import soql

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


@pytest.fixture
def noon(org):
    """The org at a frozen moment, so that every second counts."""
    org.control.freeze(NOON.isoformat())
    return org


def wire(at):
    return at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def window(org, kind, object_, start, end):
    return org.raw(
        "GET", f"/sobjects/{object_}/{kind}",
        params={"start": start.isoformat(), "end": end.isoformat()},
    )  # fmt: skip


def undelete(org, *ids, together=False):
    listed = "".join(f"<urn:ids>{id_}</urn:ids>" for id_ in ids)
    body = (
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:urn="urn:partner.soap.sforce.com"><soapenv:Header><urn:SessionHeader>'
        f"<urn:sessionId>{org.tokens['restorer']}</urn:sessionId></urn:SessionHeader>"
        f"<urn:AllOrNoneHeader><urn:allOrNone>{str(together).lower()}</urn:allOrNone>"
        "</urn:AllOrNoneHeader></soapenv:Header><soapenv:Body><urn:undelete>"
        f"{listed}</urn:undelete></soapenv:Body></soapenv:Envelope>"
    )
    answer = org.http.post(
        f"{org.server.url}/services/Soap/u/60.0", data=body,
        headers={"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": "undelete"}, timeout=10,
    )  # fmt: skip
    assert answer.status_code == 200
    root = ET.fromstring(answer.text)  # noqa: S314 -- written by the sandbox a moment ago
    spaces = {"p": "urn:partner.soap.sforce.com"}
    return [
        item.findtext(".//p:statusCode", namespaces=spaces)
        or item.findtext("p:success", namespaces=spaces)
        for item in root.iterfind(".//p:result", spaces)
    ]


def test_an_edit_moves_all_stamps_a_touch_only_one(noon):
    (id_,) = noon.ids("Contact", 1)
    before = noon.truth("Contact", id_)
    noon.act("touch", "Contact", ids=[id_], by={"kind": "system"})
    touched = noon.truth("Contact", id_)
    assert touched == before | {"SystemModstamp": wire(NOON)}
    noon.control.turn(5)
    noon.act("update", "Contact", ids=[id_], fields={"Title": "x"},
             by={"kind": "app", "name": "Marketing Sync"})  # fmt: skip
    edited = noon.truth("Contact", id_)
    assert edited["SystemModstamp"] == edited["LastModifiedDate"] == wire(NOON + timedelta(0, 5))
    sync = noon.one("User", "Name = 'Marketing Sync'")["Id"]
    assert edited["LastModifiedById"] == sync


def test_the_platform_changes_a_field_without_an_author(noon):
    (id_,) = noon.ids("Contact", 1)
    before = noon.truth("Contact", id_)
    noon.act("update", "Contact", ids=[id_], fields={
        "EmailBouncedDate": "2026-11-30T10:00:00Z"}, by={"kind": "system"})  # fmt: skip
    after = noon.truth("Contact", id_)
    assert after["IsEmailBounced"] is True
    assert after["LastModifiedDate"] == before["LastModifiedDate"]
    assert after["SystemModstamp"] == wire(NOON)
    assert noon.journal(id_)[-1]["actor"]["kind"] == "system"


def test_writing_the_same_value_moves_the_stamps_and_changes_nothing(noon):
    contact = noon.one("Contact")
    noon.restorer.Contact.update(contact["Id"], {"Phone": contact["Phone"]})
    assert noon.truth("Contact", contact["Id"])["SystemModstamp"] == wire(NOON)
    (entry,) = noon.journal(contact["Id"])
    assert (entry["before"], entry["after"]) == ({}, {})


def test_a_slow_transaction_shows_late_with_an_early_stamp(noon):
    (id_,) = noon.ids("Contact", 1)
    before = noon.truth("Contact", id_)
    noon.act("update", "Contact", ids=[id_], fields={"Title": "late"}, commit_delay=600)
    noon.control.turn(300)
    start, end = NOON - timedelta(hours=1), NOON + timedelta(minutes=5)
    told = window(noon, "updated", "Contact", start, end).json()
    assert told == {"ids": [], "latestDateCovered": wire(NOON)}
    assert noon.truth("Contact", id_) == before
    refused = noon.raw("PATCH", f"/sobjects/Contact/{id_}", json={"Title": "x"})
    assert refused.json()[0]["errorCode"] == "UNABLE_TO_LOCK_ROW"
    noon.control.turn(300)
    after = noon.truth("Contact", id_)
    assert (after["Title"], after["SystemModstamp"]) == ("late", wire(NOON))
    told = window(noon, "updated", "Contact", start, end).json()
    assert told == {"ids": [id_], "latestDateCovered": wire(end)}


def test_every_act_can_be_slow(noon):
    noon.act("commit_delay", seconds=60)
    (made,) = noon.act("create", "Lead", records=[{"fields": {"LastName": "L", "Company": "C"}}])
    assert noon.control.truth("salesforce", "Lead", made) == []
    noon.act("commit_delay", seconds=0)
    noon.control.turn(61)
    assert noon.truth("Lead", made)["CreatedDate"] == wire(NOON)
    assert noon.journal(made)[0]["request"] is None


def test_updated_counts_whole_minutes(noon):
    (id_,) = noon.ids("Contact", 1)
    noon.act("touch", "Contact", ids=[id_])
    noon.control.turn(90)
    minute = timedelta(minutes=1)
    hit = window(noon, "updated", "Contact", NOON + timedelta(0, 59), NOON + minute)
    assert hit.json() == {"ids": [id_], "latestDateCovered": wire(NOON + minute)}
    miss = window(noon, "updated", "Contact", NOON - minute, NOON + timedelta(0, 59))
    assert miss.json() == {"ids": [], "latestDateCovered": wire(NOON)}
    ahead = window(noon, "updated", "Contact", NOON, NOON + timedelta(hours=1))
    assert ahead.json()["latestDateCovered"] == wire(NOON + minute)


@pytest.mark.parametrize(
    ("kind", "start", "end"),
    [
        ("updated", NOON, NOON),
        ("updated", NOON, NOON + timedelta(0, 59)),
        ("updated", NOON, NOON - timedelta(days=1)),
        ("updated", NOON - timedelta(days=31), NOON),
        ("deleted", NOON - timedelta(days=16), NOON),
    ],
)
def test_windows_that_are_refused(noon, kind, start, end):
    answer = window(noon, kind, "Account", start, end)
    assert answer.status_code == 400
    assert answer.json()[0]["errorCode"] == "INVALID_REPLICATION_DATE"


def test_windows_that_are_just_allowed(noon):
    assert window(noon, "updated", "Account", NOON - timedelta(days=30), NOON).status_code == 200
    assert window(noon, "deleted", "Account", NOON - timedelta(days=15), NOON).status_code == 200
    client = noon.observer.Account.updated(NOON - timedelta(days=1), NOON)
    assert set(client) == {"ids", "latestDateCovered"}


def test_a_window_needs_both_ends_and_a_replicateable_object(noon):
    assert noon.raw("GET", "/sobjects/Account/updated?start=2026-12-01").status_code == 400
    assert window(noon, "updated", "Profile", NOON - timedelta(1), NOON).status_code == 400


def test_deleted_lists_the_bin_and_what_left_it(noon):
    binned, purged, back = noon.ids("Lead", 3)
    noon.act("delete", "Lead", ids=[binned, purged, back])
    noon.act("purge", "Lead", ids=[purged])
    noon.act("undelete", "Lead", ids=[back])
    noon.control.turn(60)
    told = window(noon, "deleted", "Lead", NOON, NOON + timedelta(minutes=1)).json()
    assert {item["id"] for item in told["deletedRecords"]} == {binned, purged}
    assert {item["deletedDate"] for item in told["deletedRecords"]} == {wire(NOON)}
    every = {row["Id"] for row in noon.rows("SELECT Id FROM Lead", deleted=True)}
    assert binned in every
    assert purged not in every
    assert noon.raw("GET", f"/sobjects/Lead/{purged}").status_code == 404


def test_a_purged_delete_log_forces_a_resync(noon):
    noon.act("cut_delete_log")
    noon.control.turn(120)
    cut = window(noon, "deleted", "Lead", NOON - timedelta(hours=1), NOON + timedelta(minutes=1))
    assert cut.json()[0]["errorCode"] == "INVALID_REPLICATION_DATE"
    since = window(noon, "deleted", "Lead", NOON, NOON + timedelta(minutes=1)).json()
    assert since["earliestDateAvailable"] == wire(NOON)


def test_too_many_ids(noon):
    noon.act("cap_ids", most=3)
    noon.act("touch", "Contact", where="Phone != null")
    noon.control.turn(60)
    told = window(noon, "updated", "Contact", NOON, NOON + timedelta(minutes=1))
    assert told.json()[0]["errorCode"] == "EXCEEDED_ID_LIMIT"


def test_deleting_a_parent_takes_its_children_and_undelete_brings_them_back(noon):
    account = noon.one("Account", "Id IN (SELECT AccountId FROM Opportunity)")["Id"]
    mine = {
        object_: {row["Id"] for row in noon.rows(
            soql("SELECT Id FROM", object_, f"WHERE AccountId = '{account}'")
        )}
        for object_ in ("Contact", "Opportunity")
    }  # fmt: skip
    noon.restorer.Account.delete(account)
    for object_, ids in mine.items():
        assert all(noon.truth(object_, id_)["deleted"] for id_ in ids)
    child = min(mine["Opportunity"])
    assert undelete(noon, child) == ["UNDELETE_FAILED"]
    noon.control.turn(10)
    assert undelete(noon, account) == ["true"]
    told = noon.truth("Opportunity", child)
    assert (told["deleted"], told["SystemModstamp"]) == (False, wire(NOON + timedelta(0, 10)))
    assert noon.truth("Account", account)["Open_Opportunities__c"] == len(
        noon.rows(soql("SELECT Id FROM Opportunity WHERE IsClosed = false AND",
                       f"AccountId = '{account}'"))
    )  # fmt: skip


def test_lookups_are_cleared_and_restored_unless_re_pointed(noon):
    boss, other, first, second = noon.ids("Contact", 4)
    noon.act("update", "Contact", ids=[first, second], fields={"ReportsToId": boss})
    noon.restorer.Contact.delete(boss)
    assert noon.truth("Contact", first)["ReportsToId"] is None
    noon.restorer.Contact.update(second, {"ReportsToId": other})
    assert undelete(noon, boss) == ["true"]
    assert noon.truth("Contact", first)["ReportsToId"] == boss
    assert noon.truth("Contact", second)["ReportsToId"] == other


def test_what_is_in_use_may_not_go(noon):
    entry = noon.rows("SELECT PricebookEntryId FROM OpportunityLineItem LIMIT 1")[0]
    answer = noon.raw("DELETE", f"/sobjects/PricebookEntry/{entry['PricebookEntryId']}")
    assert answer.json()[0]["errorCode"] == "DELETE_FAILED"


def test_undelete_refuses_what_cannot_come_back(noon):
    live, gone = noon.ids("Lead", 2)
    (line,) = noon.ids("OpportunityLineItem", 1)
    noon.restorer.Lead.delete(gone)
    noon.restorer.OpportunityLineItem.delete(line)
    assert undelete(noon, live, gone, line, "junk") == [
        "UNDELETE_FAILED", "true", "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "MALFORMED_ID",
    ]  # fmt: skip
    noon.restorer.Lead.delete(gone)
    assert undelete(noon, gone, live, together=True) == [
        "ALL_OR_NONE_OPERATION_ROLLED_BACK", "UNDELETE_FAILED",
    ]  # fmt: skip
    assert noon.truth("Lead", gone)["deleted"] is True


def test_the_recycle_bin_forgets_after_fifteen_days(noon):
    (gone,) = noon.ids("Lead", 1)
    noon.restorer.Lead.delete(gone)
    noon.control.turn(timedelta(days=15).total_seconds() - 3600)
    assert noon.truth("Lead", gone)["deleted"] is True
    noon.control.turn(7200)
    assert noon.control.truth("salesforce", "Lead", gone) == []
    assert undelete(noon, gone) == ["UNDELETE_FAILED"]
    assert [entry["op"] for entry in noon.journal(gone)] == ["delete", "purge"]


def test_soap_faults_and_the_servers_time(noon):
    def post(inner, token):
        body = (
            '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"'
            ' xmlns:u="urn:partner.soap.sforce.com"><e:Header><u:SessionHeader><u:sessionId>'
            f"{token}</u:sessionId></u:SessionHeader></e:Header><e:Body>{inner}</e:Body>"
            "</e:Envelope>"
        )
        return noon.http.post(f"{noon.server.url}/services/Soap/u/60.0", data=body, timeout=10)

    refused = post("<u:getServerTimestamp/>", "wrong")
    assert refused.status_code == 500
    assert "<faultcode>sf:INVALID_SESSION_ID</faultcode>" in refused.text
    told = post("<u:getServerTimestamp/>", noon.tokens["observer"])
    assert re.search(f"<timestamp>{re.escape(wire(NOON))}</timestamp>", told.text)
    assert post("<u:login/>", "").status_code == 500
