"""The one name of each object, whichever way it is spelled. Pure.

HubSpot takes an object's plural, its singular and its type id; a custom object also by its name
with the portal's prefix or without. The store keeps each object under one name: the plural, and
of a custom object the fully qualified name. A pair of objects is named after both, in the order
of `STANDARD` and then of the alphabet.

Type ids: those of contacts and deals are read in HubSpot's specs; the others are what public
clients use.
"""

import re
from typing import Final, NamedTuple


class Standard(NamedTuple):
    """One of HubSpot's own objects."""

    name: str
    singular: str
    type_id: str


STANDARD: Final = (
    Standard("contacts", "contact", "0-1"),
    Standard("companies", "company", "0-2"),
    Standard("deals", "deal", "0-3"),
    Standard("tickets", "ticket", "0-5"),
    Standard("line_items", "line_item", "0-8"),
    Standard("products", "product", "0-7"),
    Standard("quotes", "quote", "0-14"),
    Standard("leads", "lead", "0-136"),
    Standard("calls", "call", "0-48"),
    Standard("emails", "email", "0-49"),
    Standard("meetings", "meeting", "0-47"),
    Standard("notes", "note", "0-46"),
    Standard("tasks", "task", "0-27"),
    Standard("discounts", "discount", "0-84"),
)
"""In the order in which pairs are named."""

_SPELLINGS: Final = {
    spelling: one.name for one in STANDARD for spelling in (one.name, one.singular, one.type_id)
}
_RANKS: Final = {one.name: rank for rank, one in enumerate(STANDARD)}
_CUSTOM: Final = re.compile(r"2-\d+|p\d*_\w+", re.ASCII | re.IGNORECASE)
_DASH: Final = "-"


def standard_name(spelled: str) -> str | None:
    """Return the name of a standard object; None where none is spelled so."""
    return _SPELLINGS.get(spelled.casefold())


def is_custom(spelled: str) -> bool:
    """Whether this is how custom objects are spelled."""
    return _CUSTOM.fullmatch(spelled) is not None


def ends_of(spelled: str) -> tuple[str, str] | None:
    """Return the two objects that a pair is made of, as they are spelled; None: it is no pair.

    Type ids hold a dash too: `0-1-0-2` is a pair, `2-123` is none.
    """
    dashes = [place for place, letter in enumerate(spelled) if letter == _DASH]
    for place in dashes:
        ends = spelled[:place], spelled[place + 1 :]
        if all(standard_name(one) or is_custom(one) for one in ends):
            return ends
    return None


def pair_name(one: str, other: str) -> str:
    """Return the name of the pair of two objects, given by their own names."""
    return _DASH.join(in_order(one, other))


def in_order(one: str, other: str) -> tuple[str, str]:
    """Return two objects in the order in which their pair is named: first that of `from`."""
    first, second = sorted((one, other), key=lambda name: (_RANKS.get(name, len(_RANKS)), name))
    return first, second
