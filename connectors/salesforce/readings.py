"""From a record's exact JSON to a reading, and from a deleted row to a removal."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b

import msgspec

from connectors.salesforce import logs_actors
from connectors.salesforce.ids import to18
from connectors.salesforce.people import People
from connectors.salesforce.schema import BOOKKEEPING, Known
from crmtrail.errors import Unavailable
from crmtrail.model import (
    Actor,
    Loss,
    Reading,
    Ref,
    Removal,
    moment,
    unknown,
)
from crmtrail.slices import BETWEEN, Slices

Row = Mapping[str, msgspec.Raw]
"""One record as told: field name to exact JSON text, cut out of the answer but not read."""

IN_THE_BIN = timedelta(days=15)
"""How long Salesforce keeps a deleted record in the recycle bin."""

_SAME_WRITE = timedelta(seconds=5)
"""SystemModstamp may be a few seconds later than LastModifiedDate of the same write."""

_LOOKED_AT = ("LastViewedDate", "LastReferencedDate")
_STAMPS = tuple(sorted(BOOKKEEPING))
_UNTOLD = (*_STAMPS, "attributes", "IsDeleted")
_BETWEEN = BETWEEN.encode()
_TEXT = msgspec.json.Decoder(str)
_TRUE = msgspec.Raw(b"true")
_BLANK = msgspec.Raw(b"null")


def text_of(row: Row, name: str) -> str | None:
    """Return a text value; None where it is absent, blank or no text."""
    told = bytes(row.get(name, _BLANK))
    return _TEXT.decode(told) if told.startswith(b'"') else None


def believed(text: str, name: str) -> datetime:
    """Read one of the vendor's stamps.

    Raises:
        Unavailable: the text is no stamp, so the answer cannot be believed.
    """
    try:
        return moment(text)
    except ValueError:
        raise Unavailable(f"Salesforce answered a {name} that is no time stamp") from None


def moment_of(row: Row, name: str) -> datetime | None:
    """Return a stamp; None where it is absent or blank.

    Raises:
        Unavailable: the text is no stamp, so the answer cannot be believed.
    """
    text = text_of(row, name)
    return None if text is None else believed(text, name)


def id_of(row: Row) -> str:
    """Return a record's id in its 18-character form.

    Raises:
        Unavailable: the row carries no id, so the answer cannot be believed.
    """
    id_ = to18(text_of(row, "Id") or "")
    if id_ is None:
        raise Unavailable("Salesforce answered a record without a usable Id")
    return id_


def digest_of(row: Row) -> str:
    """Return a short digest of all that a row says; who looked at it last is none of it."""
    said = _without(row, _LOOKED_AT)
    digest = blake2b(BETWEEN.join(said).encode(), digest_size=8)
    digest.update(_BETWEEN.join((b"", *said.values())))
    return digest.hexdigest()


def is_deleted(row: Row) -> bool:
    """Whether a row lies in the recycle bin."""
    return row.get("IsDeleted") == _TRUE


def is_merged(row: Row) -> bool:
    """Whether a row lies in the recycle bin because it was merged into another record."""
    return is_deleted(row) and row.get("MasterRecordId", _BLANK) != _BLANK


@dataclass(frozen=True, slots=True)
class Scribe:
    """Writes down what Salesforce told of one object: ``read_at`` is the vendor's clock."""

    source: str
    known: Known
    people: People
    read_at: datetime

    def readings(self, rows: Sequence[Row]) -> Sequence[Reading]:
        """Return a reading for each row; one of the recycle bin is marked as deleted."""
        actors = self.meet(rows)
        return [self._reading(row, actors) for row in rows]

    def removals(self, rows: Sequence[Row], *, whole: bool = False) -> Sequence[Removal]:
        """Return a removal for each row of the recycle bin; ``whole`` rows tell its content too."""
        gone = [row for row in rows if is_deleted(row)]
        actors = self.meet(gone)
        return [
            self._removal(row, actors, self._last(row, actors) if whole else None) for row in gone
        ]

    def _last(self, row: Row, actors: Mapping[str, Actor]) -> Reading:
        """Return what a record held when it was deleted; computed fields move in the bin."""
        schema = self.known.schema.fields
        computed = [name for name in row if name in schema and schema[name].computed]
        return self._reading(_without(row, computed), actors)

    def meet(self, rows: Sequence[Row]) -> Mapping[str, Actor]:
        """Look up everybody these rows name, in as few requests as there can be."""
        names = ["LastModifiedById", "CreatedById"]
        if told := logs_actors.USER_FIELDS.get(self.known.schema.object):
            names.append(told)
        return self.people.meet(text_of(row, name) for row in rows for name in names)

    def _reading(self, row: Row, actors: Mapping[str, Actor]) -> Reading:
        modified = self._modified(row)
        created_by = text_of(row, "CreatedById")
        object_ = self.known.schema.object
        logged = _logged(object_, row, actors)
        return Reading(
            ref=Ref(self.source, object_, id_of(row)),
            fields=Slices(_without(row, _UNTOLD)),
            stamps={name: str(row[name], "utf-8") for name in _STAMPS if name in row},
            modified_at=modified,
            edited_at=moment_of(row, "LastModifiedDate") or modified,
            read_at=max(self.read_at, modified),
            actor=logged or _editor(row, actors, modified),
            created_at=moment_of(row, logs_actors.BORN.get(object_, "CreatedDate")),
            creator=logged or (actors[created_by] if created_by else None),
            deleted=is_deleted(row),
        )

    def _removal(self, row: Row, actors: Mapping[str, Actor], last: Reading | None) -> Removal:
        master = to18(text_of(row, "MasterRecordId") or "")
        at = self._modified(row)
        edited = moment_of(row, "LastModifiedDate")
        moved_too = edited is None or abs(at - edited) <= _SAME_WRITE
        return Removal(
            ref=Ref(self.source, self.known.schema.object, id_of(row)),
            loss=Loss.MERGED if master else Loss.DELETED,
            read_at=self.read_at,
            at=at,
            actor=_editor(row, actors, at)
            if moved_too
            else unknown("the last editor's stamp is older than the deletion"),
            merged_into=master,
            restorable_until=at + IN_THE_BIN if self.known.restorable else None,
            last=last,
        )

    def _modified(self, row: Row) -> datetime:
        for name in ("SystemModstamp", "LastModifiedDate", "CreatedDate", "LoginTime"):
            if found := moment_of(row, name):
                return found
        return self.read_at


def _without(row: Row, names: Iterable[str]) -> dict[str, msgspec.Raw]:
    left = dict(row)
    for name in names:
        left.pop(name, None)
    return left


def _logged(object_: str, row: Row, actors: Mapping[str, Actor]) -> Actor | None:
    """Return whose deed a row of an access log tells; None where it is no such log."""
    user = text_of(row, logs_actors.USER_FIELDS.get(object_, ""))
    if not user:
        return None
    return logs_actors.behind(actors[user], text_of(row, logs_actors.DELEGATE))


def _editor(row: Row, actors: Mapping[str, Actor], modified: datetime) -> Actor:
    """Return who edited the record last; where nobody did since, that is who created it."""
    name = "LastModifiedById"
    if name not in row and moment_of(row, "CreatedDate") == modified:
        name = "CreatedById"
    user = text_of(row, name)
    return actors[user] if user else unknown("Salesforce names nobody on this record")
