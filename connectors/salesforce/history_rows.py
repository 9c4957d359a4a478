"""From rows of Salesforce's history objects to events of our records. Pure.

What the rows look like is from fact sheet 11.2: a changed lookup leaves two rows, one with names
and one with ids; long texts and multi-select picklists leave a row without values; a row whose
Field is no field of the record (``created``, ``ownerAccepted``, ``accountMerged``, ``locked``)
tells no field change; the order within a second is not promised.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import msgspec

from connectors.salesforce.history_tokens import is_id, recorded
from connectors.salesforce.readings import Row, moment_of, text_of
from crmtrail.model import NULL, Actor, Event, Field, FieldType, Reading, Token, unknown

_NOBODY = unknown("Salesforce's history names nobody")
_TRUE = msgspec.Raw(b"true")
_FALSE = msgspec.Raw(b"false")
_NO_UPDATES = ("creat", "insert", "delet", "undelet")
_KINDS = ("Text", "Number", "DateTime")


@dataclass(frozen=True, slots=True)
class Told:
    """One row: the field took ``new`` after ``old``, of which the vendor may have kept nothing.

    ``new`` is None where the row says that the field changed, but not to what.
    """

    field: str
    old: Token | None
    new: Token | None
    at: datetime
    by: str
    id: str


@dataclass(frozen=True, slots=True)
class Trail:
    """A record's events, and what is known to be missing among them: field and time."""

    events: tuple[Event, ...]
    missing: tuple[tuple[str, datetime], ...] = ()


def changes(rows: Iterable[Row], fields: Mapping[str, Field], at: str) -> list[Told]:
    """Return what rows of a field history object tell of one record, oldest first."""
    names = _names(fields)
    found = [told for row in rows if (told := _change(row, names, fields, at))]
    found.sort(key=lambda told: (told[0].at, told[0].id))
    return _folded(found)


def activity(rows: Iterable[Row], fields: Mapping[str, Field]) -> list[Told]:
    """Return what rows of ActivityFieldHistory tell of one task or event, oldest first."""
    names = _names(fields)
    found = []
    for row in rows:
        name = names.get((text_of(row, "FieldName") or "").lower())
        at = moment_of(row, "ChangedDate")
        operation = (text_of(row, "Operation") or "").lower()
        if name is None or at is None or operation.startswith(_NO_UPDATES):
            continue
        untold = row.get("IsDataAvailable") == _FALSE
        old, new = (None if untold else _kept(row, side, fields[name]) for side in ("Old", "New"))
        by, id_ = text_of(row, "ChangedById") or "", text_of(row, "Id") or ""
        found.append(_valued(fields[name], old or NULL, new or NULL, at, by, id_))
    return sorted(found, key=lambda told: (told.at, told.id))


def stages(
    rows: Iterable[Row], fields: Mapping[str, Field], created: datetime | None, *, poll: bool
) -> list[Told]:
    """Return what rows of OpportunityHistory tell: each is the whole state after a change.

    The first row has nothing before it. Where that is no creation, and the row itself does not
    tell what was before, a ``poll`` gives its values all the same: what is stored tells whether
    they changed.
    """
    found: list[Told] = []
    before: Row | None = None
    ordered = [(at, row) for row in rows if (at := moment_of(row, "CreatedDate"))]
    for at, row in sorted(ordered, key=lambda one: (one[0], text_of(one[1], "Id") or "")):
        if before is not None or at != created:
            found += _steps(row, before, fields, at, poll=poll)
        before = row
    return found


def _steps(
    row: Row, before: Row | None, fields: Mapping[str, Field], at: datetime, *, poll: bool
) -> Iterable[Told]:
    by, id_ = text_of(row, "CreatedById") or "", text_of(row, "Id") or ""
    for name in ("StageName", "Amount", "CloseDate", "Probability", "ExpectedRevenue",
                 "ForecastCategory"):  # fmt: skip
        if name not in fields or name not in row:
            continue
        new = recorded(fields[name], _token(row, name))
        old: Token | None = None
        if before is not None and name in before:
            old = recorded(fields[name], _token(before, name))
        elif f"Prev{name}" in row:
            old = recorded(fields[name], _token(row, f"Prev{name}"))
        elif not poll:
            continue
        if new is not None and new != old:
            yield Told(name, old, new, at, by, id_)


