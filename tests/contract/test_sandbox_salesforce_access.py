"""Logins, setup changes, permissions, and objects an identity does not see."""

import pytest

from support.salesforce_org import soql


def refused(org, statement, role="restorer"):
    answer = org.raw("GET", "/query", role=role, params={"q": statement})
    assert answer.status_code == 400, answer.text
    (told,) = answer.json()
    return told["errorCode"]


def setup(org, where=""):
    condition = f"WHERE {where}" if where else ""
    return org.rows(soql(
        "SELECT Action, Section, Display, CreatedById, DelegateUser FROM SetupAuditTrail",
        condition, "ORDER BY CreatedDate DESC, Id DESC",
    ))  # fmt: skip


def test_a_login_leaves_history_place_session_and_event(org):
    (login,) = org.act(
        "login", user="Maya Lindholm", ip="198.51.100.9", country="US", verification="Totp"
    )[:1]
    (row,) = org.rows(soql("SELECT FIELDS(ALL) FROM LoginHistory", f"WHERE Id = '{login}' LIMIT 1"))
    assert (row["SourceIp"], row["CountryIso"], row["Status"]) == ("198.51.100.9", "US", "Success")
    assert login.startswith("0Ya")
    assert row["LoginTime"].endswith(".000+0000")
    (geo,) = org.rows(
        soql("SELECT City, Country FROM LoginGeo", f"WHERE Id = '{row['LoginGeoId']}'")
    )
    assert geo["City"] == "Chicago"
    sessions = org.rows(
        soql("SELECT SourceIp FROM AuthSession", f"WHERE LoginHistoryId = '{login}'")
    )
    assert [item["SourceIp"] for item in sessions] == ["198.51.100.9"]
    checks = org.rows(
        soql("SELECT Status FROM VerificationHistory", f"WHERE UserId = '{row['UserId']}'")
    )
    assert "Succeeded" in [item["Status"] for item in checks]


def test_a_failed_login_opens_no_session(org):
    (login,) = org.act("login", user="Maya Lindholm", status="Invalid Password")
    assert org.rows(soql("SELECT Id FROM AuthSession", f"WHERE LoginHistoryId = '{login}'")) == []
    where = "LoginTime = TODAY AND LoginType = 'Application'"
    failed = org.rows(soql("SELECT Status FROM LoginHistory", f"WHERE {where}"))
    assert [row["Status"] for row in failed] == ["Invalid Password"]


@pytest.mark.parametrize("where", ["SourceIp = '1.1.1.1'", "Status = 'Success'", "Browser != null"])
def test_logins_are_filtered_by_few_fields(org, where):
    assert refused(org, soql("SELECT Id FROM LoginHistory", f"WHERE {where}")) == "INVALID_FIELD"
    told = org.raw("GET", "/sobjects/LoginHistory/describe").json()["fields"]
    assert {field["name"] for field in told if field["filterable"]} == {
        "Id", "UserId", "LoginTime", "LoginType", "LoginUrl", "CountryIso", "NetworkId",
        "AuthenticationServiceId", "CipherSuite", "TlsProtocol",
    }  # fmt: skip


def test_a_token_is_a_login(org):
    client = org.control.people("salesforce")["clients"]["observer"]
    before = {row["Id"] for row in org.rows("SELECT Id FROM LoginHistory")}
    form = {
        "grant_type": "client_credentials",
        "client_id": client["client_id"],
        "client_secret": client["client_secret"],
    }
    assert org.raw("POST", "/services/oauth2/token", data=form).status_code == 200
    rows = org.rows("SELECT Id, LoginType, LoginSubType, Status FROM LoginHistory")
    (new,) = [row for row in rows if row["Id"] not in before]
    assert (new["LoginType"], new["LoginSubType"]) == (
        "Remote Access 2.0",
        "OAuthClientCredentials",
    )


