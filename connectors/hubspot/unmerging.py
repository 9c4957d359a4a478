"""Undoing a merge in HubSpot: what was recorded before can be made anew, and what cannot. Pure.

HubSpot has no request that takes a merge back, nor a recycle bin for what was merged away: the ids
stay aliases of the survivor. So an un-merge makes each lost record anew, hangs its associations on
the new record, and sets the survivor's fields as they were. What cannot be put back is told.

Source: HubSpot's knowledge base on merging records (2025-01): the survivor of a merge has a new id,
unless the portal keeps the primary's; histories are joined; 250 records can be merged into one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from crmtrail.errors import Mistake
from crmtrail.model import NULL, Ref, Token, Tokens, Write, token_of

LIMITS: Final = (
    "each record that is made anew gets another id, and its old id goes on to mean the survivor",
    "its history, activities, timeline and list memberships stay with the survivor",
    "HubSpot has joined the two histories: which entries were whose is known only from crmtrail",
    "what was written to the survivor since the merge stays with it",
)
"""What no un-merge brings back, in plain words."""

_TAKEN: Final = "the survivor holds this value, and it is unique: set it there to another first"
_ADDRESS: Final = (
    "the survivor keeps it as one of its further addresses: take it out there first "
    "(the record, Email, Edit addresses)"
)
_EMAIL: Final = "email"


@dataclass(frozen=True, slots=True)
class Before:
    """A record as it was before the merge: its fields, and its associations by their pair object.

    ``links`` has the types of each association of the record, by pair object and by the id of the
    other record; ``first`` names the pair objects in which this record's end comes first.
    """

    ref: Ref
    fields: Tokens
    links: Mapping[str, Mapping[str, Token]]
    first: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Unmerge:
    """The steps, to be carried out in this order; a later one needs the earlier.

    Attributes:
        survivor: the survivor's fields as they were; none where nothing is to be put back.
        make: the records to be made anew.
        left: fields of those that are left out, each with the reason, by record.
        limits: what is not brought back, in plain words.
    """

    survivor: Sequence[Write]
    make: Sequence[Write]
    left: Mapping[Ref, Mapping[str, str]]
    limits: Sequence[str]


def unmerge(
    survivor: Ref,
    lost: Sequence[Before],
    fields: Tokens,
    *,
    now: Tokens,
    unique: frozenset[str],
    key: str,
) -> Unmerge:
    """Return the first steps that undo a merge; `links` gives the last, once new ids are known.

    Args:
        survivor: the record that stayed.
        lost: the records that were merged away, as they were before.
        fields: the survivor's values from before the merge that differ now.
        now: the survivor's values as they are now.
        unique: properties of which no two records hold the same value.
        key: begins the key of each step.

    Raises:
        Mistake: the records do not fit together.
    """
    _check(survivor, lost)
    after = {**now, **fields}
    left: dict[Ref, Mapping[str, str]] = {}
    make = []
    for one in lost:
        out = {name: why for name, token in one.fields.items()
               if (why := _why_not(name, token, after, now, unique))}  # fmt: skip
        keep = {name: token for name, token in one.fields.items() if name not in out}
        make.append(Write(one.ref, keep, f"{key}.make.{one.ref.id}"))
        if out:
            left[one.ref] = out
    first = [Write(survivor, dict(fields), f"{key}.survivor")] if fields else []
    return Unmerge(first, make, left, LIMITS)


def links(lost: Sequence[Before], made: Mapping[Ref, str], *, key: str) -> Mapping[
    str, Sequence[Write]
]:  # fmt: skip
    """Return the associations of the records made anew, by pair object.

    Args:
        lost: the records as they were before the merge.
        made: the id that each was given anew; one that was not made has no associations.
        key: begins the key of each step.
    """
    found: dict[str, list[Write]] = {}
    for one in lost:
        new = made.get(one.ref)
        if new is None:
            continue
        for pair, others in one.links.items():
            for other, types in others.items():
                ends = (new, other) if pair in one.first else (other, new)
                ref = Ref(one.ref.source, pair, "-".join(ends))
                write = Write(ref, {"types": types}, f"{key}.link.{ref.id}")
                found.setdefault(pair, []).append(write)
    return found


def _why_not(name: str, token: Token, after: Tokens, now: Tokens, unique: frozenset[str]) -> str:
    """Return why a lost record's value cannot be set on the one made anew; nothing if it can."""
    if token == NULL or token == token_of("") or name not in unique:
        return ""
    if after.get(name) == token:
        return _TAKEN
    # The address that lost stays with the survivor as a further one, which no other may hold.
    return _ADDRESS if name == _EMAIL and _listed(token, now.get("hs_additional_emails")) else ""


def _listed(token: Token, addresses: Token | None) -> bool:
    if addresses is None:
        return False
    told = [one.strip().casefold() for one in addresses.strip('"').split(";")]
    return token.strip('"').casefold() in told


def _check(survivor: Ref, lost: Sequence[Before]) -> None:
    if not lost:
        raise Mistake(f"nothing was merged into {survivor}")
    for one in lost:
        if (one.ref.source, one.ref.object) != (survivor.source, survivor.object):
            raise Mistake(f"{one.ref} cannot have been merged into {survivor}")
        if one.ref.id == survivor.id:
            raise Mistake(f"{survivor} cannot have been merged into itself")
