"""What lies between two looks, in words: coalesced stretches, and gaps in time. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from crmtrail.model import ChangeSet, Gap

_EVER: Final = datetime.min.replace(tzinfo=UTC)

COALESCED: Final = "values may have come and gone"


def seen_between(made: ChangeSet) -> tuple[datetime, datetime] | None:
    """Return between which moments a coalesced change set happened; None where it is one write.

    Where the vendor's stamp is not after our last look, it was seen late: up to this look.
    """
    if made.since is None:
        return None
    return made.since, made.at if made.at > made.since else made.known_at


def touching(
    gaps: Iterable[Gap], since: datetime | None, until: datetime | None
) -> tuple[Gap, ...]:
    """Return the gaps that overlap a stretch of time, by when they begin; open ends reach on."""
    found = [
        gap
        for gap in gaps
        if not (gap.until is not None and since is not None and gap.until < since)
        and not (gap.since is not None and until is not None and gap.since > until)
    ]
    return tuple(sorted(found, key=lambda gap: begins(gap) or _EVER))


def begins(gap: Gap) -> datetime | None:
    """Return where a gap stands in a timeline: where it begins, else where it ends."""
    return gap.since or gap.until
