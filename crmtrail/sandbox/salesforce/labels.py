"""Labels of fields, as people and error messages see them."""

import re

from crmtrail.sandbox.salesforce.fields import Field

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def label(sobject: str, field: Field) -> str:
    """Return a field's label: its own, or one spelled from its name."""
    if field.label:
        return field.label
    if field.type == "id":
        return f"{sobject} ID"
    if field.name == "Name" and sobject in ("Account", "Opportunity", "Quote"):
        return f"{sobject} Name" if sobject != "Opportunity" else "Name"
    spelled = _WORDS.sub(" ", field.name.removesuffix("__c").replace("_", " "))
    if field.refers and spelled.endswith(" Id"):
        return spelled[:-2] + "ID"
    return spelled
