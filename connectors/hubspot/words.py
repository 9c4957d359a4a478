"""HubSpot's error codes in plain words: what an admin can do about a refused write.

The codes are those of HubSpot's error reference and of answers seen in public; some refusals carry
no code of their own and are known by their text only.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from connectors.hubspot.refusals import Detail

_READ_ONLY: Final = "{names} cannot be written: HubSpot computes it or locks it; leave it out"
_GONE: Final = "{names} does not exist any more; leave it out, or create the property again"
_NO_NUMBER: Final = "{names} takes a number; correct the value"
_FRESH: Final = "put a fresh token where the config takes it from"
_SCOPE: Final = "grant the app the scope that HubSpot names, then apply again"
_OURS: Final = "that is a fault of crmtrail, not of the record; please report it"
_AGAIN: Final = "HubSpot was busy; apply again"
_TAKEN: Final = "another record already holds {names}; free it there first, or leave it out"
_NOT_THERE: Final = "the record is archived, merged away or purged; look at its history"
_RULE: Final = (
    "an admin's validation rule for {names} refuses the earlier value; have the rule lifted"
    " (Settings, Properties), or leave the field out"
)
_REQUIRED: Final = (
    "HubSpot requires {names}; restore it in the same step, or fill it in HubSpot first"
)

HINTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "AMOUNT_OF_LINE_ITEMS": (
            "amount follows from the deal's line items; restore the line items instead"
        ),
        "ASSOCIATION_TYPE_MISSING": (
            "the label does not exist any more; create it again in HubSpot's association settings,"
            " or plan without it"
        ),
        "BLOCKLISTED": (
            "the person was deleted for privacy: HubSpot takes this address no more, and it must"
            " not be made anew"
        ),
        "CONFLICT": _TAKEN,
        "DUPLICATE_ASSOCIATION": "the two records are associated already",
        "EDIT_ASSOCIATIONS": (
            "the user behind the token lacks the permission Edit Associations; a super admin"
            " grants it (Settings, Users & Teams)"
        ),
        "EXPIRED_AUTHENTICATION": _FRESH,
        "INVALID_AUTHENTICATION": _FRESH,
        "INVALID_DATE": "{names} takes a date at midnight UTC, such as 2026-03-31",
        "INVALID_EMAIL": "{names} must be a valid e-mail address",
        "INVALID_INTEGER": _NO_NUMBER,
        "INVALID_LONG": _NO_NUMBER,
        "INVALID_NUMBER": _NO_NUMBER,
        "INVALID_OBJECT_IDS": (
            "the other record is archived, merged away or purged; bring that one back first"
        ),
        "INVALID_PROPERTY_VALUE": _RULE,
        "INVALID_OPTION": (
            "{names} no longer allows this value. Three ways out: add the option again in"
            " HubSpot's property settings and plan anew; leave the field as it is; or choose one of"
            " today's options by hand. A stage also has to be one of its record's pipeline"
        ),
        "INVALID_OWNER_ID": (
            "{names} names an owner who is gone or inactive; activate that user in HubSpot, or"
            " leave the field out and choose another owner by hand"
        ),
        "LEGAL_BASIS_REQUIRED": (
            "this portal takes a subscription only with a legal basis and its explanation; none is"
            " known from before, so ask the person, and let HubSpot record what they say"
        ),
        "LINE_ITEM_HAS_PARENT": "a line item has one parent only; take it from the other one first",
        "LOCKED": "HubSpot had the record locked for another write; apply again",
        "MIGRATING": "HubSpot is moving the account to another data centre; apply again later",
        "MISSING_CONDITIONAL_REQUIRED_PROPERTY": (
            "an admin's rule requires {names} with these values; restore it in the same step, or"
            " have the rule lifted (Settings, Properties, Conditional logic)"
        ),
        "MISSING_REQUIRED_PROPERTY": _REQUIRED,
        "MISSING_SCOPES": _SCOPE,
        "OBJECT_ALREADY_EXISTS": _TAKEN,
        "OBJECT_NOT_FOUND": _NOT_THERE,
        "PROPERTY_DOESNT_EXIST": _GONE,
        "PROPERTY_DOES_NOT_EXIST": _GONE,
        "QUOTE_LOCKED": (
            "the quote is published and locked; recall it in HubSpot (Edit quote), then apply again"
        ),
        "RATE_LIMIT": _AGAIN,
        "RATE_LIMITS": _AGAIN,
        "READ_ONLY_PROPERTY": _READ_ONLY,
        "READ_ONLY_VALUE": _READ_ONLY,
        "REQUIRED_FIELD_MISSING": _REQUIRED,
        "RESOURCE_NOT_FOUND": _NOT_THERE,
        "TOO_LARGE": _OURS,
        "TOO_MANY_IDENTITIES": (
            "HubSpot merges 250 records at most into one; this one is full, so leave it as it is"
        ),
        "UNIQUE_VALUE_CONFLICT": _TAKEN,
        "URI_TOO_LONG": _OURS,
        "USER_DOES_NOT_HAVE_PERMISSIONS": (
            "the super admin who made the app has left or lost rights; make a new token"
        ),
        "VALUE_OUT_OF_RULE": _RULE,
    }
)
"""What to do, by HubSpot's code, or by ours where HubSpot has none. ``{names}``: the properties."""

