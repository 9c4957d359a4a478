"""Lists that HubSpot gives out whole only: definitions, users, roles, teams, owners, imports.

A poll compares each page with what it was: where nothing changed, nothing is stored. Once a page
differs the whole list is told, so that the store finds what is gone. A poll costs one request for
each list; where that is more than a few, a process asks less often.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Protocol

import msgspec

from connectors.hubspot import groups_walk as walk
from connectors.hubspot.client import Told
from connectors.hubspot.groups_asking import Asking
from connectors.hubspot.groups_cursor import ListCursor, Way, kept_in, place, text_of
from connectors.hubspot.groups_kinds import LISTS, Kind
from connectors.hubspot.groups_parts import Found, Part, found_in
from connectors.hubspot.groups_rows import moment_in, picked, text_in, value_in
from connectors.hubspot.people import People
from connectors.hubspot.refusals import Absent, Refusal
from connectors.hubspot.shapes import Rows, milliseconds, moment_of
from crmtrail.errors import CursorLost, PermissionMissing
from crmtrail.model import (
    Actor,
    ActorKind,
    Gap,
    Loss,
    Mode,
    Page,
    Reading,
    Ref,
    Removal,
    unknown,
)
from crmtrail.ports import Clock

FEW: Final = 5
"""So many requests a poll of one object may cost each time."""

EACH: Final = timedelta(seconds=30)
"""A longer poll takes place at most so often, times its requests."""

_SAME_WRITE: Final = timedelta(seconds=2)


class Witness(Protocol):
    """Somebody who knows more of changes than the list itself tells."""

    def readings(
        self, object_: str, readings: Sequence[Reading], since: datetime | None
    ) -> Sequence[Reading]:
        """Return readings with who made the changes after ``since``, as far as that is known."""
        ...

    def removals(self, object_: str, ids: Sequence[str]) -> Mapping[str, Removal]:
        """Return who removed what, as far as that is known."""
        ...


class Lists:
    """Reads one page of one list at a time.

    Args:
        asking: asks for the lists.
        source: the source's name.
        people: the names behind user ids.
        witness: knows who changed pipelines and users.
        clock: used to ask less often.
    """

    def __init__(
        self, asking: Asking, source: str, people: People, witness: Witness, clock: Clock
    ) -> None:
        self._asking = asking
        self._source = source
        self._people = people
        self._witness = witness
        self._clock = clock
        self._polled: dict[str, tuple[datetime, int]] = {}

    def start(self, object_: str, position: str | None, mode: Mode) -> str:
        """Return the cursor of a walk's first page; one that broke off goes on."""
        kept = kept_in(position, ListCursor)
        if position is not None and kept is None and mode is not Mode.FULL:
            return position  # `page` says what is wrong with it
        if kept is None or mode is Mode.FULL:
            fresh = ListCursor("tell", kept=kept.kept, mark=kept.mark) if kept else None
            return text_of(fresh or ListCursor("tell"))
        if kept.lists == "tell" or (kept.lists == "look" and mode is Mode.INCREMENTAL):
            return text_of(kept)
        again = mode is Mode.RECONCILE or kept.mark is None
        way: Way = "tell" if again else "look"
        if way == "look" and self._can_wait(object_):
            return text_of(msgspec.structs.replace(kept, lists="rest"))
        refused = kept.refused if way == "look" else {}
        return text_of(
            ListCursor(way, kept=kept.kept, mark=kept.mark, known=kept.known, refused=refused)
        )

    def page(self, object_: str, cursor: str) -> Page:
        """Return one page of a list, and the cursor after it; one request as a rule.

        Raises:
            PermissionMissing, Absent: HubSpot does not give the list out.
            CursorLost: the cursor is none of ours.
        """
        at = place(cursor, ListCursor)
        if at.lists == "rest":
            return Page(object_, cursor, done=True)
        parts = self._asking.parts(object_)
        if at.began is None and not at.todo:
            at = msgspec.structs.replace(at, todo=walk.everything(parts, at))
        if not at.todo or max(at.todo) >= len(parts):
            raise CursorLost("the lists of the account changed meanwhile")
        part = parts[at.todo[0]]
        told = self._told(object_, part, at)
        if isinstance(told, str):
            page = self._ended_or(object_, walk.skipped(at, part, told), parts, (), ())
            return replace(page, gaps=(*page.gaps, *_hidden(object_, at, part, told)))
        began = at.began if at.began is not None else milliseconds(told.at)
        begun = msgspec.structs.replace(at, began=began)
        at, tale = walk.turned(begun, part, parts, told.content)
        readings, removals = self._written(object_, part, told, at) if tale else ((), ())
        met = _met(object_, at, readings)
        following = walk.onward(met, told.content)
        return self._ended_or(object_, following, parts, readings, removals)

    def read(self, object_: str, ids: Sequence[str]) -> Mapping[str, Reading | Removal]:
        """Return things as they are now, by the id asked for: their lists are read whole."""
        wanted = frozenset(ids)
        answers: dict[str, Reading | Removal] = {}
        for part in self._asking.parts(object_):
            if part.of and not any(id_.startswith(f"{part.of}.") for id_ in wanted):
                continue
            for told in self._pages(object_, part):
                readings, removals = self._found(object_, part, told, None)
                answers |= {one.ref.id: one for one in removals if one.ref.id in wanted}
                answers |= {one.ref.id: one for one in readings if one.ref.id in wanted}
        missing = [id_ for id_ in ids if id_ not in answers]
        answers.update(self._witness.removals(object_, missing) if missing else {})
        return answers

    # --- asking ------------------------------------------------------------------------------

    def _told(self, object_: str, part: Part, at: ListCursor) -> Told[Rows] | str:
        """Return a page, or what HubSpot said where this part of several is not for us."""
        try:
            return self._asking.page(object_, part, at.after)
        except (PermissionMissing, Absent, Refusal) as error:
            if not (part.of or part.spare):
                raise
            return str(error)

    def _pages(self, object_: str, part: Part) -> Sequence[Told[Rows]]:
        pages: list[Told[Rows]] = []
        after: str | None = None
        try:
            while not pages or after is not None:
                pages.append(self._asking.page(object_, part, after))
                after = pages[-1].content.after
        except (Absent, Refusal):
            return pages
        except PermissionMissing:
            if part.spare:  # sensitive definitions, of which this token knows nothing
                return pages
            raise
        return pages

    def _can_wait(self, object_: str) -> bool:
        """Whether the last poll cost so much that this process may leave the next one out."""
        if object_ not in self._polled:
            return False
        at, requests = self._polled[object_]
        return requests > FEW and timedelta() <= self._clock.now() - at < requests * EACH

    # --- telling -----------------------------------------------------------------------------

    def _written(
        self, object_: str, part: Part, told: Told[Rows], at: ListCursor
    ) -> tuple[Sequence[Reading], Sequence[Removal]]:
        readings, removals = self._found(object_, part, told, at)
        since = None if at.mark is None else moment_of(at.mark)
        unnamed = [one.ref.id for one in removals if one.actor.kind is ActorKind.UNKNOWN]
        named = self._witness.removals(object_, unnamed) if unnamed and since else {}
        return (
            self._witness.readings(object_, readings, since),
            [named.get(one.ref.id, one) for one in removals],
        )

    def _found(
        self, object_: str, part: Part, told: Told[Rows], at: ListCursor | None
    ) -> tuple[list[Reading], list[Removal]]:
        found = list(found_in(object_, part, told.content.results))
        gone = [self._removal(object_, one, told.at) for one in found if _is_gone(one)]
        if part.gone:
            return [], gone
        live = [one for one in found if not _is_gone(one)]
        return [self._reading(object_, one, told.at, at) for one in live], gone

    def _reading(
        self, object_: str, one: Found, read_at: datetime, at: ListCursor | None
    ) -> Reading:
        kind = LISTS[object_]
        moved = (moment_in(one.row, kind.moved) if kind.moved else None) or read_at
        stamps = picked(one.row, kind.stamps)
        made = moment_in(one.row, kind.born)
        creator = self._user(one, kind.creator) if kind.creator else _nobody(object_)
        if made is None and at and at.known is not None and one.id not in at.known:
            made = read_at  # it was not there when the list was read before
        return Reading(
            ref=Ref(self._source, object_, one.id),
            fields={name: told for name, told in one.fields.items() if name not in kind.stamps},
            stamps=stamps,
            modified_at=moved,
            edited_at=moved,
            read_at=max(read_at, moved),
            actor=self._user(one, kind.editor) if kind.editor else _nobody(object_),
            created_at=made,
            creator=creator,
        )

    def _removal(self, object_: str, one: Found, read_at: datetime) -> Removal:
        kind, actor = LISTS[object_], _nobody(object_)
        at, moved = moment_in(one.row, "archivedAt"), moment_in(one.row, "updatedAt")
        if kind.editor and at and moved and abs(at - moved) <= _SAME_WRITE:
            actor = self._user(one, kind.editor)  # the archiving was its last change
        at = at or moved
        ref = Ref(self._source, object_, one.id)
        return Removal(ref, Loss.DELETED, max(read_at, at) if at else read_at, at, actor)

    def _user(self, one: Found, name: str) -> Actor:
        id_ = text_in(one.row, name)
        if id_ is None:
            return unknown(f"HubSpot names nobody in {name}")
        return Actor(ActorKind.USER, id_, self._people.user(id_))

    def _ended_or(
        self,
        object_: str,
        at: ListCursor,
        parts: Sequence[Part],
        readings: Sequence[Reading],
        removals: Sequence[Removal],
    ) -> Page:
        """Return the page, which is the last one where nothing is left to be asked for."""
        page = Page(object_, text_of(at), done=False, readings=readings, removals=removals)
        if at.todo:
            return page
        if (again := walk.again(at, parts)) is not None:
            return replace(page, cursor=text_of(again))
        self._polled[object_] = self._clock.now(), len(at.digests)
        rest = text_of(walk.rested(at))
        if at.began is None:
            told = next(iter(at.refused.values()), "there is none")
            gap = Gap(object_, None, None, _unreadable(object_, told), whole=True)
            return replace(page, cursor=rest, done=True, gaps=(gap,))
        began = moment_of(at.began)
        return replace(
            page,
            cursor=rest,
            done=True,
            complete_to=began,
            watermark=began,
            swept=began if walk.saw_all(at) else None,
        )


