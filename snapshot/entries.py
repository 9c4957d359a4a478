"""The bytes that the ledger hashes. Pure.

An entry is one compact JSON object with sorted keys. That of a version names record, number, op,
times (microseconds since 1970), the actor by kind and id, and which fields changed how. It commits
to everything else by SHA-256: to the values as they are stored, ciphertext where they are sealed
(``payload``, ``kept``, ``keyframe``, ``keyframe_kept``), and to the actor in full (``who``). So no
value and no name of a person is in the ledger, none can be altered unnoticed, and all of them can
be forgotten without touching it. docs/ledger.md tells the format.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, NamedTuple

import msgspec

from crmtrail.model import Actor, stamp

VERSION: Final = "version"
"""The kind of a version's entry; every other kind is an action of crmtrail itself."""


@lru_cache(maxsize=4096)
def actor_key(actor: Actor) -> str:
    """Return compact JSON that tells one actor from all others."""
    return _compact([actor.kind, actor.id, actor.name, actor.via, actor.why])


class Said(NamedTuple):
    """What the entry of one version says. Digests are 32 bytes; None where there is no such part.

    ``changed`` gives name and kind (`snapshot.packing`) of each changed field, by field id.
    """

    record: str
    number: int
    op: str
    deleted: bool
    at: int
    known_at: int
    since: int | None
    actor: str
    who: bytes
    changed: Sequence[tuple[str, int]]
    payload: bytes
    kept: bytes | None = None
    keyframe: bytes | None = None
    keyframe_kept: bytes | None = None
    note: str | None = None
    operation: str | None = None
    plan: str | None = None


def version_entry(said: Said) -> bytes:
    """Return the entry of one version."""
    return version_text(
        quoted(said.record),
        said.number,
        said.op,
        said.deleted,
        said.at,
        said.known_at,
        said.since,
        quoted(said.actor),
        said.who.hex(),
        ",".join([f"[{quoted(name)},{kind}]" for name, kind in said.changed]),
        said.payload.hex(),
        parts_text(said.kept, said.keyframe, said.keyframe_kept),
        said.note,
        said.operation,
        said.plan,
    )


def version_text(  # noqa: PLR0913, PLR0917 -- as many as an entry has, in its hottest loop
    record: str,
    number: int,
    op: str,
    deleted: bool,  # noqa: FBT001 -- see above
    at: int,
    known_at: int,
    since: int | None,
    actor: str,
    who: str,
    changed: str,
    payload: str,
    parts: str,
    note: str | None,
    operation: str | None,
    plan: str | None,
) -> bytes:
    """Return the entry of one version, of parts that are JSON already: many versions share them.

    ``record`` and ``actor`` are quoted, ``who`` and ``payload`` are hex, ``changed`` has the
    members of the list, ``parts`` comes from `parts_text`. All else is as in `Said`.
    """
    if note is not None:
        note = f'"note":{note},'
    clustered = "" if operation is None else f',"operation":{quoted(operation)}'
    planned = "" if plan is None else f',"plan":{quoted(plan)}'
    coalesced = "" if since is None else f',"since":{since}'
    return (
        f'{{"actor":{actor},"at":{at},"changed":[{changed}],'
        f'"deleted":{"true" if deleted else "false"},{parts}"kind":"{VERSION}",'
        f'"known_at":{known_at},{note or ""}"number":{number},"op":"{op}"{clustered}'
        f',"payload":"{payload}"{planned},"record":{record}{coalesced},"who":"{who}"}}'
    ).encode()


def parts_text(kept: bytes | None, keyframe: bytes | None, keyframe_kept: bytes | None) -> str:
    """Return what an entry says of these digests, those that are there."""
    told = "" if kept is None else f'"kept":"{kept.hex()}",'
    if keyframe is not None:
        told += f'"keyframe":"{keyframe.hex()}",'
    return told if keyframe_kept is None else f'{told}"keyframe_kept":"{keyframe_kept.hex()}",'


def actor_named(kind: str, ext_id: str | None) -> str:
    """Return an actor as entries name it."""
    return kind if ext_id is None else f"{kind}:{ext_id}"


def who_digest(salt: bytes, key: str) -> bytes:
    """Return what entries commit to of an actor in full; the salt keeps it from being guessed."""
    return sha256(salt + key.encode()).digest()


def action_entry(kind: str, entry: Mapping[str, Any], at: datetime) -> bytes:
    """Return the entry of an action of crmtrail itself.

    Raises:
        ValueError: the kind is that of versions.
        TypeError: the entry holds something that JSON cannot say.
    """
    if kind == VERSION:
        raise ValueError("versions are sealed by keeping them")
    return _compact({"at": stamp(at), "entry": dict(entry), "kind": kind}).encode()


def quoted(text: str) -> str:
    """Return a string as JSON writes it; ten times as fast as `json.dumps`."""
    return msgspec.json.encode(text).decode()


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, default=_plain)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"an entry cannot hold {type(value).__name__}")
