"""Values on their way from CSV text to the tables."""

import re

from crmtrail.sandbox.salesforce import moments
from crmtrail.sandbox.salesforce.fields import NUMERIC, Field
from crmtrail.sandbox.salesforce.labels import label
from crmtrail.sandbox.salesforce.refusal import Refusal
from crmtrail.sandbox.salesforce.values import Stored, from_json

NULL = "#N/A"
_FLAGS = {"true": 1, "1": 1, "false": 0, "0": 0}
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\Z")


def from_text(sobject: str, field: Field, text: str) -> Stored:
    """Return a cell as the tables hold it: ``#N/A`` is null, text is not trimmed.

    Raises:
        Refusal: the text does not fit the field's type.
    """
    if text == NULL:
        return None
    wrong = Refusal(
        "INVALID_TYPE_ON_FIELD_IN_RECORD",
        f"{label(sobject, field)}: value not of required type: {text}",
        [field.name],
    )
    if field.type == "boolean":
        if text.lower() not in _FLAGS:
            raise wrong
        return _FLAGS[text.lower()]
    if field.type in NUMERIC:
        if not _NUMBER.match(text):
            raise wrong
        try:
            return from_json(field, float(text))
        except Refusal:
            raise wrong from None
    try:
        if field.type == "date":
            return moments.parse_day(text).isoformat()
        if field.type == "datetime":
            return moments.stamp(moments.parse(text))
    except ValueError:
        raise wrong from None
    return text
