"""What HubSpot keeps about the account itself: the trail objects, their groups and their fields.

Names of fields are HubSpot's own; what is added or drawn out of a nested part is said so below.
Source: HubSpot's OpenAPI specs of properties, pipelines, owners, user provisioning, imports,
schemas, property validations, account info and communication preferences.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from crmtrail.model import Field, FieldType, Schema

NO_VIEWS: Final = "HubSpot logs no record views: who looked at a record cannot be told"

_SCOPE: Final = "the scope account-info.security.read"
_SECURITY: Final = f"{_SCOPE}, and an edition of HubSpot that tells of it"
_SCHEMAS: Final = "a scope crm.schemas.OBJECT.read"
_STAMPS: Final = ("createdAt", "updatedAt")

_TEXT, _ID, _WHEN = FieldType.TEXT, FieldType.ID, FieldType.DATETIME
_YES, _NUMBER, _CHOICE = FieldType.BOOLEAN, FieldType.NUMBER, FieldType.CHOICE
_LINK, _MAIL, _JSON = FieldType.REFERENCE, FieldType.EMAIL, FieldType.OTHER


@dataclass(frozen=True, slots=True)
class Kind:
    """One trail object.

    Attributes:
        label: its name for people.
        needs: what a token must have to read it.
        fields: what is known of its fields; what HubSpot tells beyond that is kept too.
        references: the object that a field names a record of.
        stamps: bookkeeping fields, never a change by themselves.
        editor: the field that names the user who changed it last, if any.
        creator: the field that names the user who made it, if any.
        born: the stamp of its making.
        moved: the stamp of its last change; empty where HubSpot keeps none that can be trusted.
        writable: fields that a restore may set.
    """

    label: str
    needs: str
    fields: Mapping[str, FieldType]
    references: Mapping[str, str] = field(default_factory=dict)
    stamps: tuple[str, ...] = _STAMPS
    editor: str = ""
    creator: str = ""
    born: str = "createdAt"
    moved: str = "updatedAt"
    writable: frozenset[str] = frozenset()

    def schema(self, source: str, object_: str) -> Schema:
        """Return the fields of the object; what is not ``writable`` is never written."""
        fields = {name: self._field(name, type_) for name, type_ in self.fields.items()}
        return Schema(source, object_, fields, label=self.label, undeletable=True)

    def _field(self, name: str, type_: FieldType) -> Field:
        named = self.references.get(name)
        return Field(
            name,
            type_,
            vendor_type=type_.value,
            updateable=name in self.writable,
            createable=False,
            references=(named,) if named else (),
        )


LISTS: Final[Mapping[str, Kind]] = {
    "property_definitions": Kind(
        "Property definitions",
        _SCHEMAS,
        {
            "object": _TEXT, "name": _TEXT, "label": _TEXT, "type": _CHOICE, "fieldType": _CHOICE,
            "groupName": _TEXT, "description": _TEXT, "options": _JSON, "displayOrder": _NUMBER,
            "calculated": _YES, "calculationFormula": _TEXT, "externalOptions": _YES,
            "hasUniqueValue": _YES, "hidden": _YES, "hubspotDefined": _YES, "formField": _YES,
            "referencedObjectType": _TEXT, "dataSensitivity": _CHOICE, "archived": _YES,
            "modificationMetadata": _JSON,
        },
        stamps=(*_STAMPS, "createdUserId", "updatedUserId"),
        editor="updatedUserId",
        creator="createdUserId",
    ),
    "property_groups": Kind(
        "Property groups",
        _SCHEMAS,
        {"object": _TEXT, "name": _TEXT, "label": _TEXT, "displayOrder": _NUMBER, "archived": _YES},
        moved="",
    ),
    "pipelines": Kind(
        "Pipelines",
        "the scope to read the objects that have pipelines",
        {"object": _TEXT, "id": _ID, "label": _TEXT, "displayOrder": _NUMBER, "archived": _YES},
    ),
    "pipeline_stages": Kind(
        "Pipeline stages",
        "the scope to read the objects that have pipelines",
        {
            "object": _TEXT, "pipeline": _LINK, "id": _ID, "label": _TEXT, "displayOrder": _NUMBER,
            "metadata": _JSON, "writePermissions": _CHOICE, "archived": _YES,
        },
        {"pipeline": "pipelines"},
    ),
    "object_schemas": Kind(
        "Custom object schemas",
        "the scope crm.schemas.custom.read, and HubSpot Enterprise to have custom objects",
        {
            "id": _ID, "objectTypeId": _ID, "fullyQualifiedName": _TEXT, "name": _TEXT,
            "labels": _JSON, "description": _TEXT, "primaryDisplayProperty": _TEXT,
            "secondaryDisplayProperties": _JSON, "requiredProperties": _JSON,
            "searchableProperties": _JSON, "associations": _JSON, "archived": _YES,
        },
        stamps=(*_STAMPS, "createdByUserId", "updatedByUserId"),
        editor="updatedByUserId",
        creator="createdByUserId",
    ),
    "validation_rules": Kind(
        "Property validation rules",
        _SCHEMAS,
        {
            "object": _TEXT, "property": _TEXT, "ruleType": _CHOICE, "ruleArguments": _JSON,
            "shouldApplyNormalization": _YES,
        },
        moved="",
    ),
    "users": Kind(
        "Users",
        "the scope settings.users.read",
        {
            "id": _ID, "email": _MAIL, "firstName": _TEXT, "lastName": _TEXT, "roleId": _LINK,
            "roleIds": _JSON, "primaryTeamId": _LINK, "secondaryTeamIds": _JSON,
            "superAdmin": _YES, "seatNames": _JSON,
        },
        {"roleId": "roles", "primaryTeamId": "teams"},
        moved="",
    ),
    "roles": Kind(
        "Roles (their names: HubSpot does not tell what a role may do)",
        "the scope settings.users.read",
        {"id": _ID, "name": _TEXT, "requiresBillingWrite": _YES},
        moved="",
    ),
    "teams": Kind(
        "Teams",
        "the scope settings.users.teams.read",
        {"id": _ID, "name": _TEXT, "userIds": _JSON, "secondaryUserIds": _JSON},
        moved="",
    ),
    "owners": Kind(
        "Owners",
        "the scope crm.objects.owners.read",
        {
            "id": _ID, "email": _MAIL, "firstName": _TEXT, "lastName": _TEXT, "userId": _LINK,
            "userIdIncludingInactive": _LINK, "type": _CHOICE, "teams": _JSON, "archived": _YES,
        },
        {"userId": "users", "userIdIncludingInactive": "users"},
        moved="",  # its teams may change without updatedAt
    ),
    "imports": Kind(
        "Imports",
        "the scope crm.import",
        {
            "id": _ID, "importName": _TEXT, "importSource": _CHOICE, "state": _CHOICE,
            "counters": _JSON, "fileIds": _JSON, "objectLists": _JSON,
            "mappedObjectTypeIds": _JSON, "optOutImport": _YES,
        },
    ),
}  # fmt: skip
"""Lists that are read whole.

