"""Pages of the log: which entries a version gives, and where a page ends. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from crmtrail.errors import Mistake
from crmtrail.model import Change, ChangeSet, Op
from crmtrail.ports import Entry, Query
from snapshot.packing import IS, IS_BLANK, KEPT, WAS, kind_of

BLANKING: Final = (WAS | IS | IS_BLANK, WAS | IS | IS_BLANK | KEPT)
"""The kinds of change that turn a value to nothing."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: all newer was given, and of this version what sorts up to ``field``."""

    version: int
    field: str

    def __str__(self) -> str:
        return f"{self.version}:{self.field}"

    @classmethod
    def parse(cls, text: str) -> "Place":
        """Read a cursor.

        Raises:
            Mistake: it is none of ours.
        """
        version, colon, name = text.partition(":")
        if not colon or not version.isdecimal():
            raise Mistake(f"{text!r} is no cursor of the log", hint="use next of the page before")
        return cls(int(version), name)


def checked(limit: int, cursor: str | None) -> Place | None:
    """Return where to go on.

    Raises:
        Mistake: the cursor is none of ours, or the limit is below 1.
    """
    if limit < 1:
        raise Mistake(f"a page of the log has at least 1 entry, not {limit}")
    return None if cursor is None else Place.parse(cursor)


def page_of(
    newest_first: Iterator[tuple[int, ChangeSet]],
    query: Query,
    place: Place | None,
    limit: int,
    blanked: Callable[[int, Change], bool],
) -> tuple[list[Entry], str | None]:
    """Return the entries of versions behind a place, and where the next page starts, if any.

    ``blanked`` tells whether a change of a version turned a value to nothing.
    """
    page: list[Entry] = []
    last: Place | None = None
    for version, made in newest_first:
        for entry in _entries(version, made, query, blanked):
            here = Place(version, entry.field or "")
            if place and version == place.version and here.field <= place.field:
                continue
            if len(page) == limit:
                return page, str(last)
            page.append(entry)
            last = here
    return page, None


def shown(made: ChangeSet, query: Query) -> bool:
    """Return whether a version is listed: a baseline only where baselines are asked for."""
    return made.op is not Op.BASELINE or query.op is Op.BASELINE


def _entries(
    version: int, made: ChangeSet, query: Query, blanked: Callable[[int, Change], bool]
) -> Iterator[Entry]:
    whole = query.field is None and not query.blanked
    if whole and made.op not in {Op.UPDATE, Op.RESTORE}:
        yield Entry(made, None, None, None)
    for change in made.changes:
        if query.field not in {None, change.field}:
            continue
        if not query.blanked or blanked(version, change):
            yield Entry(made, change.field, change.old, change.new)


def blanks(change: Change) -> bool:
    """Return whether a change turned a value to nothing."""
    return kind_of(change.old, change.new) in BLANKING


def actor_matches(query: Query) -> Callable[[str | None, str | None, str | None], bool]:
    """Return whether an actor's id or name, and its app, are those asked for; case is ignored."""
    who = None if query.actor is None else query.actor.casefold()
    app = None if query.via is None else query.via.casefold()

    def matches(ext_id: str | None, name: str | None, via: str | None) -> bool:
        named = {text.casefold() for text in (ext_id, name) if text is not None}
        through = None if via is None else via.casefold()
        return (who is None or who in named) and (app is None or app == through)

    return matches
