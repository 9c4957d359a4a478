"""Merging, the recycle bin and what hangs on a record that goes."""

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest

from support.salesforce_org import salesforce_org, soql
from support.sandbox import running_sandbox

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
SPACES = {"p": "urn:partner.soap.sforce.com"}


def wire(at):
    return at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")


@pytest.fixture
def noon(org):
    """The org at a frozen moment, so that every second counts."""
    org.control.freeze(NOON.isoformat())
    return org


@pytest.fixture(scope="module")
def packaged():
    """An org with a package whose invoice lines are details of invoices."""
    with running_sandbox(features=("namespace",)) as running, salesforce_org(*running) as opened:
        yield opened


def call(org, inner, role="restorer"):
    body = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:u="urn:partner.soap.sforce.com" xmlns:s="urn:sobject.partner.soap.sforce.com">'
        f"<e:Header><u:SessionHeader><u:sessionId>{org.tokens[role]}</u:sessionId>"
        f"</u:SessionHeader></e:Header><e:Body>{inner}</e:Body></e:Envelope>"
    )
    answer = org.http.post(f"{org.server.url}/services/Soap/u/60.0", data=body, timeout=10)
    assert answer.status_code == 200, answer.text
    root = ET.fromstring(answer.text)  # noqa: S314 -- written by the sandbox a moment ago
    return root.findall(".//p:result", SPACES)


def texts(result, name):
    return [item.text for item in result.iterfind(f".//p:{name}", SPACES)]


def outcomes(results):
    return [(texts(item, "statusCode") or texts(item, "success"))[0] for item in results]


def merged(org, object_, winner, losers, values="", **more):
    listed = "".join(f"<u:recordToMergeIds>{id_}</u:recordToMergeIds>" for id_ in losers)
    inner = (
        f"<u:merge><u:request><u:masterRecord><s:type>{object_}</s:type><s:Id>{winner}</s:Id>"
        f"{values}</u:masterRecord>{listed}</u:request></u:merge>"
    )
    (result,) = call(org, inner, **more)
    return result


def listed(org, operation, *ids):
    inner = "".join(f"<u:ids>{id_}</u:ids>" for id_ in ids)
    return outcomes(call(org, f"<u:{operation}>{inner}</u:{operation}>"))


def children(org, object_, account):
    found = org.rows(soql("SELECT Id FROM", object_, f"WHERE AccountId = '{account}'"))
    return {row["Id"] for row in found}


def two_accounts(org):
    loser = org.one("Account", "Id IN (SELECT AccountId FROM Contact)")["Id"]
    return org.one("Account", f"Id != '{loser}'")["Id"], loser


def test_a_merge_moves_children_and_bins_the_loser(noon):
    winner, loser = two_accounts(noon)
    theirs = children(noon, "Contact", loser)
    before = noon.truth("Contact", min(theirs))
    deals = children(noon, "Opportunity", loser)
    name = noon.truth("Account", loser)["Name"]
    values = (
        "<s:fieldsToNull>Fax</s:fieldsToNull><s:Phone>123</s:Phone>"
        "<s:Key_Account__c>true</s:Key_Account__c>"
    )
    result = merged(noon, "Account", winner, [loser], values)
    assert (texts(result, "id"), texts(result, "mergedRecordIds")) == ([winner], [loser])
    assert set(texts(result, "updatedRelatedIds")) >= theirs | deals
    gone = noon.truth("Account", loser)
    assert (gone["deleted"], gone["MasterRecordId"]) == (True, winner)
    assert gone["SystemModstamp"] == wire(NOON)
    kept = noon.truth("Account", winner)
    assert (kept["Phone"], kept["Fax"], kept["Key_Account__c"]) == ("123", None, True)
    moved = noon.truth("Contact", before["Id"])
    assert (moved["AccountId"], moved["deleted"]) == (winner, False)
    assert moved["SystemModstamp"] == wire(NOON)
    assert moved["LastModifiedDate"] == before["LastModifiedDate"]
    (told,) = noon.rows(
        soql("SELECT Field, OldValue FROM AccountHistory WHERE AccountId =", f"'{winner}'",
             "AND Field = 'accountMerged'")
    )  # fmt: skip
    assert told["OldValue"] == name
    assert [entry["op"] for entry in noon.journal(loser)] == ["merge_away"]
    (entry,) = [item for item in noon.journal(winner) if item["op"] == "merge"]
    assert (entry["after"]["Phone"], entry["actor"]["name"]) == ("123", "CRM Restorer")
    found = noon.rows(
        "SELECT Id, MasterRecordId FROM Account WHERE IsDeleted = true AND MasterRecordId != null",
        deleted=True,
    )
    assert [(row["Id"], row["MasterRecordId"]) for row in found] == [(loser, winner)]


