"""What kind of request a path and a method make. Pure."""

import re
from typing import Final

_SEARCH: Final = re.compile(r"^/crm/(?:v3/objects|objects/[^/]+)/[^/]+/search$")
_MAKES: Final = re.compile(
    r"^/crm/v3/(?:objects/[^/]+(?:/batch/create|/merge|/gdpr-delete)?|properties/.*|pipelines/.*)$"
)
_ONCE: Final = frozenset({"POST"})


def is_search(path: str) -> bool:
    """Whether a path is the search of CRM records, which has a limit of its own."""
    return _SEARCH.match(path.partition("?")[0]) is not None


def may_repeat(method: str, path: str) -> bool:
    """Whether a request of HubSpot's client, sent twice, does no more than once.

    Making records and merging them does. Setting values, archiving, and setting associations and
    statuses does not.
    """
    return method.upper() not in _ONCE or _MAKES.match(path.partition("?")[0]) is None
