"""The object types of the portal, their names, stamps and caps."""

import re
from dataclasses import dataclass

from crmtrail.sandbox.hubspot.refusal import invalid


@dataclass(frozen=True, slots=True)
class ObjectType:
    """One kind of record: how it is called, which stamp it carries, what it keeps."""

    name: str
    singular: str
    type_id: str
    defaults: tuple[str, ...]
    handle: str = ""
    stamp: str = "hs_lastmodifieddate"
    history: int = 20

    @property
    def label(self) -> str:
        """The name HubSpot uses in messages, such as CONTACT."""
        return self.singular.upper()


OBJECT_TYPES = (
    ObjectType(
        "contacts",
        "contact",
        "0-1",
        ("email", "firstname", "lastname"),
        handle="email",
        stamp="lastmodifieddate",
        history=45,
    ),
    ObjectType("companies", "company", "0-2", ("domain", "name"), handle="domain"),
    ObjectType(
        "deals", "deal", "0-3", ("amount", "closedate", "dealname", "dealstage", "pipeline")
    ),
    ObjectType(
        "tickets",
        "ticket",
        "0-5",
        (
            "content",
            "hs_pipeline",
            "hs_pipeline_stage",
            "hs_ticket_category",
            "hs_ticket_priority",
            "subject",
        ),
    ),
    ObjectType("products", "product", "0-7", ("description", "name", "price"), handle="hs_sku"),
    ObjectType("line_items", "line_item", "0-8", ("hs_product_id", "name", "price", "quantity")),
    ObjectType(
        "quotes",
        "quote",
        "0-14",
        ("hs_expiration_date", "hs_quote_amount", "hs_quote_number", "hs_status", "hs_title"),
    ),
    ObjectType("leads", "lead", "0-136", ("hs_lead_name", "hs_lead_type", "hs_pipeline_stage")),
    ObjectType("calls", "call", "0-48", ("hs_call_title", "hs_timestamp")),
    ObjectType("emails", "email", "0-49", ("hs_email_subject", "hs_timestamp")),
    ObjectType("meetings", "meeting", "0-47", ("hs_meeting_title", "hs_timestamp")),
    ObjectType("notes", "note", "0-46", ("hs_note_body", "hs_timestamp")),
    ObjectType("tasks", "task", "0-27", ("hs_task_status", "hs_task_subject", "hs_timestamp")),
    ObjectType("service_plans", "service_plan", "2-34567001", ("plan_name",), handle="plan_code"),
)
"""Caps of property history: 45 versions for contacts, 20 for the rest."""

_ALIASES = {
    alias: kind for kind in OBJECT_TYPES for alias in (kind.name, kind.singular, kind.type_id)
}

CUSTOM_TYPES = ("service_plans",)
"""The portal's own objects: each is also known as ``p_name`` and ``pPORTAL_name``."""

_OWN = re.compile(r"p\d*_(\w+)")

PIPELINED = {"deals": ("pipeline", "dealstage"), "tickets": ("hs_pipeline", "hs_pipeline_stage")}
"""Pipeline and stage property of the objects that move through pipelines."""


def object_type(alias: str) -> ObjectType:
    """Return an object type by plural, singular, type id or custom name, in any case.

    Raises:
        Refusal: 400, no such object type in this portal.
    """
    own = _OWN.fullmatch(alias.lower())
    kind = _ALIASES.get(own[1] if own and own[1] in CUSTOM_TYPES else alias.lower())
    if kind is None:
        raise invalid(f"Unable to infer object type from: {alias}")
    return kind