def test_a_loser_comes_back_without_its_children(noon):
    winner, loser = two_accounts(noon)
    theirs = children(noon, "Contact", loser)
    merged(noon, "Account", winner, [loser])
    assert listed(noon, "undelete", loser) == ["true"]
    back = noon.truth("Account", loser)
    assert (back["deleted"], back["MasterRecordId"]) == (False, None)
    assert children(noon, "Contact", loser) == set()
    assert children(noon, "Contact", winner) >= theirs


def test_merges_make_chains(noon):
    first, second, third = noon.ids("Contact", 3)
    noon.act("merge", "Contact", ids=[second, first], fields={"Title": "kept"})
    noon.act("merge", "Contact", ids=[third, second])
    assert noon.truth("Contact", first)["MasterRecordId"] == second
    assert noon.truth("Contact", second)["MasterRecordId"] == third
    assert noon.truth("Contact", second)["Title"] == "kept"
    (entry,) = [item for item in noon.journal(second) if item["op"] == "merge_away"]
    assert entry["after"] == {"IsDeleted": True, "MasterRecordId": third}


def test_nobody_becomes_his_own_parent_by_a_merge(noon):
    boss, other = noon.ids("Contact", 2)
    noon.act("update", "Contact", ids=[other], fields={"ReportsToId": boss})
    noon.act("merge", "Contact", ids=[other, boss])
    assert noon.truth("Contact", other)["ReportsToId"] is None


def test_a_merge_may_move_the_childrens_other_stamp(noon):
    winner, loser = two_accounts(noon)
    child = min(children(noon, "Contact", loser))
    noon.act("merge_touches", stamp="LastModifiedDate")
    merged(noon, "Account", winner, [loser])
    told = noon.truth("Contact", child)
    assert told["LastModifiedDate"] == told["SystemModstamp"] == wire(NOON)


def test_what_a_merge_is_refused_for(noon):
    a, b, c, d = noon.ids("Contact", 4)
    (deal, other) = noon.ids("Opportunity", 2)
    lead, converted = noon.ids("Lead", 2)
    noon.act("update", "Lead", ids=[converted], fields={"IsConverted": True})
    results = [
        merged(noon, "Contact", a, [b, c, d]),
        merged(noon, "Contact", a, [a]),
        merged(noon, "Opportunity", deal, [other]),
        merged(noon, "Contact", a, [b], role="observer"),
        merged(noon, "Contact", a, [lead]),
        merged(noon, "Lead", lead, [converted]),
        merged(noon, "Contact", a, [b], "<s:Name>whole</s:Name>"),
        merged(noon, "Nothing", a, [b]),
    ]
    assert outcomes(results) == [
        "LIMIT_EXCEEDED", "INVALID_ID_FIELD", "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
        "INSUFFICIENT_ACCESS_OR_READONLY", "MALFORMED_ID", "CANNOT_UPDATE_CONVERTED_LEAD",
        "INVALID_FIELD_FOR_INSERT_UPDATE", "INVALID_TYPE",
    ]  # fmt: skip
    assert noon.journal(a) == noon.journal(b) == []
    noon.act("delete", "Contact", ids=[b])
    assert outcomes([merged(noon, "Contact", a, [b])]) == ["ENTITY_IS_DELETED"]
    with pytest.raises(ValueError, match="merge"):
        noon.act("merge", "Contact", ids=[a, b])


