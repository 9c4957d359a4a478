"""HubSpot's property metadata in the common words of `crmtrail.model`."""

from collections.abc import Sequence

from connectors.hubspot.shapes import Property
from crmtrail.model import Field, FieldType, Schema

STAMPS = frozenset({"lastmodifieddate", "hs_lastmodifieddate", "hs_object_id"})
"""Bookkeeping: kept with each version, never a change by itself."""

MERGED = "hs_merged_object_ids"
"""On the survivor of a merge: the ids that were merged away, joined by semicolons."""

# Written by HubSpot alone, whatever the metadata says.
_SERVER_STAMPS = STAMPS | {
    "hs_createdate",
    "hs_created_by_user_id",
    "hs_updated_by_user_id",
    "hs_calculated_merged_vids",
    MERGED,
}
_SERVER_PREFIX = "hs_object_source"

_BY_TYPE = {
    "bool": FieldType.BOOLEAN,
    "date": FieldType.DATE,
    "datetime": FieldType.DATETIME,
    "number": FieldType.NUMBER,
    "phone_number": FieldType.PHONE,
    "string": FieldType.TEXT,
}
_PHONES = frozenset({"phone", "mobilephone", "fax"})
# Older portals do not mark the currency of these standard properties.
_MONEY = frozenset(
    {
        "amount",
        "amount_in_home_currency",
        "annualrevenue",
        "discount",
        "hs_acv",
        "hs_arr",
        "hs_mrr",
        "hs_pre_discount_amount",
        "hs_quote_amount",
        "hs_tax_amount",
        "hs_tcv",
        "hs_total_discount",
        "price",
        "recent_deal_amount",
        "total_revenue",
    }
)


def schema_of(source: str, object_: str, properties: Sequence[Property]) -> Schema:
    """Return the fields of an object; the record id is bookkeeping, yet listed."""
    fields = {one.name: field_of(one) for one in properties if not one.archived}
    return Schema(source, object_, fields, label=object_.replace("_", " ").capitalize())


def field_of(one: Property) -> Field:
    """Return one property as a field."""
    kind = _kind(one)
    server = one.name in _SERVER_STAMPS or one.name.startswith(_SERVER_PREFIX)
    locked = one.modification_metadata and one.modification_metadata.read_only_value
    computed = bool(one.calculated)
    options = () if one.external_options else one.options or ()
    writable = not (server or locked or computed)
    return Field(
        name=one.name,
        type=kind,
        label=one.label or "",
        vendor_type="/".join(part for part in (one.type, one.field_type) if part),
        updateable=writable,
        createable=writable,
        computed=computed,
        unique=bool(one.has_unique_value),
        options=tuple(str(option.value) for option in options if option.value is not None),
        references=_references(one),
    )


def _kind(one: Property) -> FieldType:  # noqa: PLR0911 -- a table of cases, each one line
    if one.name == "hs_object_id":
        return FieldType.ID
    if one.referenced_object_type or one.external_options:
        return FieldType.REFERENCE
    if one.field_type == "booleancheckbox":
        return FieldType.BOOLEAN
    if one.type == "enumeration":
        return FieldType.MULTICHOICE if one.field_type == "checkbox" else FieldType.CHOICE
    if one.type == "number" and _is_money(one):
        return FieldType.MONEY
    if one.type == "string" and one.name in {"email", "hs_additional_emails"}:
        return FieldType.EMAIL
    if one.field_type == "phonenumber" or one.name in _PHONES:
        return FieldType.PHONE
    return _BY_TYPE.get(one.type or "", FieldType.OTHER)


def _is_money(one: Property) -> bool:
    marked = bool(one.show_currency_symbol) or one.number_display_hint == "currency"
    return marked or one.name in _MONEY


def _references(one: Property) -> tuple[str, ...]:
    if one.referenced_object_type:
        return (one.referenced_object_type.lower(),)
    return ("owner",) if one.external_options and "owner" in one.name else ()
