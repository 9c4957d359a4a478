"""Records that are one line: merged into each other, or made anew. Pure."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from crmtrail.errors import Mistake
from crmtrail.model import Actor, Loss, Ref, moment
from crmtrail.ports import Departure, Line, Succession

MERGED: Final = "merged"
RECREATED: Final = "recreated"

SUCCESSION: Final = "succession"
"""The kind of the entry that a record made anew gets; a merge is in its version's entry."""

_NEVER: Final = datetime.max.replace(tzinfo=UTC)


def heir_in(note: str | None) -> str | None:
    """Return the vendor's id of the record that a removal says it was merged into."""
    told = {} if note is None else json.loads(note)
    heir = told.get("merged_into")
    return heir if isinstance(heir, str) else None


def departure_of(note: str | None, at: datetime, actor: Actor) -> Departure:
    """Return what the note of a removal's version tells."""
    told = {} if note is None else json.loads(note)
    until = told.get("restorable_until")
    return Departure(
        Loss(told.get("loss", Loss.DELETED)),
        at,
        actor,
        told.get("merged_into"),
        None if until is None else moment(until),
    )


def line(start: Ref, links_of: Callable[[Collection[Ref]], Iterable[Succession]]) -> Line:
    """Return the line of a record, however the links go round.

    Args:
        start: one record of it.
        links_of: returns the links that begin or end at one of some records.
    """
    found, links = {start}, dict[tuple[Ref, Ref], Succession]()
    new = {start}
    while new:
        for link in links_of(new):
            links[link.record, link.heir] = link
        reached = {ref for pair in links for ref in pair}
        new, found = reached - found, found | reached
    ordered = sorted(links.values(), key=lambda one: (one.at, one.record, one.heir))
    return Line(tuple(_oldest_first(found, ordered)), tuple(ordered))


def _oldest_first(refs: Iterable[Ref], links: Iterable[Succession]) -> Iterable[Ref]:
    """Yield records, each behind those it goes on from; in a ring the first to go on is first."""
    before: dict[Ref, set[Ref]] = {ref: set() for ref in refs}
    went: dict[Ref, datetime] = {}
    for link in links:
        before[link.heir].add(link.record)
        went.setdefault(link.record, link.at)
    while before:
        free = [ref for ref, those in before.items() if not those & before.keys()]
        ref = min(free or before, key=lambda each: (went.get(each, _NEVER), each))
        del before[ref]
        yield ref


def checked(old: Ref, new: Ref) -> None:
    """Refuse a record that is to go on as itself.

    Raises:
        Mistake: it is.
    """
    if old == new:
        raise Mistake(f"{old} cannot go on as itself")


def entry_of(old: Ref, new: Ref) -> Mapping[str, Any]:
    """Return what is sealed of a record that was made anew."""
    return {"record": str(old), "heir": str(new), "kind": RECREATED}
