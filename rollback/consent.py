"""Which fields say what a person agreed to: those are never put back by the way. Pure.

To subscribe somebody again is a legal act, whoever blanked the field. So consent is restored only
by a plan that was made for it (``plan --consent``) and that a second person has approved by name.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

CONSENT: Final = (
    "consent: it is put back only by a plan made with --consent that a second person approves"
)
"""Why a field of consent is left alone."""

TERM: Final = "consent"
"""The name by which a plan's selection says that it was made for consent too."""

_OBJECTS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "hubspot": frozenset({"subscription_statuses"}),
        "salesforce": frozenset(
            {
                "AuthorizationFormConsent",
                "CommSubscriptionConsent",
                "ContactPointConsent",
                "ContactPointTypeConsent",
                "Individual",
                "PartyConsent",
            }
        ),
    }
)
"""Objects of which every field is consent, by vendor."""

_FIELDS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "hubspot": frozenset({"hs_legal_basis", "hs_marketable_status"}),
        "salesforce": frozenset(
            {
                "DoNotCall",
                "HasOptedOutOfEmail",
                "HasOptedOutOfFax",
                "PersonDoNotCall",
                "PersonHasOptedOutOfEmail",
                "PersonHasOptedOutOfFax",
            }
        ),
    }
)
_PREFIXES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"hubspot": ("hs_email_optout",), "salesforce": ("HasOptedOut",)}
)


def is_consent(vendor: str, object_: str, field: str) -> bool:
    """Return whether a field says what a person agreed to.

    Args:
        vendor: ``hubspot`` or ``salesforce``.
        object_: the object, by the name it is kept under.
        field: the field.
    """
    if object_ in _OBJECTS.get(vendor, ()):
        return True
    return field in _FIELDS.get(vendor, ()) or field.startswith(_PREFIXES.get(vendor, ("\0",)))