_BY_TEXT: Final = (
    (re.compile(r"edit associations", re.IGNORECASE), "EDIT_ASSOCIATIONS"),
    (re.compile(r"existing id:?\s*\d+|already exists|already has that value", re.IGNORECASE),
     "CONFLICT"),
    (re.compile(r"blocklist|blacklist|gdpr|deleted for privacy", re.IGNORECASE), "BLOCKLISTED"),
    (re.compile(r"legal ?basis.*required|requires? .*legal ?basis", re.IGNORECASE),
     "LEGAL_BASIS_REQUIRED"),
    (re.compile(r"250 identities", re.IGNORECASE), "TOO_MANY_IDENTITIES"),
    (re.compile(r"read[- ]only", re.IGNORECASE), "READ_ONLY_VALUE"),
    (re.compile(r"not one of the allowed options", re.IGNORECASE), "INVALID_OPTION"),
    (re.compile(r"property \S+ does not exist", re.IGNORECASE), "PROPERTY_DOESNT_EXIST"),
    (re.compile(r"(?:maximum|limit).*\binputs?\b", re.IGNORECASE), "TOO_LARGE"),
    (re.compile(r"validation rule|does not (?:match|meet) ", re.IGNORECASE), "VALUE_OUT_OF_RULE"),
    (re.compile(r"quote .*(?:locked|published)|published quote", re.IGNORECASE), "QUOTE_LOCKED"),
)  # fmt: skip
"""Refusals without a code of their own, known by HubSpot's words."""

_HOLDER: Final = re.compile(r"existing id:?\s*(\d+)", re.IGNORECASE)
_OTHER: Final = "HubSpot refuses the value of {names}; see its message"


def holder_of(message: str) -> str | None:
    """Return the id of the record that holds a unique value, where HubSpot names it."""
    found = _HOLDER.search(message)
    return found[1] if found else None


def advice(code: str, names: Sequence[str] = ()) -> str:
    """Return what to do about a refusal with this code."""
    named = ", ".join(dict.fromkeys(names)) or "this property"
    return HINTS.get(code, _OTHER).format(names=named)


def explained(details: Sequence[Detail], message: str = "") -> tuple[str, str]:
    """Return the code of a refusal and what to do, in plain words.

    Args:
        details: HubSpot's complaints.
        message: its words beside them.
    """
    known = next((one for one in details if one.code in HINTS), None)
    texts = [*(one.message for one in details), message]
    chosen = known or next(iter(details), None)
    code = known.code if known else _by_text(texts) or (chosen.code if chosen else "")
    names = [name for one in details if chosen and one.code == chosen.code
             for name in one.properties]  # fmt: skip
    if chosen is None and not code:
        return "", _OTHER.format(names="this record")
    hint = advice(code, names)
    if holder := next((id_ for text in texts if (id_ := holder_of(text))), None):
        hint = f"record {holder} holds the value now; free it there first, or leave the field out"
    return code, hint


def _by_text(texts: Sequence[str]) -> str:
    return next((code for pattern, code in _BY_TEXT for text in texts if pattern.search(text)), "")
