"""Approvals beyond the classic steps: nodes, the joint history, and flow approval processes."""

from typing import Any

from crmtrail.sandbox.salesforce.fields import (
    Field,
    area,
    check,
    fixed,
    long_text,
    moment,
    number,
    owner,
    pick,
    ref,
    stamps,
    text,
)
from crmtrail.sandbox.salesforce.objects_access import row_id, written_by_org
from crmtrail.sandbox.salesforce.schema import SObject

_STATUSES = "Started|Pending|Approved|Rejected|Removed|Reassigned|NoResponse|Fault|Held"
_TARGETS = "Account|Lead|Opportunity|Quote"
_ELAPSED = tuple(f"ElapsedTimeIn{unit}" for unit in ("Days", "Hours", "Minutes"))


def _elapsed() -> tuple[Field, ...]:
    return tuple(number(name, 18, 2, **fixed()) for name in _ELAPSED)


_NODE = written_by_org(
    "ProcessInstanceNode",
    "Process Instance Nodes",
    "04j",
    (
        *stamps(deletable=False),
        ref(
            "ProcessInstanceId",
            "ProcessInstance",
            **fixed(nillable=False, children="Nodes", on_delete="cascade"),
        ),
        text("ProcessNodeId", 18, **fixed()),
        text("ProcessNodeName", 255, **fixed()),
        pick("NodeStatus", _STATUSES, **fixed()),
        moment("CompletedDate", **fixed()),
        ref("LastActorId", "User", **fixed()),
        *_elapsed(),
    ),
    label="Process Instance Node",
    replicateable=True,
)

_SHARED = '"Id", "CreatedDate", "CreatedById", "SystemModstamp", "ProcessInstanceId"'
_ACTORS = '"OriginalActorId", "ActorId"'
_TARGET = (
    '(SELECT i."TargetObjectId" FROM "sf_ProcessInstance" i WHERE i."Id" = "ProcessInstanceId")'
    ' AS "TargetObjectId"'
)
_NO_TIMES = ", ".join(f'NULL AS "{name}"' for name in _ELAPSED)
_TIMES = ", ".join(f'"{name}"' for name in _ELAPSED)
_JOINT = (
    f'SELECT 2 * _row AS _row, _deleted, _root, _locked, {_SHARED}, {_ACTORS}, "StepStatus",'
    f' "Comments", "StepNodeId" AS "ProcessNodeId", 0 AS "IsPending", 0 AS "IsDeleted", {_TIMES},'
    f' {_TARGET} FROM "sf_ProcessInstanceStep"'
    f" UNION ALL SELECT 2 * _row + 1, _deleted, _root, _locked, {_SHARED}, {_ACTORS}, 'Pending',"
    f' NULL, NULL, 1, "IsDeleted", {_NO_TIMES}, {_TARGET} FROM "sf_ProcessInstanceWorkitem"'
    " WHERE _deleted IS NULL"
)
_HISTORY = written_by_org(
    "ProcessInstanceHistory",
    "Process Instance History",
    "04k",
    (
        row_id(),
        check("IsDeleted", **fixed()),
        check("IsPending", **fixed()),
        ref(
            "ProcessInstanceId",
            "ProcessInstance",
            **fixed(nillable=False, children="StepsAndWorkitems"),
        ),
        ref("TargetObjectId", _TARGETS, **fixed(nillable=False)),
        pick("StepStatus", _STATUSES, **fixed()),
        text("ProcessNodeId", 18, **fixed()),
        ref("OriginalActorId", "Group|User", **fixed(nillable=False)),
        ref("ActorId", "Group|User", **fixed(nillable=False)),
        area("Comments", 4000, **fixed()),
        moment("CreatedDate", **fixed(nillable=False, defaulted=True)),
        ref("CreatedById", "User", **fixed(nillable=False, defaulted=True)),
        moment("SystemModstamp", **fixed(nillable=False, defaulted=True)),
        *_elapsed(),
    ),
    label="Process Instance History",
    queryable=False,
    view=_JOINT,
)

_FLOW: dict[str, Any] = {"undeletable": False, "licence": "flow_approvals"}
_SUBMISSION = SObject(
    "ApprovalSubmission",
    "Approval Submissions",
    "0Wq",
    (
        *stamps(),
        text("Name", 30, numbering="AS-{:06}", title=True, **fixed(nillable=False)),
        owner(),
        ref("RelatedRecordId", _TARGETS, nillable=False, updateable=False,
            children="ApprovalSubmissions", on_delete="cascade"),
        text("RelatedRecordObjectName", 80, **fixed()),
        pick("Status", "In Progress|Approved|Rejected|Canceled|Recalled|Error", nillable=False,
             defaulted=True, default="In Progress"),
        ref("SubmittedById", "User"),
        long_text("Comments", 4000),
        text("FlowDefinitionDeveloperName", 80),
        moment("CompletedDate"),
        ref("LastReviewedById", "User"),
    ),
    label="Approval Submission",
    **_FLOW,
)  # fmt: skip

_ITEM = SObject(
    "ApprovalWorkItem",
    "Approval Work Items",
    "0Wr",
    (
        *stamps(),
        text("Name", 30, numbering="AW-{:06}", title=True, **fixed(nillable=False)),
        owner(),
        ref("ApprovalSubmissionId", "ApprovalSubmission", nillable=False, updateable=False,
            children="ApprovalWorkItems", on_delete="cascade"),
        ref("RelatedRecordId", _TARGETS, updateable=False),
        ref("AssignedToId", "Group|User"),
        ref("ReviewedById", "User"),
        moment("ReviewedDate"),
        pick("Status", "Assigned|Approved|Rejected|Canceled|Reassigned|Recalled", nillable=False,
             defaulted=True, default="Assigned"),
        long_text("Comments", 4000),
        text("ApprovalConditionName", 255),
        text("ApprovalChainName", 255),
        check("IsAutoReviewed"),
    ),
    label="Approval Work Item",
    **_FLOW,
)  # fmt: skip

_DETAIL = SObject(
    "ApprovalSubmissionDetail",
    "Approval Submission Details",
    "0Ws",
    (
        *stamps(),
        text("Name", 30, numbering="AD-{:06}", title=True, **fixed(nillable=False)),
        ref("ApprovalSubmissionId", "ApprovalSubmission", nillable=False, updateable=False,
            children="ApprovalSubmissionDetails", on_delete="cascade"),
        ref("ApprovalWorkItemId", "ApprovalWorkItem"),
        pick("ActionName", "Cancel|Override|Reassign|Recall|Review"),
        ref("ActionPerformedById", "User"),
        moment("ActionPerformedDate"),
        text("ActionChannelName", 80),
        text("ActionContext", 255),
        long_text("Comments", 4000),
    ),
    label="Approval Submission Detail",
    **_FLOW,
)  # fmt: skip

APPROVALS = (_NODE, _HISTORY, _SUBMISSION, _ITEM, _DETAIL)
