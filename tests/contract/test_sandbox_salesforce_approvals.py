"""Classic and flow approvals, and those of the quoting package."""

import pytest

from support.salesforce_org import salesforce_org, soql
from support.sandbox import running_sandbox

STEPS = (
    "SELECT Status, SubmittedById, CompletedDate, (SELECT StepStatus, ActorId, OriginalActorId,"
    " Comments, CreatedById FROM Steps ORDER BY CreatedDate, Id), (SELECT StepStatus, IsPending,"
    " Comments FROM StepsAndWorkitems), (SELECT NodeStatus FROM Nodes),"
    " (SELECT ActorId FROM Workitems) FROM ProcessInstance"
)
LOCKED = "ENTITY_IS_LOCKED"


@pytest.fixture
def quote(org):
    (id_,) = org.ids("Quote", 1)
    return id_


def patched(org, id_):
    return org.raw("PATCH", f"/sobjects/Quote/{id_}", json={"Email": "a@b.example"})


def process(org, id_):
    (row,) = org.rows(soql(STEPS, f"WHERE Id = '{id_}'"))
    return row


def user(org, name):
    (row,) = org.rows(soql("SELECT Id FROM User", f"WHERE Name = '{name}'"))
    return row["Id"]


def test_a_submitted_record_is_locked_until_somebody_decides(org, quote):
    seller = {"kind": "user", "name": "Maya Lindholm"}
    (asked,) = org.act("submit", "Quote", ids=[quote], comment="18 percent, please.", by=seller)
    assert patched(org, quote).json()[0]["errorCode"] == LOCKED
    pending = process(org, asked)
    assert (pending["Status"], pending["CompletedDate"]) == ("Pending", None)
    assert [step["StepStatus"] for step in pending["Steps"]["records"]] == ["Started"]
    joint = pending["StepsAndWorkitems"]["records"]
    assert {(row["StepStatus"], row["IsPending"]) for row in joint} == {
        ("Started", False), ("Pending", True),
    }  # fmt: skip
    assert [row["ActorId"] for row in pending["Workitems"]["records"]] == [user(org, "Ines Castro")]
    boss = {"kind": "user", "name": "Tom Okafor"}
    org.act("approve", "Quote", ids=[quote], comment="Fine.", by=boss)
    done = process(org, asked)
    assert (done["Status"], done["Workitems"]) == ("Approved", None)
    assert done["CompletedDate"] is not None
    step = done["Steps"]["records"][-1]
    assert (step["StepStatus"], step["Comments"]) == ("Approved", "Fine.")
    assert step["ActorId"] == user(org, "Ines Castro"), "whom it was assigned to"
    assert step["CreatedById"] == user(org, "Tom Okafor"), "who clicked"
    assert [row["NodeStatus"] for row in done["Nodes"]["records"]] == ["Approved"]
    assert patched(org, quote).status_code == 204


@pytest.mark.parametrize(("verb", "status"), [("reject", "Rejected"), ("recall", "Removed")])
def test_an_approval_may_end_otherwise(org, quote, verb, status):
    (asked,) = org.act("submit", "Quote", ids=[quote])
    org.act(verb, "Quote", ids=[quote])
    assert process(org, asked)["Status"] == status
    assert patched(org, quote).status_code == 204
    with pytest.raises(ValueError, match="is in no approval"):
        org.act("approve", "Quote", ids=[quote])


def test_an_approval_may_be_handed_on(org, quote):
    (asked,) = org.act("submit", "Quote", ids=[quote])
    with pytest.raises(ValueError, match="already in an approval"):
        org.act("submit", "Quote", ids=[quote])
    org.act("reassign", "Quote", ids=[quote], approver="Tom Okafor")
    held = process(org, asked)
    assert [row["ActorId"] for row in held["Workitems"]["records"]] == [user(org, "Tom Okafor")]
    assert patched(org, quote).json()[0]["errorCode"] == LOCKED


def test_the_joint_history_is_read_only_below_its_process(org):
    answer = org.raw("GET", "/query", params={"q": "SELECT Id FROM ProcessInstanceHistory"})
    assert answer.json()[0]["errorCode"] == "INVALID_TYPE_FOR_OPERATION"
    assert org.raw("GET", "/sobjects/ProcessInstanceHistory/describe").json()["queryable"] is False


def test_flow_approvals_are_rows_that_can_be_edited(org, quote):
    (asked,) = org.act("submit", "Quote", ids=[quote], via="flow", comment="Please.")
    assert patched(org, quote).json()[0]["errorCode"] == LOCKED
    org.act("reject", "Quote", ids=[quote], comment="Too much.")
    (row,) = org.rows(soql(
        "SELECT Status, RelatedRecordId, (SELECT Status, ReviewedById, Comments FROM",
        "ApprovalWorkItems), (SELECT ActionName FROM ApprovalSubmissionDetails)",
        "FROM ApprovalSubmission",
        f"WHERE Id = '{asked}'",
    ))  # fmt: skip
    assert (row["Status"], row["RelatedRecordId"]) == ("Rejected", quote)
    (item,) = row["ApprovalWorkItems"]["records"]
    assert (item["Comments"], item["ReviewedById"]) == ("Too much.", user(org, "Ines Castro"))
    (detail,) = row["ApprovalSubmissionDetails"]["records"]
    assert detail["ActionName"] == "Review"
    edit = org.raw("PATCH", f"/sobjects/ApprovalSubmission/{asked}", json={"Status": "Approved"})
    assert edit.status_code == 204


def test_without_the_licence_there_are_no_flow_approvals(org):
    org.act("licence", name="flow_approvals", on=False)
    names = {item["name"] for item in org.raw("GET", "/sobjects").json()["sobjects"]}
    assert "ApprovalSubmission" not in names
    assert "ProcessInstance" in names


def test_the_quoting_package_is_there_if_installed(org):
    assert org.raw("GET", "/sobjects/SBQQ__Quote__c/describe").status_code == 404
    with (
        running_sandbox(features=("cpq",)) as running,
        salesforce_org(*running) as wide,
    ):
        (row,) = wide.rows(
            "SELECT SBQQ__CustomerDiscount__c, SBQQ__AverageCustomerDiscount__c,"
            " (SELECT SBQQ__Discount__c FROM SBQQ__LineItems__r),"
            " (SELECT sbaa__Status__c, sbaa__ApprovedBy__r.Name FROM Approvals__r)"
            " FROM SBQQ__Quote__c"
        )
        assert row["SBQQ__CustomerDiscount__c"] == row["SBQQ__AverageCustomerDiscount__c"] == 18
        assert row["SBQQ__LineItems__r"]["totalSize"] == 2
        (approval,) = row["Approvals__r"]["records"]
        assert approval["sbaa__ApprovedBy__r"]["Name"] == "Ines Castro"
        wide.act("licence", name="cpq", on=False)
        assert wide.raw("GET", "/sobjects/SBQQ__Quote__c/describe").status_code == 404
