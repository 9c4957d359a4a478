"""What the org does by itself when a record is saved: derived fields, roll-ups, field history."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from crmtrail.sandbox.salesforce.fields import Field
from crmtrail.sandbox.salesforce.objects_sales import STAGES
from crmtrail.sandbox.salesforce.schema import Rollup, SObject
from crmtrail.sandbox.salesforce.tables import Tables, marks, table
from crmtrail.sandbox.salesforce.values import to_json

_HISTORY_TYPES = {
    "string": "Text",
    "textarea": "MultiLineText",
    "picklist": "DynamicEnum",
    "multipicklist": "MultiEnum",
    "reference": "EntityId",
    "boolean": "Boolean",
    "currency": "Currency",
    "percent": "Percent",
    "double": "Double",
    "int": "Double",
    "date": "DateOnly",
    "datetime": "DateTime",
    "email": "Email",
    "phone": "Phone",
    "url": "Url",
}


def complete(
    tables: Tables, sobject: SObject, values: dict[str, Any], row: Mapping[str, Any] | None
) -> None:
    """Add what saving derives from the values written, and drop what it ignores."""
    if sobject.name == "Opportunity":
        _stage(values)
        if row is not None and row["HasOpportunityLineItem"]:
            # The amount of an opportunity with products is their sum; a write is ignored.
            values.pop("Amount", None)
    elif row is None and values.get("PricebookEntryId"):
        _price(tables, sobject, values)
    elif row is None and sobject.name == "PricebookEntry":
        product = tables.row(tables.schema.objects["Product2"], values["Product2Id"])
        values |= (
            {"Name": product["Name"], "ProductCode": product["ProductCode"]} if product else {}
        )


def _stage(values: dict[str, Any]) -> None:
    known = STAGES.get(values.get("StageName") or "")
    if known is None:
        return
    probability, forecast = known
    values.setdefault("Probability", float(probability))
    values["ForecastCategory"] = forecast


def _price(tables: Tables, sobject: SObject, values: dict[str, Any]) -> None:
    entry = tables.row(tables.schema.objects["PricebookEntry"], values["PricebookEntryId"])
    if entry is None:
        return
    values["Product2Id"] = entry["Product2Id"]
    values["ListPrice"] = entry["UnitPrice"]
    if sobject.name == "OpportunityLineItem":
        parent = tables.row(tables.schema.objects["Opportunity"], values["OpportunityId"])
        values["Name"] = f"{parent['Name'] if parent else ''} {entry['Name']}"
        values["ProductCode"] = entry["ProductCode"]


def summed(
    tables: Tables, rollup: Rollup, parents: Iterable[str]
) -> list[tuple[dict[str, Any], Any]]:
    """Return the parents whose roll-up no longer holds, each with the value it should have."""
    parent, child = tables.schema.objects[rollup.parent], tables.schema.objects[rollup.child]
    wanted = list(parents)
    cursor = tables.db.execute(
        f"SELECT p.*, (SELECT {rollup.sql} FROM {table(child)} c"
        f' WHERE c."{rollup.key}" = p."Id" AND c._deleted IS NULL AND {rollup.where}) AS _sum'
        f' FROM {table(parent)} p WHERE p."Id" IN ({marks(len(wanted))}) AND p._deleted IS NULL',
        wanted,
    )
    stale = []
    for row in map(dict, cursor):
        value = row.pop("_sum")
        if value != row[rollup.field] and not (value is None and rollup.keep_empty):
            stale.append((row, value))
    return stale


def sum_all(tables: Tables) -> None:
    """Set every roll-up of a freshly seeded org, without bumping stamps."""
    for rollup in tables.schema.rollups:
        parent, child = tables.schema.objects[rollup.parent], tables.schema.objects[rollup.child]
        inner = (
            f"SELECT {rollup.sql} FROM {table(child)} c"
            f' WHERE c."{rollup.key}" = {table(parent)}."Id" AND {rollup.where}'
        )
        value = f'COALESCE(({inner}), "{rollup.field}")' if rollup.keep_empty else f"({inner})"
        tables.db.execute(f'UPDATE {table(parent)} SET "{rollup.field}" = {value}')


def history_rows(
    tables: Tables,
    sobject: SObject,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Return the history an edit leaves: field, type, old and new value of tracked fields."""
    rows = []
    for name in after:
        if name not in sobject.tracked:
            continue
        field = sobject.field(name)
        old, new = to_json(field, before[name]), to_json(field, after[name])
        if field.refers:
            named = [_name(tables, old), _name(tables, new)]
            rows.append(_entry(field, "Text", *named))
        if field.long or field.type == "multipicklist":
            old = new = None
        rows.append(_entry(field, _HISTORY_TYPES[field.type], old, new))
    return rows


def _entry(field: Field, kind: str, old: Any, new: Any) -> dict[str, Any]:
    return {
        "Field": field.relationship if field.refers and not field.custom else field.name,
        "DataType": kind,
        "OldValue": None if old is None else json.dumps(old),
        "NewValue": None if new is None else json.dumps(new),
    }


def _name(tables: Tables, id_: str | None) -> str | None:
    if id_ is None:
        return None
    target = tables.schema.of_prefix(id_[:3])
    row = tables.row(target, id_) if target else None
    return None if row is None else row.get("Name")