def test_the_setup_trail_is_read_only_and_counted_one_way(org):
    org.act(
        "setup", action="PermSetAssign", section="Manage Users", display="Permission set X",
        delegate="support@vendor.example",
    )  # fmt: skip
    newest = setup(org)[0]
    assert (newest["Action"], newest["DelegateUser"]) == ("PermSetAssign", "support@vendor.example")
    counted = org.raw("GET", "/query", params={"q": "SELECT count() FROM SetupAuditTrail"}).json()
    assert counted["totalSize"] == len(setup(org)) > 5
    assert refused(org, "SELECT count(Id) FROM SetupAuditTrail") == "MALFORMED_QUERY"
    assert refused(org, "SELECT Id FROM SetupAuditTrail WHERE Section = 'X'") == "INVALID_FIELD"
    told = org.raw("GET", "/sobjects/SetupAuditTrail/describe").json()
    assert not told["createable"] | told["updateable"] | told["replicateable"]
    answer = org.raw("POST", "/sobjects/SetupAuditTrail", json={"Action": "x"})
    assert answer.status_code == 400


def test_a_grant_is_an_assignment_and_a_line_in_the_trail_and_its_end_is_final(org):
    (granted,) = org.act("grant", user="Jonas Weber", permission_set="Data_Steward")
    assert setup(org)[0]["Action"] == "PermSetAssign"
    assert "Jonas Weber" in setup(org)[0]["Display"]
    asked = soql("SELECT AssigneeId FROM PermissionSetAssignment", f"WHERE Id = '{granted}'")
    assert len(org.rows(asked)) == 1
    assert org.act("revoke", user="Jonas Weber", permission_set="Data_Steward") == [granted]
    assert org.rows(asked, deleted=True) == [], "no recycle bin"
    assert setup(org)[0]["Action"] == "PermSetUnassign"
    fields = org.raw("GET", "/sobjects/PermissionSetAssignment/describe").json()["fields"]
    assert "IsDeleted" not in {field["name"] for field in fields}
    with pytest.raises(ValueError, match="does not have"):
        org.act("revoke", user="Jonas Weber", permission_set="Data_Steward")


def test_an_assignment_over_the_api_is_in_the_trail_too(org):
    (granted,) = org.rows("SELECT Id FROM PermissionSet WHERE Name = 'Data_Steward'")
    (user,) = org.rows("SELECT Id FROM User WHERE Name = 'Maya Lindholm'")
    values = {"AssigneeId": user["Id"], "PermissionSetId": granted["Id"]}
    made = org.raw("POST", "/sobjects/PermissionSetAssignment", json=values)
    assert made.status_code == 201
    assert setup(org)[0]["Action"] == "PermSetAssign"
    gone = org.raw("DELETE", f"/sobjects/PermissionSetAssignment/{made.json()['id']}")
    assert gone.status_code == 204
    assert setup(org)[0]["Action"] == "PermSetUnassign"


def test_permissions_of_profiles_are_rows_of_permission_sets(org):
    told = org.raw("GET", "/sobjects/PermissionSet/describe").json()["fields"]
    rights = [field for field in told if field["name"].startswith("Permissions")]
    assert len(rights) > 40
    (row,) = org.rows(soql(
        "SELECT Id, Name, PermissionsModifyAllData, IsOwnedByProfile FROM PermissionSet",
        "WHERE Profile.Name = 'Sales User'",
    ))  # fmt: skip
    assert (row["IsOwnedByProfile"], row["PermissionsModifyAllData"]) == (True, False)
    org.act("permit", permission_set=row["Name"], right="ModifyAllData")
    (now,) = org.rows(
        soql("SELECT PermissionsModifyAllData FROM PermissionSet", f"WHERE Id = '{row['Id']}'")
    )
    assert now["PermissionsModifyAllData"]
    assert setup(org)[0]["Action"] == "PermSetEnableUserPerm"


@pytest.mark.parametrize(
    "object_",
    [
        "PermissionSetGroup", "PermissionSetGroupComponent", "MutingPermissionSet",
        "ObjectPermissions", "FieldPermissions", "SetupEntityAccess", "UserRole", "GroupMember",
        "UserLogin", "Profile", "Group", "LoginIp",
    ],
)  # fmt: skip
def test_setup_objects_have_rows(org, object_):
    assert org.rows(soql("SELECT FIELDS(ALL) FROM", object_, "LIMIT 5"))


