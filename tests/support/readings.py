"""Builders of what a connector would have read, for tests of the store.

Times are given in seconds after `T0`, so that a test reads as a short story.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from crmtrail.model import (
    Actor,
    ActorKind,
    Event,
    Loss,
    Page,
    Reading,
    Ref,
    Removal,
    token_of,
    unknown,
)

T0 = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
SOURCE = "sf"
OBJECT = "Contact"

ADA = Actor(ActorKind.USER, "005A", "Ada Lovelace")
BOB = Actor(ActorKind.USER, "005B", "Bob Noyce", via="Data Loader")
ROBOT = Actor(ActorKind.APP, "app-7", "Enricher", via="Enricher")


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = T0) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def move(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


def at(seconds: float) -> datetime:
    """Return the moment so many seconds after T0."""
    return T0 + timedelta(seconds=seconds)


def ref(id_: str = "003A", *, source: str = SOURCE, object_: str = OBJECT) -> Ref:
    return Ref(source, object_, id_)


def reading(  # noqa: PLR0913 -- one argument for each thing a story may tell
    id_: str = "003A",
    fields: Mapping[str, Any] | None = None,
    *,
    modified: float = 0,
    edited: float | None = None,
    read: float | None = None,
    actor: Actor = ADA,
    created: float | None = None,
    creator: Actor | None = None,
    trail: Sequence[Event] = (),
    deleted: bool = False,
    stamps: Mapping[str, str] | None = None,
    tokens: Mapping[str, str] | None = None,
    object_: str = OBJECT,
    source: str = SOURCE,
) -> Reading:
    """Return a reading; ``fields`` are plain values, ``tokens`` exact texts beside them.

    Unless told, it was edited when it was modified, and read ten seconds later.
    """
    content = {name: token_of(value) for name, value in (fields or {}).items()}
    return Reading(
        ref=ref(id_, object_=object_, source=source),
        fields=content | dict(tokens or {}),
        modified_at=at(modified),
        edited_at=at(modified if edited is None else edited),
        read_at=at(modified + 10 if read is None else read),
        actor=actor,
        stamps={"SystemModstamp": token_of(str(modified))} if stamps is None else stamps,
        created_at=None if created is None else at(created),
        creator=creator,
        trail=tuple(trail),
        deleted=deleted,
    )


def removal(  # noqa: PLR0913 -- as above
    id_: str = "003A",
    *,
    read: float,
    when: float | None = None,
    loss: Loss = Loss.DELETED,
    actor: Actor | None = None,
    merged_into: str | None = None,
    restorable_until: datetime | None = None,
    object_: str = OBJECT,
) -> Removal:
    return Removal(
        ref=ref(id_, object_=object_),
        loss=loss,
        read_at=at(read),
        at=None if when is None else at(when),
        actor=actor or unknown("the vendor does not tell who deleted it"),
        merged_into=merged_into,
        restorable_until=restorable_until,
    )


def event(field: str, value: Any, when: float, actor: Actor = ADA) -> Event:
    return Event(field, token_of(value), at(when), actor)


def page(
    *found: Reading | Removal,
    cursor: str = "c1",
    done: bool = True,
    object_: str = OBJECT,
    **more: Any,
) -> Page:
    """Return a page of readings and removals, in order."""
    return Page(
        object=object_,
        cursor=cursor,
        done=done,
        readings=[one for one in found if isinstance(one, Reading)],
        removals=[one for one in found if isinstance(one, Removal)],
        **more,
    )
