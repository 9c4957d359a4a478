"""What the survivor of a merge tells of the records that went into it. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from connectors.hubspot.history import is_contact
from connectors.hubspot.schema import MERGED
from connectors.hubspot.shapes import moment_of
from crmtrail.model import NULL, Actor, Event, Loss, Reading, Ref, Removal, Token, unknown

MERGED_AT: Final = "hs_calculated_merged_vids"
"""On a contact that survived: ``id:milliseconds;id:milliseconds``. Chained merges may be missing
in it, as ids may be in `MERGED`."""

_NEAR: Final = timedelta(seconds=2)
_BY_MERGE: Final = "MERGE_"
_UNTOLD: Final = unknown("HubSpot does not say who merged it")


def traces(object_: str) -> tuple[str, ...]:
    """Return the properties that tell which records went into one."""
    return (MERGED, MERGED_AT) if is_contact(object_) else (MERGED,)


def merged_ids(reading: Reading) -> Sequence[str]:
    """Return the ids of the records that were merged into this one, as it tells them."""
    told = (*_ids(reading.fields.get(MERGED, NULL)), *_times(reading))
    return tuple(id_ for id_ in dict.fromkeys(told) if id_ != reading.ref.id)


def mergers(reading: Reading) -> Iterator[Removal]:
    """Yield a removal for each record that was merged into this one, as its survivor tells."""
    ids = merged_ids(reading)
    if not ids:
        return
    times, deeds = _times(reading), _deeds(reading)
    for id_ in ids:
        at, actor = _told_of(id_, times, deeds)
        yield merged(reading, id_, at, actor)


def merged(survivor: Reading, id_: str, at: datetime | None, actor: Actor) -> Removal:
    """Return the removal of one record that went into another."""
    return Removal(
        ref=Ref(survivor.ref.source, survivor.ref.object, id_),
        loss=Loss.MERGED,
        read_at=survivor.read_at,
        at=at,
        actor=actor,
        merged_into=survivor.ref.id,
    )


def merged_away(survivor: Reading, id_: str) -> Removal:
    """Return the removal of a record whose id answers with another one.

    When and by whom is told where the survivor names the id, or was merged but once.
    """
    at, actor = _told_of(id_, _times(survivor), _deeds(survivor))
    return merged(survivor, id_, at, actor)


@dataclass(frozen=True, slots=True)
class _Deed:
    """One merge as the survivor's history shows it: when, by whom, and whom it names."""

    at: datetime
    actor: Actor
    named: frozenset[str]


def _told_of(
    id_: str, times: Mapping[str, datetime], deeds: Sequence[_Deed]
) -> tuple[datetime | None, Actor]:
    first = next((one for one in deeds if id_ in one.named), None)
    if first is not None:
        return first.at, first.actor
    at = times.get(id_)
    if at is not None:
        near = {one.actor for one in deeds if abs(one.at - at) <= _NEAR}
        return at, near.pop() if len(near) == 1 else _UNTOLD
    only = {(one.at, one.actor) for one in deeds}
    return only.pop() if len(only) == 1 else (None, _UNTOLD)


def _deeds(reading: Reading) -> list[_Deed]:
    """Return the merges that a history tells, oldest first."""
    found = [
        _Deed(event.at, event.actor, frozenset(_ids(event.token)))
        for event in reading.trail
        if event.field == MERGED and event.token != NULL
    ]
    by_source = [one for one in reading.trail if _is_merge(one)]
    known = {one.at for one in found}
    found += [_Deed(e.at, e.actor, frozenset()) for e in by_source if e.at not in known]
    return sorted(found, key=lambda one: one.at)


def _is_merge(event: Event) -> bool:
    actor = event.actor
    words = (actor.via or "", actor.id or "")
    return any(one.startswith(_BY_MERGE) and "REVERT" not in one for one in words)


def _times(reading: Reading) -> dict[str, datetime]:
    found: dict[str, datetime] = {}
    for part in _ids(reading.fields.get(MERGED_AT, NULL)):
        id_, _, count = part.partition(":")
        if id_ and count.isdecimal():
            found[id_] = moment_of(int(count))
    return found


def _ids(spelled: Token) -> list[str]:
    text = json.loads(spelled) if spelled.startswith('"') else spelled
    return [part.strip() for part in str(text).split(";") if part.strip() and part != NULL]
