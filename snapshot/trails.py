"""The vendor's own field history turned into versions. Pure.

`forwards` replays what happened since a record was stored. `backwards` tells of a record seen for
the first time what happened before, as far as its history reaches.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Final, TypeAlias

from crmtrail.model import (
    NULL,
    Actor,
    Change,
    ChangeSet,
    Event,
    Op,
    Reading,
    Token,
    Tokens,
    unknown,
)
from snapshot.canonical import same
from snapshot.drafts import (
    NO_CREATOR,
    TICK,
    UNNAMED,
    Draft,
    Edit,
    Past,
    author_of,
    changes_between,
)

EARLIER: Final = unknown("the vendor's history does not reach back so far")


def forwards(past: Past, tokens: Tokens, found: Reading) -> list[Edit]:
    """With the vendor's history: one change set for each (time, actor), then the remainder."""
    since = max(past.modified_at, past.history_to or past.modified_at)
    running = dict(tokens)
    edits: list[Edit] = []
    for events in _written_together(_events(since, tokens, found)):
        changes = changes_between(running, {event.field: event.token for event in events})
        if changes:
            at, actor = events[0].at, events[0].actor
            edits.append((changes, actor, at, actor is UNNAMED))
            running.update((c.field, c.new) for c in changes if c.new is not None)
    rest = changes_between(running, found.fields)
    if rest and found.trail_whole:
        edits.append((rest, UNNAMED, found.modified_at, True))
    elif rest:
        _lay_rest(edits, rest, *author_of(past, found))
    return edits


def _lay_rest(edits: list[Edit], rest: tuple[Change, ...], actor: Actor, at: datetime) -> None:
    """Add what the vendor keeps no history of, to the write that it was part of if there is one."""
    if edits and edits[-1][1:3] == (actor, at):
        together = tuple(sorted((*edits.pop()[0], *rest), key=attrgetter("field")))
        edits.append((together, actor, at, True))
    else:
        edits.append((rest, actor, at, True))


def _events(since: datetime, tokens: Tokens, found: Reading) -> list[Event]:
    """Return the events to replay, in time order; those of one time and actor together."""
    known = [event for event in found.trail if event.field in found.fields]
    chosen = [event for event in known if event.at > since]
    chosen += _within_the_second(since, tokens, known)
    told = {event.field for event in chosen}
    late: dict[str, Event] = {}
    for event in known:
        newest = late.get(event.field)
        if event.field not in told and (newest is None or event.at >= newest.at):
            late[event.field] = event
    for name, event in late.items():
        now = found.fields[name]
        if same(event.token, now) and not same(tokens.get(name), now):
            chosen.append(event)
    return _sorted(chosen)


def _within_the_second(since: datetime, tokens: Tokens, known: Sequence[Event]) -> list[Event]:
    """Return the events of the very moment up to which all is known, that came after our look.

    Stamps may be of whole seconds. Where entries say what was before, they tell by that.
    """
    there = [event for event in known if event.at == since and event.old is not None]
    found: list[Event] = []
    for name in {event.field for event in there}:
        mine = [event for event in there if event.field == name]
        now = tokens.get(name)
        if not same(mine[-1].token, now):
            fits = [no for no, event in enumerate(mine) if same(event.old, now)]
            found += mine[fits[-1] :] if fits else []
    return found


def _sorted(events: Iterable[Event]) -> list[Event]:
    """Return events in time order. Within a moment, in their own where they say what was before.

    Others are put in order by who made them, so that those of one write come together.
    """
    listed = list(events)
    told = any(event.old is not None for event in listed)
    return sorted(listed, key=attrgetter("at")) if told else sorted(listed, key=_place)


def _written_together(events: Iterable[Event]) -> Iterator[list[Event]]:
    """Yield the events of each write: one time, one actor, each field once."""
    together: list[Event] = []
    fields: set[str] = set()
    for event in events:
        first = together[0] if together else event
        if (event.at, event.actor) != (first.at, first.actor) or event.field in fields:
            yield together
            together, fields = [], set()
        together.append(event)
        fields.add(event.field)
    if together:
        yield together


def _place(event: Event) -> tuple[datetime, str, str, str]:
    actor = event.actor
    return event.at, actor.kind, actor.id or "", f"{actor.name}\n{actor.via}\n{actor.why}"


def newest(history_to: datetime | None, trail: Iterable[Event]) -> datetime | None:
    """Return the time of the newest entry of the vendor's field history folded in so far."""
    moments = [event.at for event in trail]
    if history_to is not None:
        moments.append(history_to)
    return max(moments, default=None)