def window(org, object_, start, end):
    span = {"start": start.isoformat(), "end": end.isoformat()}
    return org.raw("GET", f"/sobjects/{object_}/deleted", params=span)


def test_an_emptied_bin_is_still_told_of(noon):
    gone, live = noon.ids("Lead", 2)
    noon.restorer.Lead.delete(gone)
    assert listed(noon, "emptyRecycleBin", gone, live, "junk") == [
        "true", "INVALID_CROSS_REFERENCE_KEY", "MALFORMED_ID",
    ]  # fmt: skip
    assert listed(noon, "undelete", gone) == ["UNDELETE_FAILED"]
    noon.control.turn(60)
    told = window(noon, "Lead", NOON, NOON + timedelta(minutes=1)).json()["deletedRecords"]
    assert told == [{"id": gone, "deletedDate": wire(NOON)}]


def test_a_full_bin_forgets_the_oldest(noon):
    first, second, third, fourth = noon.ids("Lead", 4)
    for id_ in (first, second, third):
        noon.restorer.Lead.delete(id_)
        noon.control.turn(60)
    noon.act("bin_cap", most=2)
    noon.control.turn(3600)
    assert noon.truth("Lead", first)["deleted"] is True
    noon.control.turn(3600 * 2)
    noon.restorer.Lead.delete(fourth)
    assert noon.control.truth("salesforce", "Lead", first) == []
    assert noon.truth("Lead", second)["deleted"] is True


def test_deletions_may_be_told_for_thirty_days(noon):
    month = (NOON - timedelta(days=30), NOON)
    assert window(noon, "Lead", *month).json()[0]["errorCode"] == "INVALID_REPLICATION_DATE"
    noon.act("delete_days", days=30)
    assert window(noon, "Lead", *month).status_code == 200


def invoice(org):
    head = org.restorer.ns__Invoice__c.create({})["id"]
    made = [
        org.restorer.ns__InvoiceLine__c.create(
            {"ns__Invoice__c": head, "ns__Quantity__c": 2, "ns__Price__c": 5}
        )["id"]
        for _ in range(2)
    ]
    return head, made


def test_details_fall_with_their_master_and_come_back_with_it(packaged):
    head, (first, second) = invoice(packaged)
    assert packaged.truth("ns__Invoice__c", head)["ns__Total__c"] == 20
    packaged.restorer.ns__Invoice__c.delete(head)
    assert packaged.truth("ns__InvoiceLine__c", first)["deleted"] is True
    assert listed(packaged, "undelete", first) == ["UNDELETE_FAILED"]
    assert listed(packaged, "undelete", head) == ["true"]
    assert packaged.truth("ns__InvoiceLine__c", second)["deleted"] is False


def test_a_detail_deleted_before_its_master_is_gone_for_good(packaged):
    head, (first, second) = invoice(packaged)
    packaged.restorer.ns__InvoiceLine__c.delete(first)
    packaged.restorer.ns__Invoice__c.delete(head)
    assert packaged.control.truth("salesforce", "ns__InvoiceLine__c", first) == []
    assert listed(packaged, "undelete", head) == ["true"]
    assert packaged.truth("ns__InvoiceLine__c", second)["deleted"] is False
    assert [entry["op"] for entry in packaged.journal(first)] == ["create", "delete", "purge"]


def test_a_child_outlives_its_purged_parent_without_it(noon):
    account = noon.one("Account", "Id IN (SELECT AccountId FROM Contact)")["Id"]
    child = min(children(noon, "Contact", account))
    noon.restorer.Contact.delete(child)
    noon.act("purge", "Account", ids=[account])
    assert listed(noon, "undelete", child) == ["true"]
    assert noon.truth("Contact", child)["AccountId"] is None
