"""What writes are refused for by orders of a test: permissions, rules, locks, conditions."""

from datetime import UTC, datetime

from support.salesforce_org import DATA

OLD = "2020-02-03T04:05:06.000+0000"


def refused(org, object_, id_, values, **more):
    answer = org.raw("PATCH", f"/sobjects/{object_}/{id_}", json=values, **more)
    return None if answer.status_code == 204 else answer.json()[0]["errorCode"]


def test_a_converted_lead_is_not_edited_without_permission(org):
    (lead,) = org.ids("Lead", 1)
    org.act("update", "Lead", ids=[lead], fields={"IsConverted": True})
    assert refused(org, "Lead", lead, {"Title": "x"}) == "CANNOT_UPDATE_CONVERTED_LEAD"
    org.act("allow_converted_leads", user="CRM Restorer")
    assert refused(org, "Lead", lead, {"Title": "x"}) is None


def test_a_record_out_of_reach_is_no_reference(org):
    account, other = org.ids("Account", 2)
    (contact,) = org.ids("Contact", 1)
    org.act("no_access", "Account", ids=[account])
    answer = org.raw("PATCH", f"/sobjects/Contact/{contact}", json={"AccountId": account})
    (told,) = answer.json()
    assert told["errorCode"] == "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"
    assert told["message"] == f"insufficient access rights on cross-reference id: {account[:15]}"
    assert refused(org, "Contact", contact, {"AccountId": other}) is None


def test_who_left_may_own_records_with_the_permission(org):
    leaver = org.one("User", "Name = 'Dana Whitfield'")["Id"]
    contact = org.one("Contact", f"OwnerId != '{leaver}'")["Id"]
    assert refused(org, "Contact", contact, {"OwnerId": leaver}) == "INACTIVE_OWNER_OR_USER"
    org.act("allow_inactive_owners", user="CRM Restorer")
    assert refused(org, "Contact", contact, {"OwnerId": leaver}) is None
    made = org.restorer.Lead.create({"LastName": "L", "Company": "C", "OwnerId": leaver})
    assert org.truth("Lead", made["id"])["OwnerId"] == leaver


def createable(org, object_, role):
    fields = org.raw("GET", f"/sobjects/{object_}/describe", role=role).json()["fields"]
    return {field["name"] for field in fields if field["createable"]}


def test_audit_fields_are_set_on_creation_by_whom_the_org_lets(org):
    dates = {"CreatedDate": OLD, "LastModifiedDate": OLD, "CreatedById": org.ids("User", 1)[0]}
    lead = {"LastName": "L", "Company": "C", **dates}
    barred = org.raw("POST", "/sobjects/Lead", json=lead)
    assert barred.json()[0]["errorCode"] == "INVALID_FIELD_FOR_INSERT_UPDATE"
    assert not dates.keys() & createable(org, "Lead", "restorer")
    org.act("allow_audit_fields", user="CRM Restorer")
    assert dates.keys() | {"ConvertedDate"} <= createable(org, "Lead", "restorer")
    assert "SystemModstamp" not in createable(org, "Lead", "restorer")
    assert not dates.keys() & createable(org, "Lead", "observer")
    told = org.truth("Lead", org.restorer.Lead.create(lead)["id"])
    assert (told["CreatedDate"], told["LastModifiedDate"]) == (OLD, OLD)
    assert told["SystemModstamp"] > OLD
    assert refused(org, "Lead", told["Id"], {"CreatedDate": OLD}) == (
        "INVALID_FIELD_FOR_INSERT_UPDATE"
    )


def test_a_duplicate_is_saved_when_the_request_says_so(org):
    first, second = org.rows("SELECT Id, Email FROM Lead WHERE Email != null LIMIT 2")
    org.act("add_rule", "Lead", kind="duplicate", field="Email")
    change = {"json": {"Email": first["Email"]}}
    answer = org.raw("PATCH", f"/sobjects/Lead/{second['Id']}", **change)
    (told,) = answer.json()
    assert (answer.status_code, told["errorCode"]) == (400, "DUPLICATES_DETECTED")
    (match,) = told["duplicateResult"]["matchResults"]
    assert match["matchRecords"][0]["record"]["Id"] == first["Id"]
    allowed = {"Sforce-Duplicate-Rule-Header": "allowSave=true; runAsCurrentUser=true"}
    assert refused(org, "Lead", second["Id"], change["json"], headers=allowed) is None


def test_an_etag_guards_accounts_only(org):
    (account,) = org.ids("Account", 1)
    (contact,) = org.ids("Contact", 1)
    tag = org.raw("GET", f"/sobjects/Account/{account}").headers["ETag"]
    assert "ETag" not in org.raw("GET", f"/sobjects/Contact/{contact}").headers
    known = org.raw("GET", f"/sobjects/Account/{account}", headers={"If-None-Match": tag})
    assert (known.status_code, known.content) == (304, b"")
    org.control.freeze(datetime(2027, 1, 1, tzinfo=UTC).isoformat())
    assert refused(org, "Account", account, {"Site": "x"}, headers={"If-Match": tag}) is None
    stale = org.raw("PATCH", f"/sobjects/Account/{account}", json={}, headers={"If-Match": tag})
    assert stale.status_code == 412
    assert refused(org, "Contact", contact, {"Title": "x"}, headers={"If-Match": tag}) is None


def test_short_ids_are_taken_everywhere(org):
    contact = org.one("Contact", "AccountId != null")
    short, owner = contact["Id"][:15], contact["OwnerId"][:15]
    assert org.rows(f"SELECT Id FROM Contact WHERE Id = '{short}'")[0]["Id"] == contact["Id"]  # noqa: S608 -- SOQL for the sandbox
    answer = org.raw(
        "PATCH", "/composite/sobjects",
        json={"records": [{"attributes": {"type": "Contact"}, "id": short, "OwnerId": owner}]},
    )  # fmt: skip
    assert answer.json() == [{"id": contact["Id"], "success": True, "errors": []}]
    assert org.truth("Contact", contact["Id"])["OwnerId"] == contact["OwnerId"]
    read = org.raw("POST", "/composite/sobjects/Contact", json={"ids": [short], "fields": ["Id"]})
    assert read.json()[0]["Id"] == contact["Id"]
    sub = {"method": "PATCH", "url": f"{DATA}/sobjects/Contact/{short}", "referenceId": "r",
           "body": {"Title": "x"}}  # fmt: skip
    done = org.raw("POST", "/composite", json={"compositeRequest": [sub]}).json()
    assert done["compositeResponse"][0]["httpStatusCode"] == 204
    swapped = org.raw("GET", f"/sobjects/Contact/{short.swapcase()}")
    assert swapped.status_code in (400, 404)
    gone = org.raw("DELETE", f"/composite/sobjects?ids={short}")
    assert gone.json()[0]["success"] is True
