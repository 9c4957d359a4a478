from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
from simple_salesforce import SalesforceExpiredSession, SalesforceResourceNotFound

from support.salesforce_org import soql

BAD_CHECKSUM = "0055g00000zzzzzAAB"


def refused(org, object_, values, *, status=400, id_=None):
    if id_ is None:
        answer = org.raw("POST", f"/sobjects/{object_}", json=values)
    else:
        answer = org.raw("PATCH", f"/sobjects/{object_}/{id_}", json=values)
    assert answer.status_code == status
    (told,) = answer.json()
    return told["errorCode"], told.get("fields")


def test_create_read_update_delete(org):
    made = org.restorer.Account.create({"Name": "New House", "Industry": "Energy"})
    assert made == {"id": made["id"], "success": True, "errors": []}
    assert org.restorer.Account.update(made["id"], {"Phone": "1"}) == 204
    read = org.observer.Account.get(made["id"])
    assert (read["Phone"], read["Industry"], read["OwnerId"]) == (
        "1", "Energy", org.truth("Account", made["id"])["CreatedById"],
    )  # fmt: skip
    assert org.restorer.Account.delete(made["id"]) == 204
    with pytest.raises(SalesforceResourceNotFound) as caught:
        org.restorer.Account.delete(made["id"])
    assert caught.value.content[0]["errorCode"] == "ENTITY_IS_DELETED"
    never = org.raw("GET", "/sobjects/Account/0015g00000zzzzzAAA")
    assert (never.status_code, never.json()[0]["errorCode"]) == (404, "NOT_FOUND")


def test_a_15_character_id_names_the_same_record(org):
    (id_,) = org.ids("Contact", 1)
    assert org.observer.Contact.get(id_[:15])["Id"] == id_


def test_chosen_fields_only(org):
    (id_,) = org.ids("Contact", 1)
    told = org.raw("GET", f"/sobjects/Contact/{id_}?fields=Phone,Account.Name").json()
    assert set(told) == {"attributes", "Phone", "Account"}


def test_null_clears_and_what_is_left_out_stays(org):
    before = org.one("Contact", "MobilePhone != null")
    org.restorer.Contact.update(before["Id"], {"MobilePhone": None})
    after = org.truth("Contact", before["Id"])
    assert after["MobilePhone"] is None
    assert after["Phone"] == before["Phone"]


@pytest.mark.parametrize(
    ("written", "kept"),
    [("", None), ("   ", None), ("  x ", "x"), ("N/A", "N/A"), ("null", "null")],
)
def test_text_is_trimmed_and_empty_text_is_null(org, written, kept):
    (id_,) = org.ids("Contact", 1)
    org.restorer.Contact.update(id_, {"Title": written})
    assert org.truth("Contact", id_)["Title"] == kept


def test_numbers_are_rounded_to_their_scale(org):
    (id_,) = org.ids("Account", 1)
    org.restorer.Account.update(id_, {"AnnualRevenue": 10.005, "Contract_Discount__c": 7})
    told = org.truth("Account", id_)
    assert (told["AnnualRevenue"], told["Contract_Discount__c"]) == (10.01, 7.0)


def test_several_choices_are_kept_in_the_order_of_the_definition(org):
    (id_,) = org.ids("Account", 1)
    org.restorer.Account.update(id_, {"Regions__c": "APAC;EMEA;Moon"})
    assert org.truth("Account", id_)["Regions__c"] == "EMEA;APAC;Moon"


