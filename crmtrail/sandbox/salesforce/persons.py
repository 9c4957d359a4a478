"""Person accounts: accounts that are people, each with a contact that mirrors it."""

from collections.abc import Mapping
from typing import Any

from crmtrail.sandbox.salesforce.refusal import Refusal
from crmtrail.sandbox.salesforce.schema import SObject
from crmtrail.sandbox.salesforce.tables import Tables

NAMES = ("FirstName", "LastName", "Salutation")
SHARED = (*NAMES, "Phone", "Fax", "OwnerId")
"""Fields that account and contact both have under one name."""
Values = Mapping[str, Any]


def on_contact(account_field: str) -> str | None:
    """Return what the contact calls a field of a person account; None for the account's own."""
    if account_field in SHARED:
        return account_field
    if account_field.endswith("__pc"):
        return account_field.removesuffix("__pc") + "__c"
    if account_field.startswith("Person") and account_field != "PersonContactId":
        return account_field.removeprefix("Person")
    return None


def mirrored(sobject: SObject, values: Values) -> dict[str, Any]:
    """Return an account's values as its contact's; empty for objects without person accounts."""
    if sobject.name != "Account" or "ispersonaccount" not in sobject.by_name:
        return {}
    named = ((on_contact(name), value) for name, value in values.items())
    return {name: value for name, value in named if name is not None}


def judged(tables: Tables, sobject: SObject, found: Values, row: Values | None) -> dict[str, Any]:
    """Return the values of a write with what makes an account a person, or not.

    Raises:
        Refusal: fields of the other kind of account, or a person's contact written by itself.
    """
    values = dict(found)
    if "ispersonaccount" not in sobject.by_name:
        return values
    if sobject.name == "Contact":
        if row is not None and row["IsPersonAccount"]:
            raise _wrong("Contact", list(found))
        return values
    person = is_person(tables, values) if row is None else bool(row["IsPersonAccount"])
    if not person:
        strange = [name for name in values if name not in SHARED[3:] and on_contact(name)]
        if strange:
            raise _wrong("Account", strange)
        return values
    if "Name" in values:
        raise _wrong("Account", ["Name"])
    known = {name: values.get(name, (row or {}).get(name)) for name in NAMES}
    if not known["LastName"]:
        raise Refusal(
            "REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName]", ["LastName"]
        )
    if row is None or {*NAMES} & values.keys():
        values["Name"] = full_name(known)
    return values


def full_name(values: Values) -> str:
    """Return first and last name as one."""
    return " ".join(part for part in (values.get("FirstName"), values["LastName"]) if part)


def is_person(tables: Tables, values: Values) -> bool:
    """Whether the values of a new account make it a person."""
    kind = values.get("RecordTypeId")
    if kind is None:
        return values.get("LastName") is not None
    row = tables.row(tables.schema.objects["RecordType"], str(kind))
    return row is not None and bool(row["IsPersonType"])


def _wrong(sobject: str, names: list[str]) -> Refusal:
    listed = ", ".join(names)
    return Refusal(
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        f"{sobject}: bad field names on insert/update call: {listed}",
        names,
    )
