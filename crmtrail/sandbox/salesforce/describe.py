"""Describe: what the org says about its objects and fields to one user."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.salesforce import moments
from crmtrail.sandbox.salesforce.calls import Call
from crmtrail.sandbox.salesforce.fields import NUMERIC, Field
from crmtrail.sandbox.salesforce.labels import label
from crmtrail.sandbox.salesforce.schema import SObject
from crmtrail.sandbox.salesforce.tables import Tables

_SOAP = {
    "id": "tns:ID",
    "reference": "tns:ID",
    "boolean": "xsd:boolean",
    "int": "xsd:int",
    "double": "xsd:double",
    "currency": "xsd:double",
    "percent": "xsd:double",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
    "address": "urn:address",
    "location": "urn:location",
    "anyType": "xsd:anyType",
    "base64": "xsd:base64Binary",
}
_BYTES = 3
_BORN = datetime(2024, 2, 9, 21, 5, 14, tzinfo=UTC)


class Describe:
    """Answers describe global and describe."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def all_objects(self, call: Call) -> Reply:
        """Answer ``/sobjects``."""
        call.must_be("GET")
        listed = [
            self._brief(call, item)
            for item in self._tables.schema.objects.values()
            if item.name not in call.view.hidden
        ]
        answer = {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": listed}
        return self._conditional(call, answer)

    def basics(self, call: Call, sobject: SObject) -> Reply:
        """Answer ``/sobjects/X``."""
        return Reply.of(200, {"objectDescribe": self._brief(call, sobject), "recentItems": []})

    def one_object(self, call: Call, sobject: SObject) -> Reply:
        """Answer ``/sobjects/X/describe``."""
        call.must_be("GET")
        return self._conditional(call, self.told(call, sobject))

    def told(self, call: Call, sobject: SObject) -> dict[str, Any]:
        """Return the whole describe of an object."""
        fields = [self._field(call, sobject, item) for item in call.view.fields(sobject)]
        return self._brief(call, sobject) | {
            "actionOverrides": [],
            "childRelationships": self._children(call, sobject),
            "compactLayoutable": True,
            "fields": fields,
            "listviewable": None,
            "lookupLayoutable": None,
            "namedLayoutInfos": [],
            "networkScopeFieldName": None,
            "recordTypeInfos": self._record_types(sobject),
            "searchLayoutable": True,
            "sobjectDescribeOption": "FULL",
            "supportedScopes": [{"label": "All", "name": "everything"}],
        }

    def _record_types(self, sobject: SObject) -> list[dict[str, Any]]:
        kinds = self._tables.schema.get("RecordType")
        if kinds is None or "recordtypeid" not in sobject.by_name:
            return [_MASTER_RECORD_TYPE]
        rows = self._tables.db.execute(
            'SELECT "Id", "Name", "DeveloperName", "IsActive" FROM "sf_RecordType"'
            ' WHERE "SobjectType" = ? ORDER BY _row',
            (sobject.name,),
        ).fetchall()
        own = [
            _MASTER_RECORD_TYPE
            | {
                "active": bool(active),
                "defaultRecordTypeMapping": at == 0,
                "developerName": developer,
                "master": False,
                "name": name,
                "recordTypeId": id_,
            }
            for at, (id_, name, developer, active) in enumerate(rows)
        ]
        return [*own, _MASTER_RECORD_TYPE | {"defaultRecordTypeMapping": not own}]

    def _conditional(self, call: Call, answer: dict[str, Any]) -> Reply:
        changed = self._tables.setting("schema_changed")
        at = datetime.fromisoformat(changed) if changed else _BORN
        digest = hashlib.sha256(json.dumps(answer).encode()).hexdigest()[:8]
        headers = {"ETag": f'"{digest}"', "Last-Modified": moments.http_date(at)}
        since = call.condition("if-modified-since")
        known = call.request.headers.get("if-none-match", "")
        if digest in known or (since is not None and at.replace(microsecond=0) <= since):
            return Reply(304, b"", headers)
        return Reply.of(200, answer, headers)

    def _brief(self, call: Call, sobject: SObject) -> dict[str, Any]:
        writes = not call.view.reads_only
        return _identity(sobject, f"{call.base}/sobjects/{sobject.name}") | {
            "createable": sobject.createable and writes,
            "deletable": sobject.deletable and writes,
            "feedEnabled": sobject.mergeable,
            "layoutable": sobject.createable,
            "mergeable": sobject.mergeable and writes,
            "mruEnabled": sobject.createable,
            "queryable": sobject.queryable,
            "replicateable": sobject.replicateable,
            "retrieveable": True,
            "searchable": sobject.createable,
            "triggerable": sobject.createable,
            "undeletable": sobject.undeletable and writes,
            "updateable": sobject.updateable and writes,
        }

    def _children(self, call: Call, sobject: SObject) -> list[dict[str, Any]]:
        return [
            {
                "cascadeDelete": field.on_delete == "cascade",
                "childSObject": child.name,
                "deprecatedAndHidden": False,
                "field": field.name,
                "junctionIdListNames": [],
                "junctionReferenceTo": [],
                "relationshipName": field.children,
                "restrictedDelete": field.on_delete == "restrict",
            }
            for child, field in self._tables.schema.children(sobject.name)
            if child.name not in call.view.hidden
        ]

    def _field(self, call: Call, sobject: SObject, field: Field) -> dict[str, Any]:
        return (
            _nature(sobject, field)
            | _uses(field)
            | _values(field)
            | _numbers(field)
            | _references(field)
            | {
                "createable": call.view.createable(sobject, field),
                "updateable": call.view.updateable(sobject, field),
            }
        )


_MASTER_RECORD_TYPE = {
    "active": True,
    "available": True,
    "defaultRecordTypeMapping": True,
    "developerName": "Master",
    "master": True,
    "name": "Master",
    "recordTypeId": "012000000000000AAA",
    "urls": {},
}


def _identity(sobject: SObject, url: str) -> dict[str, Any]:
    return {
        "activateable": False,
        "associateEntityType": "History" if sobject.name.endswith("History") else None,
        "associateParentEntity": None,
        "custom": sobject.name.endswith("__c"),
        "customSetting": False,
        "deepCloneable": False,
        "deprecatedAndHidden": False,
        "hasSubtypes": False,
        "isInterface": False,
        "isSubtype": False,
        "keyPrefix": sobject.prefix,
        "label": sobject.label or sobject.name,
        "labelPlural": sobject.plural,
        "name": sobject.name,
        "urls": {"describe": f"{url}/describe", "rowTemplate": f"{url}/{{ID}}", "sobject": url},
    }


def _nature(sobject: SObject, field: Field) -> dict[str, Any]:
    return {
        "caseSensitive": False,
        "compoundFieldName": field.compound,
        "custom": field.custom,
        "deprecatedAndHidden": False,
        "encrypted": False,
        "externalId": field.external,
        "extraTypeInfo": "plaintextarea" if field.type == "textarea" else None,
        "htmlFormatted": False,
        "idLookup": field.type in ("id", "email") or field.external,
        "inlineHelpText": None,
        "label": label(sobject.name, field),
        "mask": None,
        "maskType": None,
        "name": field.name,
        "nameField": field.title,
        "nillable": field.nillable,
        "permissionable": field.nillable and field.type != "id",
        "soapType": _SOAP.get(field.type, "xsd:string"),
        "type": field.type,
        "unique": field.unique,
    }


def _uses(field: Field) -> dict[str, Any]:
    """Return what queries may do with a field."""
    return {
        "aggregatable": field.aggregatable and field.type != "boolean",
        "aiPredictionField": False,
        "displayLocationInDecimal": False,
        "filterable": field.filterable,
        "groupable": field.sortable and field.type not in ("currency", "double", "datetime"),
        "queryByDistance": field.type in ("address", "location"),
        "searchPrefilterable": bool(field.refers),
        "sortable": field.sortable,
    }


def _values(field: Field) -> dict[str, Any]:
    """Return where a field's values come from: picklist, default, formula or counter."""
    formula = bool(field.custom and (field.formula or field.lookup))
    return {
        "autoNumber": bool(field.numbering),
        "calculated": formula or (field.rolled and field.custom),
        "calculatedFormula": _formula(field) if formula else None,
        "controllerName": None,
        "defaultValue": _default(field),
        "defaultValueFormula": None,
        "defaultedOnCreate": field.defaulted,
        "dependentPicklist": False,
        "formulaTreatNullNumberAsZero": False,
        "picklistValues": [
            {
                "active": True,
                "defaultValue": value == field.default,
                "label": value,
                "validFor": None,
                "value": value,
            }
            for value in field.values
        ],
        "restrictedPicklist": field.restricted,
    }


def _formula(field: Field) -> str:
    if field.lookup:
        reference, _, name = field.lookup
        return f"{reference.removesuffix('Id')}.{name}"
    return field.formula.replace('"', "")


def _default(field: Field) -> str | float | bool | None:
    return bool(field.default) if field.type == "boolean" else field.default


def _numbers(field: Field) -> dict[str, Any]:
    return {
        "byteLength": field.length * _BYTES if field.type != "id" else field.length,
        "digits": field.precision if field.type == "int" else 0,
        "highScaleNumber": False,
        "length": field.length,
        "precision": field.precision if field.type in NUMERIC - {"int"} else 0,
        "scale": field.scale,
    }


def _references(field: Field) -> dict[str, Any]:
    return {
        "cascadeDelete": field.on_delete == "cascade" and not field.nillable,
        "filteredLookupInfo": None,
        "namePointing": len(field.refers) > 1,
        "polymorphicForeignKey": len(field.refers) > 1,
        "referenceTargetField": None,
        "referenceTo": list(field.refers),
        "relationshipName": field.relationship,
        "relationshipOrder": None,
        "restrictedDelete": field.on_delete == "restrict",
        "writeRequiresMasterRead": False,
    }