def test_a_role_and_a_frozen_login_are_told(org):
    (user,) = org.rows("SELECT Id, UserRole.Name FROM User WHERE Name = 'Jonas Weber'")
    assert user["UserRole"]["Name"] == "Account Executive"
    (login,) = org.rows(soql("SELECT Id FROM UserLogin", f"WHERE UserId = '{user['Id']}'"))
    org.act("update", "UserLogin", ids=[login["Id"]], fields={"IsFrozen": True})
    assert setup(org)[0]["Action"] == "frozeuser"


def test_a_hidden_object_does_not_exist_for_whom_it_is_hidden(org):
    org.act("hide_object", "LoginHistory", user="CRM Observer")
    names = {
        item["name"] for item in org.raw("GET", "/sobjects", role="observer").json()["sobjects"]
    }
    assert "LoginHistory" not in names
    assert refused(org, "SELECT Id FROM LoginHistory", role="observer") == "INVALID_TYPE"
    assert org.raw("GET", "/sobjects/LoginHistory/describe", role="observer").status_code == 404
    order = {"ids": [], "fields": ["Id"]}
    hidden = org.raw("POST", "/composite/sobjects/LoginHistory", role="observer", json=order)
    assert hidden.status_code == 404
    over = "SELECT LoginHistory.Status FROM AuthSession"
    assert refused(org, over, role="observer") == "INVALID_FIELD"
    restorer = {item["name"] for item in org.raw("GET", "/sobjects").json()["sobjects"]}
    assert "LoginHistory" in restorer
    org.act("hide_object", "LoginHistory", user="CRM Observer", hidden=False)
    assert org.rows("SELECT Id FROM LoginHistory LIMIT 1")


def test_objects_come_and_go_with_their_licence(org):
    org.act("licence", name="shield", on=False)
    names = {item["name"] for item in org.raw("GET", "/sobjects").json()["sobjects"]}
    assert "ApiEvent" not in names
    assert "LoginEvent" in names
    assert refused(org, "SELECT EventIdentifier FROM ApiEvent") == "INVALID_TYPE"
    org.act("licence", name="shield", on=True)
    assert org.raw("GET", "/sobjects/ApiEvent/describe").status_code == 200
    with pytest.raises(ValueError, match="unknown licence"):
        org.act("licence", name="gold", on=False)


def test_field_definitions_tell_of_hidden_fields_too(org):
    org.act("hide_field", "Contact", field="Birthdate", user="CRM Observer")
    ask = "SELECT QualifiedApiName, DataType, IsFieldHistoryTracked, ComplianceGroup FROM"
    rows = org.rows(
        soql(ask, "FieldDefinition WHERE EntityDefinition.QualifiedApiName = 'Contact'")
    )
    told = {row["QualifiedApiName"]: row for row in rows}
    seen = org.raw("GET", "/sobjects/Contact/describe", role="observer").json()["fields"]
    assert set(told) - {field["name"] for field in seen} == {"Birthdate"}
    assert told["Email"]["IsFieldHistoryTracked"]
    assert not told["Department"]["IsFieldHistoryTracked"]
    assert "PII" in told["Birthdate"]["ComplianceGroup"]
    assert refused(org, "SELECT QualifiedApiName FROM FieldDefinition") == "MALFORMED_QUERY"
    (entity,) = org.rows(
        "SELECT KeyPrefix FROM EntityDefinition WHERE QualifiedApiName = 'Contact'"
    )
    assert entity["KeyPrefix"] == "003"


def test_who_could_see_a_record(org):
    (contact,) = org.ids("Contact", 1)
    (user,) = org.rows("SELECT Id FROM User WHERE Name = 'Ines Castro'")
    ask = "SELECT RecordId, HasReadAccess, HasEditAccess, MaxAccessLevel FROM UserRecordAccess"
    where = f"UserId = '{user['Id']}' AND RecordId = '{contact}'"
    (row,) = org.rows(soql(ask, f"WHERE {where}"))
    assert (row["RecordId"], row["HasReadAccess"], row["MaxAccessLevel"]) == (contact, True, "Read")
    assert refused(org, soql(ask, f"WHERE UserId = '{user['Id']}'")) == "MALFORMED_QUERY"