def backwards(found: Reading, *, new: bool) -> tuple[Draft, ...]:
    """Return the versions of a record seen for the first time whose history reaches back.

    The first holds what fields held before their first entry, as far as that is known. Each entry
    is a change of its author. What the history does not tell of comes with a last version, as it
    is now: nobody knows since when. Nothing is returned where the history tells of no change.

    Args:
        found: the reading, with its trail.
        new: whether the record was made since the last complete run, so that all is told of it.
    """
    events = _sorted(e for e in found.trail if e.field in found.fields)
    begun = _begin(found)
    tokens = _before(found, events, new=new)
    while events and events[0].at <= begun[0] + TICK and found.trail_whole:
        born = events.pop(0)
        tokens[born.field] = born.token
    if not events:
        return ()
    at, actor = min(begun[0], events[0].at), begun[1]
    steps: list[_Step] = [(Op.CREATE if new else Op.BASELINE, (), actor, at)]
    drafts = [_draft(found, 1, steps[0], dict(tokens))]
    for step in _steps(found, events, dict(tokens)):
        tokens.update((c.field, c.new) for c in step[1] if c.new is not None)
        drafts.append(_draft(found, len(drafts) + 1, step, dict(tokens)))
    return (*drafts, *_ending(found, tokens, drafts[-1]))


_Step: TypeAlias = tuple[Op, tuple[Change, ...], Actor, datetime]


def _begin(found: Reading) -> tuple[datetime, Actor]:
    """Return from when on the history tells of a record, and who made it what it was then."""
    created, since = found.created_at, found.trail_since
    first = min((event.at for event in found.trail), default=found.modified_at)
    if since is not None and (created is None or min(created, first) < since):
        return since, EARLIER
    if created is None or first < created - TICK:
        # What a merge made anew has the history of what went into it.
        return first, found.creator or EARLIER
    return created, found.creator or NO_CREATOR


def _before(found: Reading, events: Sequence[Event], *, new: bool) -> dict[str, Token]:
    """Return what fields held before the first entry; absent where that is not known.

    Where the vendor keeps history of every field, one without any entry was blank all the time:
    if it is not, its history is not told.
    """
    tokens = dict(found.fields) if found.trail_whole or new else {}
    if not new:
        told = {event.field for event in events}
        tokens = {name: now for name, now in tokens.items() if name in told or now == NULL}
    for event in reversed(events):
        if event.old is not None:
            tokens[event.field] = event.old
        else:
            tokens.pop(event.field, None)
    return tokens


def _steps(found: Reading, events: Sequence[Event], tokens: dict[str, Token]) -> list[_Step]:
    """Return the changes that a history tells, oldest first; ``tokens`` move along."""
    steps: list[_Step] = []

    def move(to: dict[str, Token], actor: Actor, at: datetime) -> None:
        changes = changes_between(tokens, to)
        if changes:
            steps.append((Op.UPDATE, changes, actor, at))
            tokens.update((c.field, c.new) for c in changes if c.new is not None)

    for together in _written_together(events):
        at, actor = together[0].at, together[0].actor
        # Where an entry does not go on from the one before it, one of the vendor's is missing.
        move({e.field: e.old for e in together if e.old is not None}, UNNAMED, at)
        move({e.field: e.token for e in together}, actor, at)
    last = max(found.modified_at, events[-1].at)
    move({name: found.fields[name] for name in tokens}, UNNAMED, last)
    return steps


def _ending(found: Reading, tokens: dict[str, Token], last: Draft) -> list[Draft]:
    """Return the version that tells what no history does, or that the record is gone."""
    at = max(found.modified_at, last.change_set.at)
    number = last.change_set.number + 1
    if found.fields.keys() - tokens.keys():
        step: _Step = (Op.BASELINE, (), found.actor, at)
        ending = _draft(found, number, step, dict(found.fields))
        return [ending._replace(stamps=found.stamps, deleted=found.deleted)]
    if found.deleted:
        return [_draft(found, number, (Op.DELETE, (), found.actor, at), None, deleted=True)]
    return []


def _draft(
    found: Reading,
    number: int,
    step: _Step,
    fields: dict[str, Token] | None,
    *,
    deleted: bool = False,
) -> Draft:
    op, changes, actor, at = step
    change_set = ChangeSet(found.ref, op, number, changes, actor, at, found.read_at)
    return Draft(change_set, fields, None if fields is None else {}, deleted)