@pytest.mark.parametrize(
    ("object_", "values", "code", "fields"),
    [
        ("Account", {"Nope": 1}, "INVALID_FIELD", None),
        ("Account", {"Id": "001000000000000AAA"}, "INVALID_FIELD", None),
        ("Account", {"Name": None}, "REQUIRED_FIELD_MISSING", ["Name"]),
        ("Account", {"Name": "x" * 256}, "STRING_TOO_LONG", ["Name"]),
        ("Account", {"Name": 5}, "JSON_PARSER_ERROR", None),
        ("Account", {"AnnualRevenue": "12"}, "JSON_PARSER_ERROR", None),
        ("Account", {"AnnualRevenue": 1e17}, "NUMBER_OUTSIDE_VALID_RANGE", ["AnnualRevenue"]),
        ("Account", {"NumberOfEmployees": 1.5}, "JSON_PARSER_ERROR", None),
        ("Account", {"SLAExpirationDate__c": "31.1.2026"}, "JSON_PARSER_ERROR", None),
        ("Account", {"Key_Account__c": "true"}, "JSON_PARSER_ERROR", None),
        ("Account", {"BillingAddress": {}}, "JSON_PARSER_ERROR", None),
        ("Account", {"CreatedDate": "2020-01-01T00:00:00Z"}, "INVALID_FIELD_FOR_INSERT_UPDATE",
         ["CreatedDate"]),
        ("Account", {"Pipeline_Value__c": 1}, "INVALID_FIELD_FOR_INSERT_UPDATE",
         ["Pipeline_Value__c"]),
        ("Account", {"CustomerPriority__c": "Urgent"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
         ["CustomerPriority__c"]),
        ("Account", {"OwnerId": "nonsense"}, "MALFORMED_ID", ["OwnerId"]),
        ("Account", {"OwnerId": "001000000000000AAA"}, "MALFORMED_ID", ["OwnerId"]),
        ("Account", {"OwnerId": BAD_CHECKSUM}, "MALFORMED_ID", ["OwnerId"]),
        ("Account", {"OwnerId": "005000000000000AAA"}, "INVALID_CROSS_REFERENCE_KEY", ["OwnerId"]),
        ("Contact", {"Email": "no at sign"}, "INVALID_EMAIL_ADDRESS", ["Email"]),
        ("Contact", {"DoNotCall": None}, "INVALID_TYPE_ON_FIELD_IN_RECORD", ["DoNotCall"]),
        ("Contact", {"Name": "Whole Name"}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["Name"]),
        ("Contact", {"Account_Industry__c": "Energy"}, "INVALID_FIELD_FOR_INSERT_UPDATE",
         ["Account_Industry__c"]),
        ("Contact", {"External_Id__c": "CON-0000002"}, "DUPLICATE_VALUE", []),
        ("Opportunity", {"ContactId": None}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["ContactId"]),
        ("Opportunity", {"Deal_Number__c": "D-1"}, "INVALID_FIELD_FOR_INSERT_UPDATE",
         ["Deal_Number__c"]),
        ("Opportunity", {"OrderNumber__c": "123456789"}, "STRING_TOO_LONG", ["OrderNumber__c"]),
    ],
)  # fmt: skip
def test_what_an_update_is_refused_for(org, object_, values, code, fields):
    id_ = org.ids(object_, 1)[0]
    before = org.truth(object_, id_)
    assert refused(org, object_, values, id_=id_) == (code, fields)
    assert org.truth(object_, id_) == before
    assert org.journal(id_) == []


def test_what_a_creation_is_refused_for(org):
    assert refused(org, "Contact", {"FirstName": "No"}) == ("REQUIRED_FIELD_MISSING", ["LastName"])
    assert refused(org, "Opportunity", {"Name": "x"}) == (
        "REQUIRED_FIELD_MISSING", ["StageName", "CloseDate"],
    )  # fmt: skip
    code, _ = refused(org, "ProcessInstance", {})
    assert code == "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"


def test_a_body_that_is_no_json_object(org):
    answer = org.raw(
        "POST", "/sobjects/Account", data=b"{", headers={"Content-Type": "application/json"}
    )
    assert answer.json()[0]["errorCode"] == "JSON_PARSER_ERROR"
    assert org.raw("POST", "/sobjects/Account", json=[]).status_code == 400
    assert org.raw("POST", "/sobjects/Account", data={"Name": "form"}).status_code == 415
    assert org.raw("PUT", "/sobjects/Account", json={}).status_code == 405


def test_an_inactive_owner_is_refused_unless_already_there(org):
    leaver = org.one("User", "Name = 'Maya Lindholm'")["Id"]
    owned = org.one("Contact", f"OwnerId = '{leaver}'")["Id"]
    other = org.one("Contact", f"OwnerId != '{leaver}'")["Id"]
    org.act("deactivate_user", name="Maya Lindholm")
    assert refused(org, "Contact", {"OwnerId": leaver}, id_=other) == (
        "INACTIVE_OWNER_OR_USER", ["OwnerId"],
    )  # fmt: skip
    assert org.restorer.Contact.update(owned, {"OwnerId": leaver, "Title": "x"}) == 204
    org.act("activate_user", name="Maya Lindholm")
    assert org.restorer.Contact.update(other, {"OwnerId": leaver}) == 204


def test_the_observer_may_not_write(org):
    (id_,) = org.ids("Contact", 1)
    answer = org.raw("PATCH", f"/sobjects/Contact/{id_}", role="observer", json={"DoNotCall": True})
    assert answer.status_code == 403
    assert answer.json()[0]["errorCode"] == "INSUFFICIENT_ACCESS_OR_READONLY"
    deletion = org.raw("DELETE", f"/sobjects/Contact/{id_}", role="observer")
    assert deletion.status_code == 403
    assert deletion.json()[0]["errorCode"] == "INSUFFICIENT_ACCESS_OR_READONLY"


def test_locked_rows(org):
    first, second = org.ids("Opportunity", 2)
    org.act("lock", "Opportunity", ids=[first])
    assert refused(org, "Opportunity", {"NextStep": "x"}, id_=first)[0] == "ENTITY_IS_LOCKED"
    org.act("unlock", "Opportunity", ids=[first])
    assert org.restorer.Opportunity.update(first, {"NextStep": "x"}) == 204
    org.act("lock_row", "Opportunity", ids=[second], times=2)
    codes = [refused(org, "Opportunity", {"NextStep": "x"}, id_=second)[0] for _ in range(2)]
    assert codes == ["UNABLE_TO_LOCK_ROW"] * 2
    assert org.restorer.Opportunity.update(second, {"NextStep": "x"}) == 204


def test_formulas_follow_without_a_stamp_of_their_own(org):
    deal = org.one("Opportunity", "HasOpportunityLineItem = false AND AccountId != null")
    org.restorer.Opportunity.update(deal["Id"], {"Amount": 1000, "Discount__c": 25})
    assert org.truth("Opportunity", deal["Id"])["Net_Amount__c"] == 750.0
    stamp = org.truth("Opportunity", deal["Id"])["SystemModstamp"]
    org.control.turn(60)
    org.restorer.Account.update(deal["AccountId"], {"Phone": "+1 555"})
    told = org.truth("Opportunity", deal["Id"])
    assert (told["Account_Phone__c"], told["SystemModstamp"]) == ("+1 555", stamp)


def test_a_stage_brings_its_probability_along(org):
    deal = org.one("Opportunity", "HasOpportunityLineItem = false")
    org.restorer.Opportunity.update(deal["Id"], {"StageName": "Negotiation/Review"})
    told = org.truth("Opportunity", deal["Id"])
    assert (told["Probability"], told["ForecastCategory"]) == (90.0, "Commit")
    org.restorer.Opportunity.update(deal["Id"], {"StageName": "Prospecting", "Probability": 55})
    assert org.truth("Opportunity", deal["Id"])["Probability"] == 55.0


def test_the_amount_of_a_deal_with_products_is_their_sum(org):
    deal = org.one("Opportunity", "HasOpportunityLineItem = true")
    lines = org.rows(
        soql("SELECT Id, TotalPrice FROM OpportunityLineItem WHERE OpportunityId =",
             f"'{deal['Id']}'")
    )  # fmt: skip
    assert deal["Amount"] == pytest.approx(sum(line["TotalPrice"] for line in lines))
    org.restorer.Opportunity.update(deal["Id"], {"Amount": 1, "NextStep": "kept"})
    told = org.truth("Opportunity", deal["Id"])
    assert (told["Amount"], told["NextStep"]) == (deal["Amount"], "kept")
    org.control.turn(60)
    org.restorer.OpportunityLineItem.update(lines[0]["Id"], {"UnitPrice": 1, "Quantity": 1})
    after = org.truth("Opportunity", deal["Id"])
    assert after["Amount"] < deal["Amount"]
    assert after["SystemModstamp"] > told["SystemModstamp"]
    assert after["LastModifiedDate"] == told["LastModifiedDate"]


def test_upsert_by_external_id(org):
    path = "External_Id__c/NEW-1"
    made = org.raw("PATCH", f"/sobjects/Account/{path}", json={"Name": "Up"})
    assert (made.status_code, made.json()["created"]) == (201, True)
    again = org.raw("PATCH", f"/sobjects/Account/{path}", json={"Name": "Upper"})
    assert (again.status_code, again.json()["created"]) == (200, False)
    assert org.observer.Account.get_by_custom_id("External_Id__c", "NEW-1")["Name"] == "Upper"
    missing = org.raw("GET", "/sobjects/Account/Name/Upper")
    assert missing.json()[0]["message"].endswith("not accessible: Name")


def test_a_conditional_update(org):
    (id_,) = org.ids("Contact", 1)
    seen = org.raw("GET", f"/sobjects/Contact/{id_}").headers["Last-Modified"]
    unchanged = org.raw("GET", f"/sobjects/Contact/{id_}", headers={"If-Modified-Since": seen})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    org.act("update", "Contact", ids=[id_], fields={"Title": "theirs"})
    late = org.raw(
        "PATCH", f"/sobjects/Contact/{id_}", json={"Title": "ours"},
        headers={"If-Unmodified-Since": seen},
    )  # fmt: skip
    assert late.status_code == 412
    assert org.truth("Contact", id_)["Title"] == "theirs"
    now = org.raw("GET", f"/sobjects/Contact/{id_}").headers["Last-Modified"]
    fresh = org.raw(
        "PATCH", f"/sobjects/Contact/{id_}", json={"Title": "ours"},
        headers={"If-Unmodified-Since": now},
    )  # fmt: skip
    assert fresh.status_code == 204
    senseless = org.raw(
        "PATCH", f"/sobjects/Contact/{id_}", json={}, headers={"If-Unmodified-Since": "soon"}
    )
    assert senseless.status_code == 400


def test_the_stamp_of_the_condition_can_be_the_other_one(org):
    (id_,) = org.ids("Contact", 1)
    seen = org.raw("GET", f"/sobjects/Contact/{id_}").headers["Last-Modified"]
    org.act("touch", "Contact", ids=[id_])
    change = {"json": {"Title": "x"}, "headers": {"If-Unmodified-Since": seen}}
    org.act("precondition", stamp="SystemModstamp")
    assert org.raw("PATCH", f"/sobjects/Contact/{id_}", **change).status_code == 412
    org.act("precondition", stamp="LastModifiedDate")
    assert org.raw("PATCH", f"/sobjects/Contact/{id_}", **change).status_code == 204


def test_audit_fields_are_writable_on_creation_once_allowed(org):
    org.act("allow_audit_fields", user="CRM Restorer")
    made = org.restorer.Contact.create({"LastName": "Old", "CreatedDate": "2020-01-01T10:00:00Z"})[
        "id"
    ]
    told = org.truth("Contact", made)
    assert told["CreatedDate"] == "2020-01-01T10:00:00.000+0000"
    assert told["SystemModstamp"] > "2026"
    answer = org.raw(
        "PATCH", f"/sobjects/Contact/{made}", json={"CreatedDate": "2020-01-02T10:00:00Z"}
    )
    assert answer.json()[0]["errorCode"] == "INVALID_FIELD_FOR_INSERT_UPDATE"


def test_administrators_rules(org):
    (id_,) = org.ids("Opportunity", 1)
    org.act("add_rule", "Opportunity", kind="validation", when="Discount__c > 40",
            message="Ask finance first.", field="Discount__c")  # fmt: skip
    assert refused(org, "Opportunity", {"Discount__c": 50}, id_=id_) == (
        "FIELD_CUSTOM_VALIDATION_EXCEPTION", ["Discount__c"],
    )  # fmt: skip
    assert org.journal(id_) == []
    org.act("clear_rules")
    org.act("add_rule", "Opportunity", kind="flow", when="Discount__c > 40",
            set={"NextStep": "Approval"})  # fmt: skip
    org.restorer.Opportunity.update(id_, {"Discount__c": 50})
    assert org.truth("Opportunity", id_)["NextStep"] == "Approval"


def test_duplicate_and_assignment_rules(org):
    org.act("add_rule", "Lead", kind="duplicate", field="Email")
    org.act("add_rule", "Lead", kind="assignment", owner="Tom Okafor")
    lead = {"LastName": "L", "Company": "C", "Email": org.one("Lead")["Email"]}
    answer = org.raw("POST", "/sobjects/Lead", json=lead)
    (told,) = answer.json()
    assert told["errorCode"] == "DUPLICATES_DETECTED"
    assert told["duplicateResult"]["matchResults"][0]["matchRecords"][0]["record"]["Id"]
    allowed = {"Sforce-Duplicate-Rule-Header": "allowSave=true"}
    made = org.raw("POST", "/sobjects/Lead", json=lead, headers=allowed).json()["id"]
    boss = org.one("User", "Name = 'Tom Okafor'")["Id"]
    assert org.truth("Lead", made)["OwnerId"] == boss
    kept = org.raw(
        "POST", "/sobjects/Lead", json=lead, headers=allowed | {"Sforce-Auto-Assign": "FALSE"}
    ).json()["id"]
    assert org.truth("Lead", kept)["OwnerId"] != boss


def test_history_of_tracked_fields(org):
    contact = org.one("Contact", "AccountId != null")
    seller = org.one("User", "Name = 'Kenji Watanabe'")["Id"]
    org.act("update", "Contact", ids=[contact["Id"]],
            fields={"Phone": "1", "OwnerId": seller, "Fax": "2"},
            by={"kind": "user", "name": "Quinn Rivera"})  # fmt: skip
    rows = org.rows(
        soql("SELECT Field, DataType, OldValue, NewValue, CreatedBy.Name FROM ContactHistory"
             " WHERE ContactId =", f"'{contact['Id']}'")
    )  # fmt: skip
    phone = next(row for row in rows if row["Field"] == "Phone")
    assert (phone["OldValue"], phone["NewValue"]) == (contact["Phone"], "1")
    assert phone["CreatedBy"]["Name"] == "Quinn Rivera"
    owners = {row["DataType"]: row["NewValue"] for row in rows if row["Field"] == "Owner"}
    assert owners == {"Text": "Kenji Watanabe", "EntityId": seller}
    assert not [row for row in rows if row["Field"] == "Fax"]


def test_history_keeps_no_long_texts(org):
    (id_,) = org.ids("Opportunity", 1)
    org.restorer.Opportunity.update(id_, {"Description": "rewritten"})
    (row,) = org.rows(
        soql("SELECT Field, OldValue, NewValue FROM OpportunityFieldHistory WHERE",
             f"OpportunityId = '{id_}'")
    )  # fmt: skip
    assert (row["Field"], row["OldValue"], row["NewValue"]) == ("Description", None, None)


@pytest.mark.parametrize("token", ["", "Bearer nonsense", "Basic abc"])
def test_no_valid_token(org, token):
    answer = org.raw("GET", "/limits", headers={"Authorization": token})
    assert answer.status_code == 401
    assert answer.json() == [
        {"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}
    ]
    assert "api-usage=" in answer.headers["Sforce-Limit-Info"]


def test_ended_sessions_and_their_refresh(org):
    org.act("end_sessions")
    with pytest.raises(SalesforceExpiredSession):
        org.observer.query("SELECT Id FROM Contact LIMIT 1")
    client = org.control.people("salesforce")["clients"]["observer"]
    url = f"{org.server.url}/services/oauth2/token"
    grants = [
        {"grant_type": "client_credentials"},
        {"grant_type": "refresh_token", "refresh_token": client["refresh_token"]},
    ]
    for grant in grants:
        told = org.http.post(
            url, data=grant, auth=(client["client_id"], client["client_secret"]), timeout=10
        ).json()
        who = org.raw("GET", "/services/oauth2/userinfo",
                      headers={"Authorization": f"Bearer {told['access_token']}"})  # fmt: skip
        assert who.json()["name"] == "CRM Observer"
        assert told["access_token"].startswith("00D")
    wrong = org.http.post(url, data={"grant_type": "client_credentials"}, timeout=10)
    assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_client")


def test_stamps_have_whole_seconds_and_the_date_header_is_the_worlds(org):
    org.control.freeze("2027-05-01T08:30:15.700+00:00")
    answer = org.raw("POST", "/sobjects/Lead", json={"LastName": "L", "Company": "C"})
    told = org.truth("Lead", answer.json()["id"])
    assert told["SystemModstamp"] == told["CreatedDate"] == "2027-05-01T08:30:15.000+0000"
    sent = parsedate_to_datetime(answer.headers["Date"])
    assert sent == datetime(2027, 5, 1, 8, 30, 15, tzinfo=UTC)


def test_a_new_line_takes_its_price_and_name_from_the_price_book(org):
    deal = org.one("Opportunity", "HasOpportunityLineItem = false")
    entry = org.one("PricebookEntry", "ProductCode = 'SW-0100'")
    line = {"OpportunityId": deal["Id"], "PricebookEntryId": entry["Id"], "Quantity": 2,
            "UnitPrice": 4000, "Discount": 10}  # fmt: skip
    made = org.truth("OpportunityLineItem", org.restorer.OpportunityLineItem.create(line)["id"])
    assert (made["ListPrice"], made["TotalPrice"]) == (entry["UnitPrice"], 7200.0)
    assert made["Name"].endswith(entry["Name"])
    after = org.truth("Opportunity", deal["Id"])
    assert (after["Amount"], after["HasOpportunityLineItem"]) == (7200.0, True)
    org.restorer.OpportunityLineItem.delete(made["Id"])
    left = org.truth("Opportunity", deal["Id"])
    assert (left["Amount"], left["HasOpportunityLineItem"]) == (7200.0, False)


def test_half_a_character_is_no_text(org):
    answer = org.raw(
        "POST", "/sobjects/Account", data=rb'{"Name": "\ud800"}',
        headers={"Content-Type": "application/json"},
    )  # fmt: skip
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "JSON_PARSER_ERROR")
