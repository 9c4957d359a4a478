"""The values HubSpot computes from a record's own values."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from crmtrail.sandbox.hubspot.definitions_activities import BODIES
from crmtrail.sandbox.hubspot.records import Record
from crmtrail.sandbox.hubspot.values import DAY, number, parse_moment, plain

Stages = Mapping[str, Mapping[str, Any]]
"""Stages by id, see `Schema.stages`."""

_PREVIEW = 512
"""How many characters of a body its preview shows."""

LOCKED_STATES = ("APPROVAL_NOT_NEEDED", "APPROVED")
"""States of a quote in which it is published."""


def calculate(record: Record, stages: Stages) -> dict[str, str]:
    """Return every computed property of a record; a missing one is empty."""
    compute = _RULES.get(record.kind.name)
    return {} if compute is None else compute(record, stages)


def _contact(record: Record, _: Stages) -> dict[str, str]:
    values = record.values
    name = " ".join(filter(None, (values.get("firstname"), values.get("lastname"))))
    email = values.get("email", "")
    found = {
        "hs_full_name_or_email": name or email,
        "hs_email_domain": email.partition("@")[2],
        "hs_searchable_calculated_phone_number": re.sub(r"\D", "", values.get("phone", "")),
    }
    return {key: value for key, value in found.items() if value}


def _deal(record: Record, stages: Stages) -> dict[str, str]:
    values = record.values
    metadata = stages.get(values.get("dealstage", ""), {}).get("metadata", {})
    probability = number(metadata.get("probability")) or 0.0
    closed = metadata.get("isClosed") == "true"
    won = closed and probability == 1.0
    found = {"hs_is_closed": str(closed).lower(), "hs_is_closed_won": str(won).lower()}
    if metadata:
        found["hs_deal_stage_probability"] = plain(probability)
    amount = number(values.get("amount"))
    if amount is not None:
        found["hs_projected_amount"] = plain(amount * probability)
        found["hs_closed_amount"] = plain(amount if won else 0.0)
    opened, close = (parse_moment(values.get(key, "")) for key in ("createdate", "closedate"))
    if opened is not None and close is not None:
        found["days_to_close"] = str(max(0, (close - opened) // DAY))
    return found


def _line_item(record: Record, _: Stages) -> dict[str, str]:
    values = record.values
    price, quantity = number(values.get("price")), number(values.get("quantity"))
    if price is None:
        return {}
    quantity = 1.0 if quantity is None else quantity
    percent = number(values.get("hs_discount_percentage"))
    unit = number(values.get("discount")) or 0.0
    gross = price * quantity
    off = unit * quantity if percent is None else gross * percent / 100
    return {
        "hs_pre_discount_amount": plain(gross),
        "hs_total_discount": plain(round(off, 2)),
        "hs_tax_amount": "0",
        "amount": plain(round(gross - off, 2)),
    }


def _quote(record: Record, _: Stages) -> dict[str, str]:
    return {"hs_locked": str(record.values.get("hs_status") in LOCKED_STATES).lower()}


def _activity(record: Record, _: Stages) -> dict[str, str]:
    body = record.values.get(BODIES[record.kind.name], "")
    text = re.sub(r"<[^>]*>", " ", body)
    preview = " ".join(text.split())[:_PREVIEW]
    html = f"<html><body>{preview}</body></html>"
    return {"hs_body_preview": preview, "hs_body_preview_html": html} if preview else {}


_RULES: dict[str, Callable[[Record, Stages], dict[str, str]]] = {
    "contacts": _contact,
    "deals": _deal,
    "line_items": _line_item,
    "quotes": _quote,
    **dict.fromkeys(BODIES, _activity),
}

OWN = {
    "contacts": (
        "hs_full_name_or_email",
        "hs_email_domain",
        "hs_searchable_calculated_phone_number",
    ),
    "deals": (
        "hs_is_closed",
        "hs_is_closed_won",
        "hs_deal_stage_probability",
        "hs_projected_amount",
        "hs_closed_amount",
        "days_to_close",
    ),
    "line_items": ("hs_pre_discount_amount", "hs_total_discount", "hs_tax_amount", "amount"),
    "quotes": ("hs_locked",),
    **dict.fromkeys(BODIES, ("hs_body_preview", "hs_body_preview_html")),
}
"""Which properties `calculate` decides; rolled up ones come from associated records."""
