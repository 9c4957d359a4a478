"""Rules an administrator sets up: what they refuse and what they change on a save."""

import json
from collections.abc import Mapping
from typing import Any

from crmtrail.sandbox.salesforce.calls import Call
from crmtrail.sandbox.salesforce.orders import Orders
from crmtrail.sandbox.salesforce.records import By, Records
from crmtrail.sandbox.salesforce.refusal import Refusal
from crmtrail.sandbox.salesforce.schema import SObject
from crmtrail.sandbox.salesforce.tables import table
from crmtrail.sandbox.salesforce.validate import Values

KINDS = ("validation", "flow", "duplicate", "assignment")
_ASSIGNED = ("Account", "Lead")
_DUPLICATES = "sforce-duplicate-rule-header"


class Rules:
    """The rules in force. They hold for writes over the API, not for what acts do."""

    def __init__(self, records: Records, orders: Orders) -> None:
        self._records = records
        self._tables = records.tables
        self._orders = orders

    def add(self, kind: str, sobject: SObject, what: Mapping[str, Any]) -> None:
        """Put a rule in force."""
        self._tables.db.execute(
            "INSERT INTO sf_rule(kind, object, what) VALUES (?, ?, ?)",
            (kind, sobject.name, json.dumps(what)),
        )

    def clear(self) -> None:
        """Put every rule out of force."""
        self._tables.db.execute("DELETE FROM sf_rule")

    def any(self, sobject: SObject) -> bool:
        """Whether an object has any rule."""
        found = self._tables.db.execute(
            "SELECT 1 FROM sf_rule WHERE object = ? LIMIT 1", (sobject.name,)
        )
        return found.fetchone() is not None

    def _of(self, kind: str, sobject: SObject) -> list[dict[str, Any]]:
        rows = self._tables.db.execute(
            "SELECT what FROM sf_rule WHERE kind = ? AND object = ? ORDER BY seq",
            (kind, sobject.name),
        )
        return [json.loads(row[0]) for row in rows]

    def before(
        self, call: Call, sobject: SObject, values: Values, row: Mapping[str, Any] | None
    ) -> Values:
        """Return the values with what assignment rules make of them.

        Raises:
            Refusal: a duplicate rule finds another record with the same value.
        """
        for rule in self._of("duplicate", sobject):
            self._unlike(call, sobject, values, row, rule["field"])
        assigning = (call.request.headers.get("sforce-auto-assign") or "TRUE").upper() != "FALSE"
        if assigning and sobject.name in _ASSIGNED:
            for rule in self._of("assignment", sobject):
                values = values | {"OwnerId": rule["owner"]}
        return values

    def _unlike(
        self, call: Call, sobject: SObject, values: Values, row: Mapping[str, Any] | None,
        field: str,
    ) -> None:  # fmt: skip
        if values.get(field) is None or call.option(_DUPLICATES, "allowSave") == "true":
            return
        found = self._tables.db.execute(
            f'SELECT "Id" FROM {table(sobject)} WHERE "{field}" = ? AND _deleted IS NULL'
            ' AND "Id" IS NOT ?',
            (values[field], row and row["Id"]),
        ).fetchone()
        if found is not None:
            raise _duplicate(sobject, f"{call.base}/sobjects/{sobject.name}/{found[0]}", found[0])

    def after(self, sobject: SObject, id_: str, by: By) -> None:
        """Let validation rules judge a record just saved, then let flows change it.

        Raises:
            Refusal: a validation rule's condition holds.
        """
        for rule in self._of("validation", sobject):
            if self._holds(sobject, id_, rule["when"]):
                raise Refusal(
                    "FIELD_CUSTOM_VALIDATION_EXCEPTION",
                    rule["message"],
                    [rule["field"]] if rule.get("field") else [],
                )
        for rule in self._of("flow", sobject):
            row = self._tables.row(sobject, id_)
            if row is not None and self._holds(sobject, id_, rule["when"]):
                self._records.update(sobject, row, rule["set"], by, self._records.world.clock.now())

    def _holds(self, sobject: SObject, id_: str, when: str) -> bool:
        source, values = self._orders.condition(sobject, when)
        found = self._tables.db.execute(
            f'SELECT 1 FROM {source} AND t0."Id" = ?', (*values, id_)
        ).fetchone()
        return found is not None


def _duplicate(sobject: SObject, url: str, id_: str) -> Refusal:
    rule = f"Standard_{sobject.name}_Duplicate_Rule"
    record = {"attributes": {"type": sobject.name, "url": url}, "Id": id_}
    match = {
        "entityType": sobject.name,
        "errors": [],
        "matchEngine": "FuzzyMatchEngine",
        "matchRecords": [
            {
                "additionalInformation": [],
                "fieldDiffs": [],
                "matchConfidence": 100.0,
                "record": record,
            }
        ],
        "rule": f"Standard_{sobject.name}_Match_Rule_v1_1",
        "size": 1,
        "success": True,
    }
    told = {
        "allowSave": True,
        "duplicateRule": rule,
        "duplicateRuleEntityType": sobject.name,
        "errorMessage": "Use one of these records?",
        "matchResults": [match],
    }
    return Refusal(
        "DUPLICATES_DETECTED", "Use one of these records?", more={"duplicateResult": told}
    )
