"""Positions of the trail objects: each kind of walk has its own, told apart by its first field.

Times are milliseconds since 1970, by HubSpot's clock.
"""

from typing import Literal, TypeAlias, TypeVar

import msgspec

from crmtrail.errors import CursorLost

Way: TypeAlias = Literal["look", "tell", "rest"]


class ListCursor(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Where the walk over lists stands.

    Attributes:
        lists: ``look`` compares with what was there, ``tell`` also brings it, ``rest`` does none.
        todo: the parts still to be asked for, the first one being under way.
        after: the page token within that part.
        began: when HubSpot answered first.
        digests: of the pages seen in this walk, by part and page token.
        kept: those of the last whole walk.
        mark: when that one began; None before the first is through.
        met: the ids of this walk, where newcomers are told by them.
        known: those of the last whole walk.
        refused: what HubSpot said of the parts that it does not give out, by their object. A look
            leaves them alone.
    """

    lists: Way
    todo: tuple[int, ...] = ()
    after: str | None = None
    began: int | None = None
    digests: dict[str, str] = {}
    kept: dict[str, str] = {}
    mark: int | None = None
    met: tuple[str, ...] = ()
    known: tuple[str, ...] | None = None
    refused: dict[str, str] = {}


class EventCursor(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Where the walk through a log stands.

    Attributes:
        events: ``walk`` or ``rest``.
        mark: everything before it is read; None before the first walk is through.
        floor: from when on this walk reads; None: from the beginning.
        after: the page token.
        began: when HubSpot answered first.
        last: the stamp of the last event so far.
        falls: whether an event was ever seen to come after a newer one.
        rises: whether one was ever seen to come after an older one.
        pages: how many this walk has read.
    """

    events: Literal["walk", "rest"]
    mark: int | None = None
    floor: int | None = None
    after: str | None = None
    began: int | None = None
    last: int | None = None
    falls: bool = False
    rises: bool = False
    pages: int = 0


class AuditCursor(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Where the walk through the audits of pipelines stands.

    Attributes:
        audits: ``list`` compares the pipelines with what they were, ``read`` asks for the audits
            of those that moved, ``rest`` does none.
        todo: object, pipeline and stage (or nothing) of each audit still to be read.
        seen: digests of pipelines and stages as of the list of this walk.
        read: digests as of when their audits were read.
        began: when HubSpot answered first.
        whole: whether all audits are read again.
        refused: objects whose pipelines HubSpot does not show; asked for again once a day.
    """

    audits: Literal["list", "read", "rest"]
    todo: tuple[tuple[str, str, str], ...] = ()
    seen: dict[str, str] = {}
    read: dict[str, str] = {}
    began: int | None = None
    whole: bool = True
    refused: tuple[str, ...] = ()


class ConsentCursor(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Where the walk over contacts and their subscriptions stands.

    Attributes:
        consent: ``all`` lists every contact, ``some`` searches those that moved, ``rest`` does
            none.
        after: the page token.
        began: when HubSpot answered first.
        mark: all contacts that moved before it are read; None before the first walk is through.
    """

    consent: Literal["all", "some", "rest"]
    after: str | None = None
    began: int | None = None
    mark: int | None = None


Place = TypeVar("Place", ListCursor, EventCursor, AuditCursor, ConsentCursor)


def kept_in(text: str | None, shape: type[Place]) -> Place | None:
    """Read a cursor; None where it is none of this kind."""
    try:
        return msgspec.json.decode(text or "", type=shape)
    except (msgspec.MsgspecError, UnicodeError):
        return None


def place(text: str, shape: type[Place]) -> Place:
    """Return the cursor of a page.

    Raises:
        CursorLost: the text is none of ours.
    """
    found = kept_in(text, shape)
    if found is None:
        raise CursorLost(
            "the stored position is not one of this connector",
            hint="sync the object anew with --full",
        )
    return found


def text_of(cursor: msgspec.Struct) -> str:
    """Return the cursor as the store keeps it."""
    return msgspec.json.encode(cursor).decode()
