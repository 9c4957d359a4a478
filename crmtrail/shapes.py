"""The JSON shapes that outside tools rely on, made from the frozen values.

One place for the command line and the web. Field values are emitted as the exact tokens the
vendor sent, so numbers keep their digits.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from crmtrail.model import (
    ERASED,
    Action,
    Actor,
    Change,
    ChangeSet,
    Gap,
    Incident,
    Operation,
    Plan,
    Step,
    Token,
    Tokens,
    Version,
    stamp,
)
from crmtrail.ports import Blame, Deed, Difference, Entry, Line, Standing, Succession

Shape = dict[str, Any]

_ONE_LINE: Final = {ord("\n"): " ", ord("\r"): " "}


def encode(shape: object) -> bytes:
    """Return a shape as JSON text on one line."""
    return msgspec.json.encode(shape)


def exact(token: Token | None) -> Any:
    """Return a token such that `encode` emits it unchanged; absent and erased become null.

    Only the line ends between the parts of a list or an object become blanks, which mean the
    same: what is printed stays on one line.
    """
    if token is None or token == ERASED:
        return None
    if "\n" in token or "\r" in token:
        token = token.translate(_ONE_LINE)
    return msgspec.Raw(token.encode())


def tokens(fields: Tokens) -> Shape:
    """Return fields by name, sorted."""
    return {name: exact(fields[name]) for name in sorted(fields)}


def _erased(fields: Tokens) -> Shape:
    """Return the names of fields whose values are forgotten for good, if there are any."""
    names = sorted(name for name, token in fields.items() if token == ERASED)
    return {"erased": names} if names else {}


def time(moment: datetime | None) -> str | None:
    """Return RFC 3339 UTC text, or None."""
    return None if moment is None else stamp(moment)


def actor(who: Actor) -> Shape:
    """Return an actor; ``why`` only for one the vendor does not name."""
    shape: Shape = {"id": who.id, "name": who.name, "kind": who.kind, "via": who.via}
    return shape | {"why": who.why} if who.why else shape


def gap(missing: Gap) -> Shape:
    """Return a gap."""
    return {
        "object": missing.object,
        "since": time(missing.since),
        "until": time(missing.until),
        "why": missing.why,
    }


def change(one: Change) -> Shape:
    """Return a field change; ``absent`` names the sides the vendor did not tell.

    ``erased`` names those that were told and are forgotten for good.
    """
    return {"field": one.field} | _sides(one.old, one.new)


def _sides(old: Token | None, new: Token | None) -> Shape:
    shape: Shape = {"old": exact(old), "new": exact(new)}
    for word, sort in (("absent", None), ("erased", ERASED)):
        sides = [name for name, token in (("old", old), ("new", new)) if token == sort]
        if sides:
            shape[word] = sides
    return shape


def entry(line: Entry) -> Shape:
    """Return a line of the log."""
    what = line.change_set
    sides = _sides(line.old, line.new) if line.field else {"old": None, "new": None}
    return {
        "record": str(what.ref),
        "field": line.field,
        **sides,
        "at": time(what.at),
        "known_at": time(what.known_at),
        "since": time(what.since),
        "actor": actor(what.actor),
        "op": what.op,
        "operation": what.operation,
        "version": what.number,
        "plan": what.transaction,
    }


def as_of(at: datetime | None, known: datetime | None) -> Shape:
    """Return which times an answer is of, valid and known; null means now."""
    return {"at": time(at), "known_at": time(known)}


def links(found: Iterable[Succession]) -> list[Shape]:
    """Return how a record went on, step by step."""
    return [
        {
            "record": str(one.record),
            "as": str(one.heir),
            "kind": one.kind,
            "at": time(one.at),
        }
        for one in found
    ]


def line(found: Line) -> list[Shape]:
    """Return the records of a line, oldest first, each with what it went on as itself."""
    return [
        {
            "record": str(ref),
            "went_on_as": links(link for link in found.links if link.record == ref),
        }
        for ref in found.records
    ]


def deed(one: Deed) -> Shape:
    """Return an action of crmtrail itself; ``by`` is null where it did so by itself."""
    return {
        "index": one.index,
        "kind": one.kind,
        "at": time(one.at),
        "by": one.entry.get("by") or one.entry.get("applied_by") or one.entry.get("author"),
        "entry": dict(one.entry),
    }


def version(state: Version) -> Shape:
    """Return a record at a time."""
    return {
        "record": str(state.ref),
        "version": state.number,
        "op": state.op,
        "at": time(state.at),
        "known_at": time(state.known_at),
        "actor": actor(state.actor),
        "deleted": state.deleted,
        "fields": tokens(state.fields),
    } | _erased(state.fields)


def timeline(ref: object, change_sets: Iterable[ChangeSet]) -> Shape:
    """Return a record's versions, oldest first; those of its predecessors bear their record."""
    return {
        "record": str(ref),
        "versions": [
            {
                "record": str(what.ref),
                "number": what.number,
                "at": time(what.at),
                "known_at": time(what.known_at),
                "since": time(what.since),
                "op": what.op,
                "actor": actor(what.actor),
                "operation": what.operation,
                "plan": what.transaction,
                "changes": [change(one) for one in what.changes],
            }
            for what in change_sets
        ],
    }