def _met(object_: str, at: ListCursor, readings: Sequence[Reading]) -> ListCursor:
    """Note the ids of a list whose rows bear no stamp of their making."""
    if not _is_known_by_id(LISTS[object_], object_) or at.lists != "tell":
        return at
    ids = (one.ref.id for one in readings)
    return msgspec.structs.replace(at, met=tuple(dict.fromkeys((*at.met, *ids))))


def _is_known_by_id(kind: Kind, object_: str) -> bool:
    return not kind.moved and object_ != "owners"


def _is_gone(one: Found) -> bool:
    """Whether HubSpot says itself that a thing is archived, not only that it is in such a list."""
    return value_in(one.row, "archived") is True or text_in(one.row, "archivedAt") is not None


def _nobody(object_: str) -> Actor:
    if object_ == "users":
        return unknown("HubSpot does not say here who changed a user; see security_activity")
    if object_ in ("pipelines", "pipeline_stages"):
        return unknown("who changed it is told by its audit, as far as that reaches back")
    label = LISTS[object_].label.partition(" (")[0]
    return unknown(f"HubSpot does not say who changed {label[0].lower()}{label[1:]}")


def _unreadable(object_: str, told: str) -> str:
    return f"{object_} cannot be read with this token ({told}): it takes {LISTS[object_].needs}"


def _hidden(object_: str, at: ListCursor, part: Part, told: str) -> Sequence[Gap]:
    """Return the gap of a part that was readable before; until it is, nothing in it is gone."""
    if not walk.was_read(at, part):
        return ()
    why = f"{object_} of {part.of} cannot be read any more with this token ({told})"
    return (Gap(object_, None if at.mark is None else moment_of(at.mark), None, why),)
