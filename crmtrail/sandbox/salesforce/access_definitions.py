"""Objects that tell of the org's own objects and fields, and of who could see a record.

They have rows only while a query looks: the rows follow from the schema and the people.
"""

import re
from collections.abc import Iterator
from typing import Any

from crmtrail.sandbox.salesforce import ids
from crmtrail.sandbox.salesforce.fields import Field, check, fixed, pick, ref, text, whole
from crmtrail.sandbox.salesforce.labels import label
from crmtrail.sandbox.salesforce.objects_access import row_id, written_by_org
from crmtrail.sandbox.salesforce.refusal import Refusal
from crmtrail.sandbox.salesforce.schema import SObject
from crmtrail.sandbox.salesforce.soql import parse
from crmtrail.sandbox.salesforce.soql_tree import Comparison, Condition, Literal, Logic, Name
from crmtrail.sandbox.salesforce.tables import Tables, table

NO_ID = "000000000000000AAA"
_MENTION = re.compile(
    r"\bFROM\s+(FieldDefinition|EntityDefinition|UserRecordAccess)\b", re.IGNORECASE
)
_MOST_RECORDS = 200
_PERSONAL = re.compile(
    r"(First|Last)Name|Email|Phone|Fax|Street|PostalCode|Latitude|Longitude|Birthdate"
)
_TYPES = {
    "string": "Text({length})",
    "textarea": "Text Area({length})",
    "picklist": "Picklist",
    "multipicklist": "Picklist (Multi-Select)",
    "boolean": "Checkbox",
    "double": "Number({whole}, {scale})",
    "currency": "Currency({whole}, {scale})",
    "percent": "Percent({whole}, {scale})",
    "int": "Number(9, 0)",
    "date": "Date",
    "datetime": "Date/Time",
    "email": "Email",
    "phone": "Phone",
    "url": "URL({length})",
    "reference": "Lookup({targets})",
    "address": "Address",
    "location": "Geolocation",
}

_ENTITY = written_by_org(
    "EntityDefinition",
    "Entity Definitions",
    "4ie",
    (
        row_id(),
        text("DurableId", 255, **fixed()),
        text("QualifiedApiName", 70, **fixed()),
        text("DeveloperName", 40, **fixed()),
        text("NamespacePrefix", 15, **fixed()),
        text("Label", 255, **fixed()),
        text("PluralLabel", 255, **fixed()),
        text("KeyPrefix", 3, **fixed()),
        check("IsQueryable", **fixed()),
        check("IsReplicateable", **fixed()),
        check("IsEverCreatable", **fixed()),
        check("IsEverUpdatable", **fixed()),
        check("IsEverDeletable", **fixed()),
        check("IsCustomizable", **fixed()),
    ),
    label="Entity Definition",
    big=False,
    key="DurableId",
)

_FIELD = written_by_org(
    "FieldDefinition",
    "Field Definitions",
    "4fe",
    (
        row_id(),
        text("DurableId", 255, **fixed()),
        text("QualifiedApiName", 70, **fixed()),
        Field(
            "EntityDefinitionId", "string", length=255, refers=("EntityDefinition",),
            **fixed(nillable=False, children="Fields"),
        ),
        text("DeveloperName", 40, **fixed()),
        text("NamespacePrefix", 15, **fixed()),
        text("Label", 255, **fixed()),
        text("MasterLabel", 255, **fixed()),
        text("DataType", 120, **fixed()),
        whole("Length", **fixed()),
        whole("Precision", **fixed()),
        whole("Scale", **fixed()),
        check("IsFieldHistoryTracked", **fixed()),
        check("IsCalculated", **fixed()),
        check("IsNillable", **fixed()),
        check("IsIndexed", **fixed()),
        text("ComplianceGroup", 255, **fixed()),
        pick("SecurityClassification", "Public|Internal|Confidential|Restricted|MissionCritical",
             **fixed()),
        pick("BusinessStatus", "Active|DeprecateCandidate|Hidden", **fixed()),
        ref("BusinessOwnerId", "Group|User", **fixed()),
        text("Description", 1000, **fixed()),
    ),
    label="Field Definition",
    needs=(
        "EntityDefinition.QualifiedApiName", "EntityDefinitionId", "EntityDefinition.DurableId",
        "DurableId",
    ),
)  # fmt: skip

_ACCESS = written_by_org(
    "UserRecordAccess",
    "User Record Access",
    "4ra",
    (
        row_id(),
        ref("UserId", "User", **fixed(nillable=False)),
        text("RecordId", 18, **fixed(nillable=False)),
        *(check(f"Has{name}Access", **fixed()) for name in (
            "Read", "Edit", "Delete", "Transfer", "All")),
        pick("MaxAccessLevel", "None|Read|Edit|Delete|Transfer|All", **fixed()),
    ),
    label="User Record Access",
    needs=("UserId", "RecordId"),
)  # fmt: skip

DEFINITIONS = (_ENTITY, _FIELD, _ACCESS)