def blame(ref: object, lines: Iterable[Blame]) -> Shape:
    """Return who set each current field value."""
    return {
        "record": str(ref),
        "fields": [
            {
                "name": line.field,
                "value": exact(line.token),
                "at": time(line.at),
                "actor": actor(line.actor),
                "version": line.number,
            }
            | ({"erased": True} if line.token == ERASED else {})
            for line in lines
        ],
    }


def difference(one: Difference) -> Shape:
    """Return how one record differs."""
    return {"record": str(one.ref), "changes": [change(item) for item in one.changes]}


def operation(cluster: Operation) -> Shape:
    """Return an operation."""
    return {
        "id": cluster.id,
        "source": cluster.source,
        "object": cluster.object,
        "kind": cluster.op,
        "actor": actor(cluster.actor),
        "via": cluster.actor.via,
        "started": time(cluster.started),
        "ended": time(cluster.ended),
        "records": cluster.records,
        "fields": list(cluster.fields),
    }


def incident(seen: Incident) -> Shape:
    """Return an incident."""
    found, cluster = seen.finding, seen.operation
    return {
        "id": seen.id,
        "rule": found.rule,
        "state": seen.state,
        "severity": found.severity,
        "title": found.title,
        "why": found.why,
        "source": cluster.source,
        "object": cluster.object,
        "records": found.records,
        "fields": list(found.fields),
        "actor": actor(cluster.actor),
        "via": cluster.actor.via,
        "started": time(cluster.started),
        "ended": time(cluster.ended),
        "operation": cluster.id,
        "evidence": dict(found.evidence),
        "opened_at": time(seen.opened_at),
        "seen_at": time(seen.seen_at),
        "suggestion": f"crmtrail plan --incident {seen.id}",
    }


def step(one: Step) -> Shape:
    """Return a plan step."""
    return {
        "id": one.id,
        "record": str(one.ref),
        "action": one.action,
        "expect": tokens(one.expect),
        "write": tokens(one.write),
        "left": dict(one.left),
        "reason": one.reason,
    }


def plan(made: Plan, given: Iterable[tuple[str, datetime]] = ()) -> Shape:
    """Return a plan without its steps, which the caller adds or streams."""
    return {
        "id": made.id,
        "digest": made.digest,
        "created": time(made.created),
        "expires": time(made.expires),
        "author": made.author,
        "source": made.source,
        "selection": dict(made.selection),
        "on_conflict": made.on_conflict,
        "undoes": made.undoes,
        "counts": counts(made.counts),
        "api_calls": made.api_calls,
        "approval": {
            "required": made.approvals_required,
            "given": [{"by": by, "at": time(at)} for by, at in given],
        },
    }


def counts(by_action: Mapping[Action, int]) -> Shape:
    """Return step counts, every action named."""
    return {action.value: by_action.get(action, 0) for action in Action}


def standing(where: Standing, now: datetime) -> Shape:
    """Return where an object stands; ``lag_s`` is the age of the horizon in seconds."""
    lag = None if where.complete_to is None else (now - where.complete_to).total_seconds()
    gaps = [gap(missing) for missing in where.gaps]
    return {
        "object": where.object,
        "records": where.records,
        "deleted": where.deleted,
        "versions": where.versions,
        "expected": None if where.expected_at is None else where.expected,
        "expected_at": time(where.expected_at),
        "watermark": time(where.watermark),
        "complete_to": time(where.complete_to),
        "lag_s": lag,
        "last_run": where.last_run,
        "last_finished": time(where.last_finished),
        "gaps": gaps,
    }
