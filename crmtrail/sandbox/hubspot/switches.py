"""How the portal is set to behave; the act verbs turn these."""

from dataclasses import dataclass


@dataclass(slots=True)
class Switches:
    """Settings of one portal, at their defaults after each reset.

    ``index_lag`` is in seconds of the world's clock; with ``index_jitter`` each write takes a
    random share of it, so that writes reach the index out of order. ``locked`` and ``migrating``
    count the writes still to be refused with 423 and the requests to be refused with 477.
    """

    index_lag: float = 0.0
    index_jitter: bool = False
    short_pages: bool = False
    preserve_primary: bool = False
    enterprise: bool = False
    locked: int = 0
    migrating: int = 0
    migrating_for: int = 3600
    pages: int = 0