def merged(field_history: Sequence[Told], stage_history: Sequence[Told]) -> list[Told]:
    """Return both, each change once: what field history tells need not be told again."""
    told = {(one.field, one.at, one.by) for one in field_history}
    more = [one for one in stage_history if (one.field, one.at, one.by) not in told]
    return sorted((*field_history, *more), key=lambda one: one.at)


def trail(told: Sequence[Told], reading: Reading, actors: Mapping[str, Actor]) -> Trail:
    """Return the events of one record.

    A change without values that is the newest of its field led to what the record holds now, so
    that the event says. Of an older one the value is not known: it is missing, and never null.
    """
    newest: dict[str, Told] = {one.field: one for one in told}
    events: list[Event] = []
    missing: list[tuple[str, datetime]] = []
    for one in told:
        if one.field not in reading.fields:
            continue
        new = one.new
        if new is None:
            if newest[one.field] is not one:
                missing.append((one.field, one.at))
                continue
            new = reading.fields[one.field]
        actor = actors.get(one.by) or _NOBODY
        events.append(Event(one.field, new, one.at, actor, one.old))
    return Trail(tuple(events), tuple(missing))


def _names(fields: Mapping[str, Field]) -> Mapping[str, str]:
    """Return fields by the names that history gives them: a lookup may go without its ``Id``."""
    names = {
        name.removesuffix("Id").lower(): name
        for name, field in fields.items()
        if field.type is FieldType.REFERENCE and name.endswith("Id")
    }
    return names | {name.lower(): name for name in fields}


def _change(
    row: Row, names: Mapping[str, str], fields: Mapping[str, Field], at_field: str
) -> tuple[Told, bool] | None:
    """Return a row of a known field, and whether it is the names' half of a lookup."""
    name = names.get((text_of(row, "Field") or "").lower())
    at = moment_of(row, at_field)
    if name is None or at is None or row.get("IsDeleted") == _TRUE:
        return None
    field = fields[name]
    old, new = _token(row, "OldValue"), _token(row, "NewValue")
    named = field.type is FieldType.REFERENCE and not _has_ids(row, old, new)
    by, id_ = text_of(row, "CreatedById") or "", text_of(row, "Id") or ""
    if named:
        return Told(name, None, None, at, by, id_), True
    return _valued(field, old, new, at, by, id_), False


def _valued(field: Field, old: Token, new: Token, at: datetime, by: str, id_: str) -> Told:
    if old == new == NULL:
        return Told(field.name, None, None, at, by, id_)
    return Told(field.name, recorded(field, old), recorded(field, new), at, by, id_)


def _has_ids(row: Row, old: Token, new: Token) -> bool:
    if text_of(row, "DataType") == "EntityId":
        return True
    told = [value for value in (old, new) if value != NULL]
    return bool(told) and all(map(is_id, told))


def _folded(found: Sequence[tuple[Told, bool]]) -> list[Told]:
    """Return one entry for each change: of a lookup's two rows that with ids, in a true order."""
    folded: list[Told] = []
    for _, together in groupby(found, key=lambda one: one[0].at):
        by_field: dict[str, list[tuple[Told, bool]]] = {}
        for one in together:
            by_field.setdefault(one[0].field, []).append(one)
        for rows in by_field.values():
            valued = [told for told, named in rows if not named]
            before = next((one.new for one in reversed(folded) if one.field == rows[0][0].field),
                          None)  # fmt: skip
            folded += _chained(valued, before) if valued else [rows[0][0]]
    return folded


def _chained(rows: Sequence[Told], before: Token | None) -> list[Told]:
    """Return changes of one field within one second, each going on from where the last led."""
    left, chain = list(rows), []
    while left:
        ends = {one.new for one in left if one.new is not None}
        follows = (one for one in left if before is not None and one.old == before)
        starts = (one for one in left if one.old not in ends)
        following = next(follows, None) or next(starts, left[0])
        left.remove(following)
        chain.append(following)
        before = following.new
    return chain


def _token(row: Row, name: str) -> Token:
    return str(row[name], "utf-8") if name in row else NULL


def _kept(row: Row, side: str, field: Field) -> Token | None:
    """Return the value that an activity's row kept, in whichever of its columns it is."""
    kinds = ("DateTime", "Text", "Number") if field.type is FieldType.DATETIME else _KINDS
    told = (_token(row, f"{side}Value{kind}") for kind in kinds)
    return next((value for value in told if value != NULL), None)
