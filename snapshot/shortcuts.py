"""What most readings of a page are: first sights, or just what was known. Told apart at once.

Both need no unfolding. `snapshot.diff` stays the judge of what they mean: tests hold this against
the store in memory, which unfolds everything.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, TypeAlias

from crmtrail.model import Reading, Removal
from snapshot.diff import fingerprint, is_new, says_more
from snapshot.drafts import Past

Found: TypeAlias = Reading | Removal


class Sorted(NamedTuple):
    """A page taken apart: baselines, records that are as they were, and all else."""

    arrivals: Sequence[Reading]
    still: Sequence[Reading]
    rest: Sequence[Found]


def sort(found: Sequence[Found], stored: Mapping[str, Past], horizon: datetime | None) -> Sorted:
    """Take a page apart; one that tells of a record twice stays whole."""
    if len({one.ref.id for one in found}) < len(found):
        return Sorted((), (), found)
    arrivals: list[Reading] = []
    still: list[Reading] = []
    rest: list[Found] = []
    for one in found:
        past = stored.get(one.ref.id)
        if isinstance(one, Removal):
            rest.append(one)
        elif past is None:
            (rest if one.trail or is_new(one, horizon) else arrivals).append(one)
        elif _is_still(past, one):
            still.append(one)
        else:
            rest.append(one)
    return Sorted(arrivals, still, rest)


def _is_still(past: Past, found: Reading) -> bool:
    """Return whether a reading says that all is as it was, later."""
    return (
        found.modified_at == past.modified_at
        and found.edited_at == past.edited_at
        and found.deleted == past.deleted
        and found.read_at >= past.known_at
        and not found.trail
        and not says_more(past, found, fingerprint(found))
    )
