"""Control orders about approvals: submitting, deciding, recalling, reassigning."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from crmtrail.sandbox.salesforce import moments
from crmtrail.sandbox.salesforce.deletion import Deletion
from crmtrail.sandbox.salesforce.orders import Order, Orders
from crmtrail.sandbox.salesforce.records import By, Records
from crmtrail.sandbox.salesforce.schema import SObject
from crmtrail.sandbox.world import Actor

_APPROVER, _CLASSIC, _FLOW = "Ines Castro", "classic", "flow"
_STEP = {"approve": "Approved", "reject": "Rejected", "recall": "Removed", "reassign": "Reassigned"}
_FLOW_STATUS = {"approve": "Approved", "reject": "Rejected", "recall": "Recalled"}
_ACTION = {"recall": "Recall", "reassign": "Reassign"}
_NODE_ID, _NODE_NAME = "04b5g0000000001AAA", "Finance review"
Row = Mapping[str, Any]


class ApprovalOrders:
    """Lets people ask for approval and decide; the record is locked meanwhile."""

    def __init__(self, records: Records, deletion: Deletion, orders: Orders) -> None:
        self._records = records
        self._tables = records.tables
        self._deletion = deletion
        self._orders = orders
        self.verbs: dict[str, Callable[[Order], list[str]]] = {
            "submit": self._submit,
            **{verb: partial(self._decide, verb) for verb in _STEP},
        }

    def _object(self, name: str) -> SObject:
        return self._tables.schema.objects[name]

    def _submit(self, order: Order) -> list[str]:
        """Ask for approval: ``{"object", "ids", "comment", "approver", "via"}``."""
        via = str(order.get("via", _CLASSIC))
        if via not in (_CLASSIC, _FLOW):
            raise ValueError(f"unknown via {via!r}; known are {_CLASSIC}, {_FLOW}")
        sobject = self._orders.object_of(order)
        if sobject.name not in self._object("ProcessInstance").field("TargetObjectId").refers:
            raise ValueError(f"{sobject.name} cannot be submitted for approval")
        approver = self._orders.user(order.get("approver", _APPROVER))["Id"]
        by, now = self._orders.by(order), self._tables.world.clock.now()
        made = []
        with self._records.unit(now):
            for row, _ in self._orders.rows(order):
                if row["_locked"]:
                    raise ValueError(f"{row['Id']} is already in an approval")
                start = self._start if via == _CLASSIC else self._start_flow
                made.append(start(sobject, row, approver, order, by, now))
                self._lock(sobject, row["Id"], 1, by, now)
        return made

    def _lock(self, sobject: SObject, id_: str, locked: int, by: By, now: datetime) -> None:
        self._tables.change(sobject, id_, {"_locked": locked})
        if sobject.history:
            word = "locked" if locked else "unlocked"
            self._records.remember(sobject, id_, [{"Field": word}], by, now)

    def _new(self, name: str, values: Row, by: By, now: datetime) -> str:
        return self._records.create(self._object(name), [values], by, now)[0]

    def _start(
        self, _sobject: SObject, row: Row, approver: str, order: Order, by: By, now: datetime
    ) -> str:
        (process,) = self._tables.db.execute(
            'SELECT "Id" FROM "sf_ProcessDefinition" ORDER BY _row'
        ).fetchone()
        instance = self._new(
            "ProcessInstance",
            {
                "ProcessDefinitionId": process,
                "TargetObjectId": row["Id"],
                "Status": "Pending",
                "SubmittedById": by.user,
                "LastActorId": by.user,
            },
            by,
            now,
        )
        actors = {"OriginalActorId": by.user, "ActorId": by.user}
        told = {"StepStatus": "Started", "Comments": order.get("comment"), "StepNodeId": _NODE_ID}
        self._new("ProcessInstanceStep", {"ProcessInstanceId": instance, **actors, **told}, by, now)
        node = {"ProcessNodeId": _NODE_ID, "ProcessNodeName": _NODE_NAME, "NodeStatus": "Pending"}
        self._new("ProcessInstanceNode", {"ProcessInstanceId": instance, **node}, by, now)
        self._ask(instance, approver, by, now)
        return instance

    def _ask(self, instance: str, approver: str, by: By, now: datetime) -> None:
        actors = {"OriginalActorId": approver, "ActorId": approver}
        self._new("ProcessInstanceWorkitem", {"ProcessInstanceId": instance, **actors}, by, now)

    def _start_flow(
        self, sobject: SObject, row: Row, approver: str, order: Order, by: By, now: datetime
    ) -> str:
        asked = {
            "RelatedRecordId": row["Id"],
            "RelatedRecordObjectName": sobject.name,
            "SubmittedById": by.user,
            "Comments": order.get("comment"),
            "FlowDefinitionDeveloperName": "Discount_Approval",
        }
        submission = self._new("ApprovalSubmission", asked, by, now)
        item = {
            "ApprovalSubmissionId": submission,
            "RelatedRecordId": row["Id"],
            "AssignedToId": approver,
            "ApprovalConditionName": "Discount above 15 percent",
            "ApprovalChainName": "Finance",
        }
        self._new("ApprovalWorkItem", item, by, now)
        return submission

    def _decide(self, verb: str, order: Order) -> list[str]:
        """End a pending approval of records, or hand it to another: ``{"object", "ids", "as"}``."""
        sobject = self._orders.object_of(order)
        now = self._tables.world.clock.now()
        done = []
        with self._records.unit(now):
            for row, _ in self._orders.rows(order):
                done.append(self._decided(verb, row["Id"], order, now))
                if verb != "reassign":
                    by = self._orders.by(order)
                    self._lock(sobject, row["Id"], 0, by, now)
        return done

    def _pending(self, name: str, key: str, status: str, target: str) -> dict[str, Any] | None:
        sobject = self._object(name)
        found = self._tables.db.execute(
            f'SELECT * FROM "sf_{sobject.name}" WHERE "{key}" = ? AND "Status" = ?'
            " AND _deleted IS NULL ORDER BY _row DESC",
            (target, status),
        ).fetchone()
        return None if found is None else dict(found)

    def _decided(self, verb: str, target: str, order: Order, now: datetime) -> str:
        flow = self._pending("ApprovalSubmission", "RelatedRecordId", "In Progress", target)
        if flow is not None:
            return self._decide_flow(verb, flow, order, now)
        instance = self._pending("ProcessInstance", "TargetObjectId", "Pending", target)
        if instance is None:
            raise ValueError(f"{target} is in no approval")
        work = self._object("ProcessInstanceWorkitem")
        key = work.field("ProcessInstanceId")
        (item,) = self._tables.pointing(work, key, instance["Id"])
        by = self._who(order, item["ActorId"])
        told = {
            "ProcessInstanceId": instance["Id"],
            "StepStatus": _STEP[verb],
            "OriginalActorId": item["OriginalActorId"],
            "ActorId": item["ActorId"],
            "Comments": order.get("comment"),
            "StepNodeId": _NODE_ID,
        }
        step = self._new("ProcessInstanceStep", told, by, now)
        self._deletion.delete(work, item, by, now)
        if verb == "reassign":
            self._ask(instance["Id"], self._orders.user(order["approver"])["Id"], by, now)
            return step
        ended = {"CompletedDate": moments.stamp(now), "LastActorId": by.user}
        process = self._object("ProcessInstance")
        self._records.update(process, instance, {**ended, "Status": _STEP[verb]}, by, now)
        node = self._object("ProcessInstanceNode")
        for row in self._tables.pointing(node, node.field("ProcessInstanceId"), instance["Id"]):
            self._records.update(node, row, {**ended, "NodeStatus": _STEP[verb]}, by, now)
        return step

    def _who(self, order: Order, assigned: str) -> By:
        """Return who decides: the one named, else the one it is assigned to."""
        if "as" in order:
            return self._orders.by(order)
        user = self._orders.user(assigned)
        return By(Actor("user", user["Id"], user["Name"]), user["Id"])

    def _decide_flow(
        self, verb: str, submission: dict[str, Any], order: Order, now: datetime
    ) -> str:
        items = self._object("ApprovalWorkItem")
        key = items.field("ApprovalSubmissionId")
        item = next(
            row for row in self._tables.pointing(items, key, submission["Id"])
            if row["Status"] == "Assigned"
        )  # fmt: skip
        by = self._who(order, item["AssignedToId"])
        at = moments.stamp(now)
        if verb == "reassign":
            changed: dict[str, Any] = {"AssignedToId": self._orders.user(order["approver"])["Id"]}
        else:
            review = {"ReviewedById": by.user, "ReviewedDate": at}
            changed = {**review, "Status": _FLOW_STATUS[verb], "Comments": order.get("comment")}
            ended = {"CompletedDate": at, "LastReviewedById": by.user}
            whole = self._object("ApprovalSubmission")
            status = {"Status": _FLOW_STATUS[verb]}
            self._records.update(whole, submission, {**ended, **status}, by, now)
        self._records.update(items, item, changed, by, now)
        detail = {
            "ApprovalSubmissionId": submission["Id"],
            "ApprovalWorkItemId": item["Id"],
            "ActionName": _ACTION.get(verb, "Review"),
            "ActionPerformedById": by.user,
            "ActionPerformedDate": at,
            "ActionChannelName": "Lightning Experience",
            "Comments": order.get("comment"),
        }
        return self._new("ApprovalSubmissionDetail", detail, by, now)
