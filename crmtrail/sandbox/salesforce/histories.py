"""Rows of history objects: how they are shaped."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from crmtrail.sandbox.salesforce import moments

ACTIVITY, STAGES = "ActivityFieldHistory", "OpportunityHistory"
_STAGED = ("StageName", "Amount", "Probability", "CloseDate")
_KINDS = {"Double": "Number", "Currency": "Number", "Percent": "Number", "DateTime": "DateTime"}
Row = dict[str, Any]


def activity_row(row: Mapping[str, Any]) -> Row:
    """Return a history row in the shape that tasks have."""
    kind = _KINDS.get(row["DataType"], "Text")
    values = [row.get("OldValue"), row.get("NewValue")]
    told = [None if value is None else json.loads(value) for value in values]
    return {
        "ActivityId": row["ActivityId"],
        "ChangedById": row["CreatedById"],
        "ChangedDate": row["CreatedDate"],
        "FieldName": row["Field"],
        "Operation": "Insert" if row["Field"] == "created" else "Update",
        "DataType": kind,
        f"OldValue{kind}": told[0],
        f"NewValue{kind}": told[1],
        "IsDataAvailable": int(row["Field"] != "created" and told != [None, None]),
    }


def stage_row(
    before: Mapping[str, Any], after: Mapping[str, Any], user: str, at: datetime
) -> Row | None:
    """Return the whole state after a change of stage, amount, probability or close date."""
    if before and all(before.get(name) == after.get(name) for name in _STAGED):
        return None
    amount, chance = after.get("Amount"), after.get("Probability")
    expected = None if amount is None or chance is None else round(amount * chance / 100, 2)
    now = moments.stamp(at)
    return {
        "OpportunityId": after["Id"],
        "CreatedById": user,
        "CreatedDate": now,
        "SystemModstamp": now,
        **{name: after.get(name) for name in (*_STAGED, "ForecastCategory")},
        "PrevAmount": before.get("Amount"),
        "PrevCloseDate": before.get("CloseDate"),
        "ExpectedRevenue": expected,
    }
