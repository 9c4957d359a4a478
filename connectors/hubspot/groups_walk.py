"""The walk over lists: what is asked for next, and when a look turns into a tale. Pure."""

from collections.abc import Sequence
from typing import Final

import msgspec

from connectors.hubspot.groups_cursor import ListCursor
from connectors.hubspot.groups_parts import Part
from connectors.hubspot.groups_rows import digest_of
from connectors.hubspot.shapes import Rows

_SECOND: Final = 1_000


def everything(parts: Sequence[Part], at: ListCursor) -> tuple[int, ...]:
    """Return the parts to ask for: those that are spare come last, and only in a walk that tells.

    What is gone is told after what lives: a thing may be in both for a moment.
    """
    tell = at.lists == "tell"
    return tuple(
        no for no, part in enumerate(parts) if tell or not (part.spare or part.of in at.refused)
    )


def turned(
    at: ListCursor, part: Part, parts: Sequence[Part], told: Rows
) -> tuple[ListCursor, bool]:
    """Return the cursor with a page noted, and whether the page is to be told.

    The first page that differs turns a look into a tale: what was only compared before that is
    asked for again, at the end. Where HubSpot lists what is gone, that list and the page will do.
    """
    if part.spare:
        return at, True
    key = _key(part, at.after)
    digest = digest_of(told.results, told.after)
    at = msgspec.structs.replace(at, digests={**at.digests, key: digest})
    if at.lists == "tell" or at.kept.get(key) == digest:
        return at, at.lists == "tell"
    gone = [no for no, one in enumerate(parts) if one.gone and one.of == part.of]
    if gone:
        more = [no for no in gone if no not in at.todo]
        return msgspec.structs.replace(at, todo=(*at.todo, *more)), True
    at = msgspec.structs.replace(at, lists="tell")
    listed = everything(parts, at)
    again = [no for no in listed if no not in at.todo and not parts[no].spare]
    if at.after is not None:
        again.append(at.todo[0])
    spare = [no for no in listed if parts[no].spare]
    return msgspec.structs.replace(at, todo=(*at.todo, *again, *spare)), True


def onward(at: ListCursor, told: Rows) -> ListCursor:
    """Return the cursor after a page: on its next one, or on the next part."""
    if told.after is not None and told.after != at.after:
        return msgspec.structs.replace(at, after=told.after)
    return msgspec.structs.replace(at, after=None, todo=at.todo[1:])


def skipped(at: ListCursor, part: Part, why: str) -> ListCursor:
    """Return the cursor after a part that HubSpot does not give out, with what it said."""
    refused = at.refused if part.spare else {**at.refused, part.of: why}
    return msgspec.structs.replace(at, after=None, todo=at.todo[1:], refused=refused)


def rested(at: ListCursor) -> ListCursor:
    """Return the cursor of a walk that is through.

    HubSpot's clock tells whole seconds: what changes within the second of two walks might be lost
    to the sweep, so the next one tells everything again.
    """
    if at.began is None:
        return ListCursor("rest", kept=at.kept, mark=at.mark, known=at.known)
    hasty = at.mark is not None and at.began - at.mark < _SECOND
    known = (at.met or None) if at.lists == "tell" else at.known
    hidden = {key: was for key, was in at.kept.items() if _owner(key) in at.refused}
    kept = {} if hasty else hidden | at.digests
    return ListCursor("rest", kept=kept, mark=at.began, known=known, refused=at.refused)


def again(at: ListCursor, parts: Sequence[Part]) -> ListCursor | None:
    """Return the cursor of the tale that a look calls for in which pages were missing, if any.

    A page or a whole list is there no more, so what lay in it is to be looked for.
    """
    missing = at.kept.keys() - at.digests.keys()
    if at.lists != "look" or all(_owner(key) in at.refused for key in missing):
        return None
    fresh = ListCursor("tell", began=at.began, kept=at.kept, mark=at.mark, known=at.known)
    return msgspec.structs.replace(fresh, todo=everything(parts, fresh))


def was_read(at: ListCursor, part: Part) -> bool:
    """Whether a part that is refused now was readable in the last whole walk."""
    return not part.spare and part.of in {_owner(key) for key in at.kept}


def saw_all(at: ListCursor) -> bool:
    """Whether a walk that is through told all there is.

    What was readable before and is not any more would seem to be gone.
    """
    hidden = {_owner(key) for key in at.kept} & at.refused.keys()
    return at.lists == "tell" and not hidden


def _key(part: Part, after: str | None) -> str:
    return f"{part.of}|{after or ''}"


def _owner(key: str) -> str:
    return key.partition("|")[0]