class Definitions:
    """Writes the rows a query is about to ask for."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def prepare(self, statement: str) -> None:
        """Write the rows that a statement asks for, if it is about one of these objects."""
        match = _MENTION.search(statement)
        if match is None:
            return
        if match[1].lower() == "userrecordaccess":
            self._accesses(statement)
            return
        known = self._tables.schema.objects.values()
        self._fill("EntityDefinition", [_entity(item) for item in known])
        if match[1].lower() == "fielddefinition":
            rows = [_definition(item, field) for item in known for field in item.fields]
            self._fill("FieldDefinition", rows)

    def _fill(self, name: str, rows: list[dict[str, Any]]) -> None:
        sobject = self._tables.schema.objects[name]
        self._tables.db.execute(f"DELETE FROM {table(sobject)}")
        numbered = (row | {"Id": ids.numbered(sobject.prefix, n)} for n, row in enumerate(rows, 1))
        self._tables.insert(sobject, list(numbered))

    def _accesses(self, statement: str) -> None:
        try:
            tests = list(_ties(parse(statement).where))
        except Refusal:
            return
        users = [value for name, value in tests if name == "userid"]
        records = [value for name, value in tests if name == "recordid"]
        if len(records) > _MOST_RECORDS:
            raise Refusal(
                "MALFORMED_QUERY", f"UserRecordAccess answers for at most {_MOST_RECORDS} records"
            )
        rows = [
            self._access(ids.normal(user) or user, ids.normal(record) or record)
            for user in users for record in records
        ]  # fmt: skip
        self._fill("UserRecordAccess", [row for row in rows if row])

    def _access(self, user: str, record: str) -> dict[str, Any]:
        schema, tables = self._tables.schema, self._tables
        sobject = schema.of_prefix(ids.prefix(record))
        row = tables.row(sobject, record) if sobject else None
        who = tables.row(schema.objects["User"], user)
        if row is None or who is None:
            return {}
        profile = tables.row(schema.objects["Profile"], who["ProfileId"]) or {}
        edits = bool(who["IsActive"]) and not row["_deleted"] and (
            bool(profile.get("PermissionsModifyAllData")) or row.get("OwnerId") == user
        )  # fmt: skip
        # Nothing here is private: whoever works here reads every record.
        reads = bool(who["IsActive"])
        level = "All" if edits else "Read" if reads else "None"
        return {
            "UserId": user,
            "RecordId": record,
            "HasReadAccess": int(reads),
            **{f"Has{name}Access": int(edits) for name in ("Edit", "Delete", "Transfer", "All")},
            "MaxAccessLevel": level,
        }


def _ties(condition: Condition | None) -> Iterator[tuple[str, str]]:
    """Yield the values that a condition ties fields to."""
    if isinstance(condition, Logic):
        for part in condition.parts:
            yield from _ties(part)
    elif isinstance(condition, Comparison) and isinstance(condition.left, Name):
        right = condition.right
        listed = right if isinstance(right, tuple) else (right,)
        for literal in listed:
            if isinstance(literal, Literal) and literal.kind == "string":
                yield condition.left.parts[-1].lower(), literal.text


def _entity(item: SObject) -> dict[str, Any]:
    return {
        "DurableId": item.name,
        "QualifiedApiName": item.name,
        "DeveloperName": item.name.removesuffix("__c"),
        "Label": item.label or item.name,
        "PluralLabel": item.plural,
        "KeyPrefix": item.prefix,
        "IsQueryable": int(item.queryable),
        "IsReplicateable": int(item.replicateable),
        "IsEverCreatable": int(item.createable),
        "IsEverUpdatable": int(item.updateable),
        "IsEverDeletable": int(item.deletable),
        "IsCustomizable": int(item.createable),
    }


def _definition(item: SObject, field: Field) -> dict[str, Any]:
    personal = bool(_PERSONAL.search(field.name)) and item.createable
    return {
        "DurableId": f"{item.name}.{field.name}",
        "QualifiedApiName": field.name,
        "EntityDefinitionId": item.name,
        "DeveloperName": field.name.removesuffix("__c").removesuffix("Id"),
        "Label": label(item.name, field),
        "MasterLabel": label(item.name, field),
        "DataType": _TYPES.get(field.type, field.type).format(
            length=field.length, whole=field.precision - field.scale, scale=field.scale,
            targets=",".join(field.refers),
        ),
        "Length": field.length,
        "Precision": field.precision,
        "Scale": field.scale,
        "IsFieldHistoryTracked": int(field.name in item.tracked),
        "IsCalculated": int(bool(field.formula or field.lookup or field.rolled)),
        "IsNillable": int(field.nillable),
        "IsIndexed": int(field.external or field.unique or bool(field.refers)),
        "ComplianceGroup": "GDPR;PII" if personal else None,
        "SecurityClassification": "Confidential" if personal else "Internal",
        "BusinessStatus": "Active",
    }  # fmt: skip
