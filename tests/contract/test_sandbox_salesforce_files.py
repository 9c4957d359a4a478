"""Documents, versions, links and attachments."""

import base64
import hashlib

import pytest

from support.salesforce_org import soql

BYTES = b"\x00\x01 signed \xff"


def uploaded(org, **more):
    body = {"PathOnClient": "terms.pdf", "VersionData": base64.b64encode(BYTES).decode(), **more}
    made = org.raw("POST", "/sobjects/ContentVersion", json=body)
    assert made.status_code == 201, made.text
    (row,) = org.rows(
        soql("SELECT FIELDS(ALL) FROM ContentVersion", f"WHERE Id = '{made.json()['id']}' LIMIT 1")
    )
    return row


def test_an_upload_makes_a_document_with_a_checksum_and_a_link(org):
    (account,) = org.ids("Account", 1)
    row = uploaded(org, FirstPublishLocationId=account)
    assert row["Checksum"] == hashlib.md5(BYTES, usedforsecurity=False).hexdigest()
    assert (row["ContentSize"], row["FileExtension"], row["Title"]) == (len(BYTES), "pdf", "terms")
    assert (row["IsLatest"], row["VersionNumber"]) == (True, "1")
    (document,) = org.rows(soql(
        "SELECT LatestPublishedVersionId, Title FROM ContentDocument",
        f"WHERE Id = '{row['ContentDocumentId']}'",
    ))  # fmt: skip
    assert document["LatestPublishedVersionId"] == row["Id"]
    links = org.rows(soql(
        "SELECT LinkedEntityId, ShareType FROM ContentDocumentLink",
        f"WHERE ContentDocumentId = '{row['ContentDocumentId']}'",
    ))  # fmt: skip
    assert {(link["LinkedEntityId"], link["ShareType"]) for link in links} == {
        (account, "V"), (row["OwnerId"], "I"),
    }  # fmt: skip


def test_the_bytes_lie_behind_a_relative_url(org):
    row = uploaded(org)
    assert row["VersionData"] == (
        f"/services/data/v60.0/sobjects/ContentVersion/{row['Id']}/VersionData"
    )
    answer = org.raw("GET", row["VersionData"])
    assert (answer.status_code, answer.content) == (200, BYTES)
    assert answer.headers["Content-Type"] == "application/octet-stream"
    part = {"method": "GET", "url": row["VersionData"], "referenceId": "one"}
    told = org.raw("POST", "/composite", json={"compositeRequest": [part]}).json()
    assert told["compositeResponse"][0]["httpStatusCode"] == 400


def test_a_further_version_takes_over(org):
    first = uploaded(org)
    second = uploaded(org, ContentDocumentId=first["ContentDocumentId"])
    rows = org.rows(soql(
        "SELECT Id, IsLatest, VersionNumber FROM ContentVersion",
        f"WHERE ContentDocumentId = '{first['ContentDocumentId']}' ORDER BY VersionNumber",
    ))  # fmt: skip
    assert [(row["Id"], row["IsLatest"], row["VersionNumber"]) for row in rows] == [
        (first["Id"], False, "1"), (second["Id"], True, "2"),
    ]  # fmt: skip


def test_links_want_a_narrow_question(org):
    answer = org.raw("GET", "/query", params={"q": "SELECT Id FROM ContentDocumentLink"})
    assert answer.json() == [
        {
            "errorCode": "MALFORMED_QUERY",
            "message": "Implementation restriction: ContentDocumentLink requires a filter by a"
            " single Id on ContentDocumentId or LinkedEntityId using the equals operator or"
            " multiple Id's using the IN operator.",
        }
    ]
    org.act("query_all_files", user="CRM Observer")
    assert org.rows("SELECT Id FROM ContentDocumentLink")


@pytest.mark.parametrize("test", ["ShareType = 'V'", "LinkedEntityId != null"])
def test_other_conditions_do_not_narrow_it(org, test):
    statement = soql("SELECT Id FROM ContentDocumentLink WHERE", test)
    assert org.raw("GET", "/query", params={"q": statement}).status_code == 400


def test_an_attachment_has_its_body_behind_a_url_too(org):
    (row,) = org.rows("SELECT Id, Body, BodyLength, ParentId FROM Attachment")
    answer = org.raw("GET", row["Body"])
    assert (len(answer.content), answer.headers["Content-Type"]) == (
        row["BodyLength"], "text/plain",
    )  # fmt: skip
    made = org.raw(
        "POST",
        "/sobjects/Attachment",
        json={"ParentId": row["ParentId"], "Name": "b", "Body": base64.b64encode(BYTES).decode()},
    ).json()
    (new,) = org.rows(soql("SELECT BodyLength FROM Attachment", f"WHERE Id = '{made['id']}'"))
    assert new["BodyLength"] == len(BYTES)
    assert org.raw("GET", f"/sobjects/Attachment/{made['id']}/Body").content == BYTES


def test_a_document_comes_back_with_its_versions(org):
    row = uploaded(org)
    document = row["ContentDocumentId"]
    assert org.raw("DELETE", f"/sobjects/ContentDocument/{document}").status_code == 204
    asked = soql("SELECT Id FROM ContentVersion", f"WHERE ContentDocumentId = '{document}'")
    assert org.rows(asked) == []
    assert org.raw("GET", "/sobjects/ContentDocument/describe").json()["undeletable"]
    org.act("undelete", "ContentDocument", ids=[document])
    assert [found["Id"] for found in org.rows(asked)] == [row["Id"]]
    assert org.raw("GET", row["VersionData"]).content == BYTES


def test_what_is_no_base64_is_refused(org):
    body = {"PathOnClient": "x.txt", "VersionData": "not base64!"}
    answer = org.raw("POST", "/sobjects/ContentVersion", json=body)
    assert answer.json()[0]["errorCode"] == "JSON_PARSER_ERROR"
