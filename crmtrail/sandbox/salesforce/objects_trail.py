"""Approvals and field history: what the org remembers about decisions and edits."""

from crmtrail.sandbox.salesforce.fields import (
    area,
    fixed,
    moment,
    number,
    pick,
    ref,
    stamps,
    text,
)
from crmtrail.sandbox.salesforce.objects_history import HISTORY
from crmtrail.sandbox.salesforce.schema import SObject

_STATUSES = "Started|Pending|Approved|Rejected|Removed|Reassigned|NoResponse|Fault|Held"
_TARGETS = "Account|Lead|Opportunity|Quote"

_DEFINITION = SObject(
    "ProcessDefinition",
    "Process Definitions",
    "04a",
    (
        *stamps(deletable=False),
        text("Name", 255, title=True, **fixed(nillable=False)),
        text("DeveloperName", 80, **fixed(nillable=False)),
        pick("Type", "Approval|State", **fixed()),
        text("Description", 1000, **fixed()),
        pick("TableEnumOrId", _TARGETS, **fixed()),
        pick("LockType", "Total|Admin|Owner|None", **fixed()),
        pick("State", "Active|Inactive|Obsolete", **fixed()),
    ),
    label="Process Definition",
    createable=False,
    updateable=False,
    deletable=False,
    undeletable=False,
    replicateable=False,
)

_INSTANCE = SObject(
    "ProcessInstance",
    "Process Instances",
    "04g",
    (
        *stamps(),
        ref("ProcessDefinitionId", "ProcessDefinition", **fixed(nillable=False)),
        ref(
            "TargetObjectId",
            _TARGETS,
            **fixed(nillable=False, children="ProcessInstances", on_delete="cascade"),
        ),
        pick("Status", _STATUSES, **fixed(nillable=False)),
        moment("CompletedDate", **fixed()),
        ref("LastActorId", "User", **fixed()),
        ref("SubmittedById", "User", **fixed()),
        number("ElapsedTimeInDays", 18, 2, **fixed()),
        number("ElapsedTimeInHours", 18, 2, **fixed()),
        number("ElapsedTimeInMinutes", 18, 2, **fixed()),
    ),
    label="Process Instance",
    createable=False,
    updateable=False,
    deletable=False,
    undeletable=False,
)

_STEP = SObject(
    "ProcessInstanceStep",
    "Process Instance Steps",
    "04h",
    (
        *stamps(deletable=False),
        ref(
            "ProcessInstanceId",
            "ProcessInstance",
            **fixed(nillable=False, children="Steps", on_delete="cascade"),
        ),
        pick("StepStatus", _STATUSES, **fixed()),
        ref("OriginalActorId", "Group|User", **fixed(nillable=False)),
        ref("ActorId", "Group|User", **fixed(nillable=False)),
        area("Comments", 4000, **fixed()),
        text("StepNodeId", 18, **fixed()),
        number("ElapsedTimeInDays", 18, 2, **fixed()),
        number("ElapsedTimeInHours", 18, 2, **fixed()),
        number("ElapsedTimeInMinutes", 18, 2, **fixed()),
    ),
    label="Process Instance Step",
    createable=False,
    updateable=False,
    deletable=False,
    undeletable=False,
)

_WORKITEM = SObject(
    "ProcessInstanceWorkitem",
    "Approval Requests",
    "04i",
    (
        *stamps(),
        ref(
            "ProcessInstanceId",
            "ProcessInstance",
            **fixed(nillable=False, children="Workitems", on_delete="cascade"),
        ),
        ref("OriginalActorId", "Group|User", **fixed(nillable=False)),
        ref("ActorId", "Group|User", **fixed(nillable=False)),
    ),
    label="Approval Request",
    createable=False,
    updateable=False,
    undeletable=False,
)


TRAIL = (_DEFINITION, _INSTANCE, _STEP, _WORKITEM, *HISTORY)
