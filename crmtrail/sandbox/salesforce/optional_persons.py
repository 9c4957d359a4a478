"""Person accounts as a feature: record types, the person's fields on Account, and some people."""

from dataclasses import replace
from typing import Any

from crmtrail.sandbox.salesforce.feature import Feature, Objects
from crmtrail.sandbox.salesforce.fields import Field, check, fixed, pick, ref, stamps, text
from crmtrail.sandbox.salesforce.optional_package import first_stamps
from crmtrail.sandbox.salesforce.persons import NAMES, SHARED, full_name, mirrored
from crmtrail.sandbox.salesforce.schema import SObject
from crmtrail.sandbox.salesforce.tables import Tables

_PEOPLE = (("Ada", "Nwosu"), ("Björn", "Falk"), ("Chiara", "Conti"), ("Dmitri", "Orlov"))
_NOT_PERSONAL = (*SHARED, "Name", "AccountId", "ReportsToId", "MasterRecordId", "Description")

_RECORD_TYPE = SObject(
    "RecordType",
    "Record Types",
    "012",
    (
        *stamps(deletable=False),
        text("Name", 80, nillable=False, title=True),
        text("DeveloperName", 80, nillable=False),
        text("Description", 255),
        pick("SobjectType", "Account", nillable=False),
        check("IsActive", default=1),
        check("IsPersonType", **fixed()),
    ),
    label="Record Type",
    deletable=False,
    undeletable=False,
    replicateable=False,
)


def _personal(field: Field) -> Field | None:
    """Return the account's field for one of a contact's."""
    if field.name in _NOT_PERSONAL or field.formula or field.lookup or field.type == "id":
        return None
    if field.refers or (field.type in ("date", "datetime") and not field.updateable):
        return None
    if field.custom:
        return replace(field, name=field.name.removesuffix("__c") + "__pc", external=False)
    parts = tuple(f"Person{name}" for name in field.parts)
    compound = field.compound and f"Person{field.compound}"
    return replace(field, name=f"Person{field.name}", parts=parts, compound=compound)


def _widen(objects: Objects) -> Objects:
    contact = next(item for item in objects if item.name == "Contact")
    names = [replace(contact.field(name), nillable=True) for name in NAMES]
    personal = [field for field in map(_personal, contact.fields) if field is not None]
    account = (
        *names,
        ref("RecordTypeId", "RecordType"),
        check("IsPersonAccount", **fixed()),
        ref("PersonContactId", "Contact", **fixed()),
        *personal,
    )
    more: dict[str, tuple[Field, ...]] = {
        "Account": account,
        "Contact": (check("IsPersonAccount", **fixed()),),
    }
    widened = (replace(item, fields=(*item.fields, *more.get(item.name, ()))) for item in objects)
    return (*widened, _RECORD_TYPE)


def _seed(tables: Tables) -> None:
    schema = tables.schema.objects
    kinds, account, contact = schema["RecordType"], schema["Account"], schema["Contact"]
    stamped = first_stamps(tables)
    business, person = tables.new_ids(kinds, 2)
    common = {"SobjectType": "Account", "IsActive": 1, **stamped}
    tables.insert(
        kinds,
        [
            {"Id": business, "Name": "Business Account", "DeveloperName": "Business_Account",
             "IsPersonType": 0, **common},
            {"Id": person, "Name": "Person Account", "DeveloperName": "PersonAccount",
             "IsPersonType": 1, **common},
        ],
    )  # fmt: skip
    tables.db.execute('UPDATE "sf_Account" SET "RecordTypeId" = ?', (business,))
    accounts, contacts = [], []
    ends = zip(
        tables.new_ids(account, len(_PEOPLE)), tables.new_ids(contact, len(_PEOPLE)), strict=True
    )
    for (first, last), (id_, mirror) in zip(_PEOPLE, ends, strict=True):
        row = _person(first, last) | {"Id": id_, "PersonContactId": mirror, "RecordTypeId": person}
        accounts.append(_blank(account) | row | stamped)
        copied = mirrored(account, row)
        about = {"Id": mirror, "AccountId": id_, "IsPersonAccount": 1}
        contacts.append(_blank(contact) | copied | about | stamped)
    tables.insert(account, accounts)
    tables.insert(contact, contacts)


def _person(first: str, last: str) -> dict[str, Any]:
    names = {"FirstName": first, "LastName": last}
    return {
        **names,
        "Name": full_name(names),
        "IsPersonAccount": 1,
        "PersonEmail": f"{last.lower()}@people.example",
        "PersonMobilePhone": "+49 170 5550100",
        "PersonMailingCity": "Berlin",
        "Level__pc": "Primary",
    }


def _blank(sobject: SObject) -> dict[str, Any]:
    return {field.name: field.default for field in sobject.stored if field.default is not None}


PERSON_ACCOUNTS = Feature(_widen, seed=_seed)
