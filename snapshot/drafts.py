"""A record as stored, the versions to write of it, and who made them. Pure.

What is made for every record of a first load is a tuple: frozen, and quick to make.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import compress
from operator import ne
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

from crmtrail.model import (
    Actor,
    ActorKind,
    Change,
    ChangeSet,
    Reading,
    Tokens,
    unknown,
)
from snapshot.canonical import same

TICK: Final = timedelta(seconds=1)
"""The coarsest stamp of a vendor (Salesforce, fact sheet 7.1)."""

STAMP_ONLY: Final = Actor(ActorKind.SYSTEM, why="the stamp moved without an edit by a user")
COMPUTED: Final = Actor(ActorKind.SYSTEM, name="computed by the CRM")
UNNAMED: Final = unknown("the vendor's history does not name it")
NO_CREATOR: Final = unknown("the vendor does not tell who created it")


class Past(NamedTuple):
    """A record as stored.

    ``fields`` need only be there where a reading's fingerprint differs from ``seen``, that of the
    last one. ``history_to`` is the newest entry of the vendor's field history already folded in.
    ``operation`` is that of the newest version.
    """

    number: int
    fields: Tokens
    modified_at: datetime
    edited_at: datetime
    known_at: datetime
    deleted: bool = False
    history_to: datetime | None = None
    operation: str | None = None
    seen: bytes = b""


class Draft(NamedTuple):
    """One version to store: what changed, and the record after it.

    ``fields`` and ``stamps`` are None where only the record's life changed; ``note`` is the JSON
    of what a removal told.
    """

    change_set: ChangeSet
    fields: Tokens | None
    stamps: Tokens | None
    deleted: bool
    note: str | None = None


class Unfolded(NamedTuple):
    """The versions to store, and the record after them.

    ``past`` is the very object given where nothing at all is to be stored. ``seen`` gives the
    version number in which each of our own steps showed up.
    """

    past: Past | None
    drafts: tuple[Draft, ...] = ()
    seen: Mapping[tuple[str, int], int] = MappingProxyType({})


Edit: TypeAlias = tuple[tuple[Change, ...], Actor, datetime, bool]
"""Changes made together, by whom and when, and whether there may have been more than one write."""


def changes_between(tokens: Tokens, to: Tokens) -> tuple[Change, ...]:
    """Return how fields have to change, sorted by field."""
    was, names, values = tokens.get, to.keys(), to.values()
    differing = [*compress(zip(names, values, strict=True), map(ne, map(was, names), values))]
    if len(differing) > 1:
        differing.sort()
    return tuple(
        [Change(name, was(name), token) for name, token in differing if not same(was(name), token)]
    )


def author_of(past: Past, found: Reading) -> tuple[Actor, datetime]:
    """Return who made a change that only the stamps tell of, and when."""
    # A stamp of whole seconds does not move for a second edit within its second: if we last
    # looked while it was still running, the edit came after our look.
    running = found.edited_at == found.modified_at and past.known_at < found.edited_at + TICK
    if found.modified_at == past.modified_at and not running:
        return COMPUTED, found.read_at
    if found.edited_at != past.edited_at or running:
        return found.actor, found.edited_at
    return STAMP_ONLY, found.modified_at
