"""Where the walk through event log files stands, as a small JSON text. Pure."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from crmtrail.errors import CursorLost
from crmtrail.model import Mode

MOST_READ: Final = 500
"""How many of the newest files are remembered as read. One that is not is read again, for
nothing."""


class LineCursor(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A position.

    Attributes:
        lines: ``walk`` or ``rest``; its name tells this cursor from that of other objects.
        mark: every file made before it is read; None before the first walk is through.
        began: the vendor's clock before this walk's first request.
        stamp: with ``id``, the last file that is read to its end; its CreatedDate.
        id: the last file that is read to its end.
        file: the file that is being read; empty between two files.
        place: how many bytes of it are read.
        read: the newest files that are read, and when they were made.
    """

    lines: str
    mark: datetime | None = None
    began: datetime | None = None
    stamp: datetime | None = None
    id: str = ""
    file: str = ""
    place: int = 0
    read: dict[str, datetime] = {}


def write(cursor: LineCursor) -> str:
    """Return the text of a cursor."""
    return msgspec.json.encode(cursor).decode()


def read(text: str) -> LineCursor:
    """Read a cursor.

    Raises:
        CursorLost: the text is none of ours.
    """
    try:
        return msgspec.json.decode(text, type=LineCursor)
    except msgspec.MsgspecError:
        raise CursorLost(
            "the stored position in Salesforce's event log files cannot be read",
            hint="run `crmtrail sync --full` for it",
        ) from None


def start(position: str | None, mode: Mode) -> str:
    """Return the cursor of a walk's first page; one that broke off goes on.

    Lines never change, so only FULL reads again what was read before.
    """
    if position is None or mode is Mode.FULL:
        return write(LineCursor("walk"))
    try:
        kept = read(position)
    except CursorLost:
        return position  # `page` says what is wrong with it
    return write(kept if kept.lines == "walk" else msgspec.structs.replace(kept, lines="walk"))


def after(
    at: LineCursor, id_: str, created: datetime, place: int | None, overlap: timedelta
) -> LineCursor:
    """Return the cursor after lines of a file, of which the rest begins at ``place``, if any.

    Of the files that are read, those still ahead are remembered, and those of the overlap to come.
    """
    if place is not None:
        return msgspec.structs.replace(at, file=id_, place=place)
    since = min(created, at.began - overlap) if at.began else created
    read_now = {one: made for one, made in {**at.read, id_: created}.items() if made >= since}
    kept = dict(list(read_now.items())[-MOST_READ:])
    return msgspec.structs.replace(at, stamp=created, id=id_, file="", place=0, read=kept)


def ended(at: LineCursor, overlap: timedelta) -> LineCursor:
    """Return the cursor of rest after a walk; the mark never moves back.

    Every walk looks back over the overlap: a file may be listed later than it was made.
    """
    marks = [one for one in (at.mark, at.began) if one is not None]
    mark = max(marks, default=None)
    kept = {id_: made for id_, made in at.read.items() if mark and made >= mark - overlap}
    return LineCursor("rest", mark=mark, read=kept)