``object`` and ``pipeline`` are ours: where the thing belongs. ``property`` is HubSpot's
propertyName. ``counters``, ``fileIds`` and ``objectLists`` are the parts of an import's metadata.
"""

EVENTS: Final[Mapping[str, Kind]] = {
    "login_activity": Kind(
        "Logins",
        _SECURITY,
        {
            "id": _ID, "loginAt": _WHEN, "userId": _LINK, "email": _MAIL, "loginSucceeded": _YES,
            "ipAddress": _TEXT, "location": _TEXT, "userAgent": _TEXT, "countryCode": _TEXT,
            "regionCode": _TEXT,
        },
        {"userId": "users"},
        stamps=(),
        born="loginAt",
    ),
    "security_activity": Kind(
        "Security activity",
        _SECURITY,
        {
            "id": _ID, "createdAt": _WHEN, "type": _CHOICE, "userId": _LINK, "actingUser": _MAIL,
            "objectId": _TEXT, "ipAddress": _TEXT, "location": _TEXT, "countryCode": _TEXT,
            "regionCode": _TEXT, "infoUrl": _TEXT,
        },
        {"userId": "users"},
        stamps=(),
    ),
    "audit_logs": Kind(
        f"Audit logs: what users made, changed and deleted ({NO_VIEWS})",
        f"HubSpot Enterprise and {_SCOPE}. And even then: {NO_VIEWS}",
        {
            "id": _ID, "occurredAt": _WHEN, "category": _CHOICE, "subCategory": _CHOICE,
            "action": _CHOICE, "targetObjectId": _LINK, "target": _LINK, "userId": _LINK,
            "userEmail": _MAIL,
        },
        {"userId": "users"},
        stamps=(),
        born="occurredAt",
    ),
}  # fmt: skip
"""Logs. HubSpot drops what is old: that has not vanished, so no run says that it has seen all.

``userId`` and ``userEmail`` of audit_logs are the parts of ``actingUser``; ``target`` is ours:
``object:id`` where the log tells of a record that crmtrail keeps.
"""

PIPELINE_AUDIT: Final = "pipeline_audit"
CONSENT: Final = "subscription_statuses"

OTHERS: Final[Mapping[str, Kind]] = {
    PIPELINE_AUDIT: Kind(
        "Changes of pipelines and stages, as HubSpot's own audit tells them",
        "the scope to read the objects that have pipelines",
        {
            "object": _TEXT, "pipeline": _LINK, "stage": _LINK, "identifier": _TEXT,
            "action": _CHOICE, "timestamp": _WHEN, "fromUserId": _LINK, "message": _TEXT,
            "rawObject": _JSON, "portalId": _TEXT,
        },
        {"pipeline": "pipelines", "stage": "pipeline_stages", "fromUserId": "users"},
        stamps=(),
        born="timestamp",
    ),
    CONSENT: Kind(
        "Subscription statuses (HubSpot keeps no history of them: these are snapshots)",
        "the scopes crm.objects.contacts.read, communication_preferences.read and "
        "communication_preferences.statuses.batch.read",
        {
            "contact": _LINK, "subscriberIdString": _MAIL, "subscriptionId": _ID,
            "subscriptionName": _TEXT, "status": _CHOICE, "legalBasis": _CHOICE,
            "legalBasisExplanation": _TEXT, "source": _TEXT, "channel": _CHOICE,
            "businessUnitId": _TEXT,
        },
        {"contact": "contacts"},
        stamps=("timestamp",),
        born="timestamp",
        moved="timestamp",
        writable=frozenset({"status", "legalBasis", "legalBasisExplanation"}),
    ),
}  # fmt: skip

KINDS: Final[Mapping[str, Kind]] = {**LISTS, **EVENTS, **OTHERS}
"""All trail objects by name."""

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "setup": (
        "property_definitions",
        "property_groups",
        "pipelines",
        "pipeline_stages",
        "object_schemas",
        "validation_rules",
        PIPELINE_AUDIT,
        "security_activity",
        "audit_logs",
    ),
    "permissions": ("users", "roles", "teams", "owners"),
    "logins": ("login_activity",),
    "imports": ("imports",),
    "consent": (CONSENT,),
}
"""Trail objects by the group that the config names."""
