"""HubSpot's error codes in plain words: what an admin can do about a refused write."""

from collections.abc import Sequence

from connectors.hubspot.refusals import Detail

_READ_ONLY = "{names} cannot be written: HubSpot computes it or locks it; leave it out"
_GONE = "{names} does not exist any more; leave it out, or create the property again"
_NO_NUMBER = "{names} takes a number; correct the value"

_HINTS = {
    "INVALID_OPTION": (
        "{names} no longer allows this value; add the option again in HubSpot's property"
        " settings, or leave the field out"
    ),
    "READ_ONLY_VALUE": _READ_ONLY,
    "READ_ONLY_PROPERTY": _READ_ONLY,
    "PROPERTY_DOESNT_EXIST": _GONE,
    "PROPERTY_DOES_NOT_EXIST": _GONE,
    "INVALID_EMAIL": "{names} must be a valid e-mail address",
    "INVALID_INTEGER": _NO_NUMBER,
    "INVALID_LONG": _NO_NUMBER,
    "INVALID_NUMBER": _NO_NUMBER,
    "INVALID_DATE": "{names} takes a date at midnight UTC, such as 2026-03-31",
    "INVALID_OWNER_ID": "{names} names an owner who is gone or inactive; choose another owner",
    "MISSING_REQUIRED_PROPERTY": "HubSpot requires {names}; restore it in the same step",
    "MISSING_CONDITIONAL_REQUIRED_PROPERTY": (
        "an admin's rule requires {names} with these values; restore it in the same step"
    ),
    "OBJECT_NOT_FOUND": "the record is archived, merged away or purged; look at its history",
    "CONFLICT": "another record already holds this unique value; free it there first",
    "UNIQUE_VALUE_CONFLICT": "another record already holds {names}; free it there first",
}
_OTHER = "HubSpot refuses the value of {names}; see its message"


def explained(details: Sequence[Detail]) -> tuple[str, str]:
    """Return the code of a refusal and a hint in plain words."""
    known = next((one for one in details if one.code in _HINTS), None)
    chosen = known or next(iter(details), None)
    if chosen is None:
        return "", _OTHER.format(names="this record")
    named = [name for one in details if one.code == chosen.code for name in one.properties]
    names = ", ".join(dict.fromkeys(named)) or "this property"
    return chosen.code, _HINTS.get(chosen.code, _OTHER).format(names=names)
