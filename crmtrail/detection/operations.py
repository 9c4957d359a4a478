"""Cluster change sets into operations: one actor, one app, one burst, overlapping fields.

Streaming: each page is folded into the operations that may still grow, so memory is bounded by
the number of open operations and an operation keeps its id while it grows.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from crmtrail.detection.emptiness import blanks
from crmtrail.model import (
    Actor,
    Change,
    ChangeSet,
    Field,
    FieldTally,
    Op,
    Operation,
    Ref,
    Schema,
    Token,
    stamp,
)

_HEAVY = 8
"""How many frequent values a tally follows; one of more than 1/9 of all is always found."""

_LONGEST_VALUE = 200


def cluster(
    change_sets: Sequence[ChangeSet],
    open_operations: Iterable[Operation],
    *,
    schema: Schema | None,
    burst: timedelta,
    sentinels: Collection[str],
) -> tuple[list[str], list[Operation]]:
    """Return each change set's operation id, in order, and the new or grown operations."""
    fields = {} if schema is None else schema.fields
    by_actor: dict[tuple[Op, Actor], list[_Growing]] = {}
    for operation in open_operations:
        by_actor.setdefault((operation.op, operation.actor), []).append(_Growing.of(operation))
    membership = [""] * len(change_sets)
    # A sweep by id tells of a slow burst in no order: taken so, it would fall to pieces.
    for place, change_set in sorted(enumerate(change_sets), key=lambda placed: placed[1].at):
        candidates = by_actor.setdefault((change_set.op, change_set.actor), [])
        growing = _home(change_set, candidates, burst)
        if growing is None:
            growing = _Growing.started_by(change_set)
            candidates.append(growing)
        growing.add(change_set, fields, sentinels)
        membership[place] = growing.id
    grown = [g.freeze() for group in by_actor.values() for g in group if g.touched]
    return membership, grown


def _home(
    change_set: ChangeSet, candidates: Sequence["_Growing"], burst: timedelta
) -> "_Growing | None":
    """Return the operation a change set belongs to: near in time, most fields in common."""
    names = {change.field for change in change_set.changes}
    best: _Growing | None = None
    most = -1
    for growing in candidates:
        near = growing.started - burst <= change_set.at <= growing.ended + burst
        common = len(names & growing.tallies.keys())
        if near and common > most and (common or not names):
            best, most = growing, common
    return best


@dataclass(slots=True)
class _Tally:
    changed: int = 0
    blanked: int = 0
    top: dict[Token, int] = field(default_factory=dict)

    def add(self, change: Change, *, blank: bool) -> None:
        self.changed += 1
        self.blanked += blank
        if change.new is not None:
            self._count(change.new)

    def _count(self, token: Token) -> None:
        """Count by Misra and Gries (1982): bounded memory, counts are lower bounds."""
        key = token if len(token) <= _LONGEST_VALUE else _shortened(token)
        if key in self.top or len(self.top) < _HEAVY:
            self.top[key] = self.top.get(key, 0) + 1
            return
        self.top = {known: count - 1 for known, count in self.top.items() if count > 1}


def _shortened(token: Token) -> Token:
    digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
    return f'"sha256:{digest}"'


@dataclass(slots=True)
class _Growing:
    id: str
    source: str
    object: str
    op: Op
    actor: Actor
    started: datetime
    ended: datetime
    records: int = 0
    blanked: int = 0
    tallies: dict[str, _Tally] = field(default_factory=dict)
    counted: set[Ref] = field(default_factory=set)
    lost: set[Ref] = field(default_factory=set)
    touched: bool = False

    @classmethod
    def of(cls, operation: Operation) -> "_Growing":
        tallies = {
            name: _Tally(tally.changed, tally.blanked, dict(tally.top))
            for name, tally in operation.tallies.items()
        }
        return cls(
            operation.id,
            operation.source,
            operation.object,
            operation.op,
            operation.actor,
            operation.started,
            operation.ended,
            operation.records,
            operation.blanked,
            tallies,
        )

    @classmethod
    def started_by(cls, first: ChangeSet) -> "_Growing":
        at = first.at
        return cls(_id(first), first.ref.source, first.ref.object, first.op, first.actor, at, at)

    def add(
        self, change_set: ChangeSet, fields: Mapping[str, Field], sentinels: Collection[str]
    ) -> None:
        """Fold in one change set. A record met again in the same operation counts once."""
        self.touched = True
        self.started = min(self.started, change_set.at)
        self.ended = max(self.ended, change_set.at)
        again = change_set.previous_operation == self.id or change_set.ref in self.counted
        self.records += not again
        self.counted.add(change_set.ref)
        loses = False
        for change in change_set.changes:
            described = fields.get(change.field)
            computed = described is not None and described.computed
            blank = not computed and blanks(change, described, sentinels)
            loses = loses or blank
            self.tallies.setdefault(change.field, _Tally()).add(change, blank=blank)
        if loses and change_set.ref not in self.lost:
            self.lost.add(change_set.ref)
            self.blanked += 1

    def freeze(self) -> Operation:
        tallies = {
            name: FieldTally(
                name,
                tally.changed,
                tally.blanked,
                tuple(sorted(tally.top.items(), key=lambda item: (-item[1], item[0]))),
            )
            for name, tally in sorted(self.tallies.items())
        }
        return Operation(
            self.id,
            self.source,
            self.object,
            self.op,
            self.actor,
            self.started,
            self.ended,
            self.records,
            min(self.blanked, self.records),
            tallies,
        )


def _id(first: ChangeSet) -> str:
    """Make an id from the operation's first change set, so that a repeated page gives it again."""
    actor = first.actor
    parts = (
        first.ref.source,
        first.ref.object,
        first.op,
        actor.kind,
        actor.id,
        actor.via,
        stamp(first.at),
        first.ref.id,
        str(first.number),
    )
    text = "|".join("" if part is None else str(part) for part in parts)
    return "op-" + hashlib.sha256(text.encode()).hexdigest()[:10]
