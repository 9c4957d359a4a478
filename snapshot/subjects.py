"""Who or what is meant by ``source:object:id``, ``source:object`` or an e-mail address."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import Connection

from crmtrail.errors import Mistake, Unfound
from crmtrail.model import Ref
from snapshot.names import known_object
from snapshot.vault import Vault

_RECORD: Final = (
    "SELECT r.record_id, o.source, o.name, r.ext_id, r.object_id, r.key_id, q.key_id,"
    " r.number, r.erased_at FROM {}"
    " CROSS JOIN object AS o ON o.object_id = r.object_id"
    " CROSS JOIN position AS q ON q.object_id = r.object_id"
)
USERS: Final = frozenset({"user", "users"})
"""The objects of both vendors, in small letters, whose records are users of the CRM."""

COMPANIONS: Final[Mapping[str, Sequence[str]]] = {"contacts": ("subscription_statuses",)}
"""Objects whose records are of the same person: their ids begin with the person's and a dot."""

_WRITE: Final = "write source:object:id, like sf:Contact:003..., or an e-mail address"


@dataclass(frozen=True, slots=True)
class Named:
    """What was written: an address, or an object, or a record of it."""

    address: str | None = None
    source: str = ""
    object: str = ""
    id: str = ""

    @classmethod
    def parse(cls, text: str, *, objects: bool = False) -> "Named":
        """Read it.

        Args:
            text: what was written.
            objects: whether ``source:object`` will do.

        Raises:
            Mistake: it is none of these.
        """
        source, _, rest = text.strip().partition(":")
        object_, _, id_ = rest.partition(":")
        if source and object_ and (id_ or objects) and "@" not in source:
            return cls(None, source, object_, id_)
        if "@" in text.strip("@ "):
            return cls(text.strip())
        raise Mistake(f"{text!r} names nobody", hint=_WRITE)


class Subject(NamedTuple):
    """One record of a person. ``object_key`` is the key that the object's records share."""

    record_id: int
    ref: Ref
    object_id: int
    key_id: int | None
    object_key: int | None
    number: int
    erased_at: int | None


class Whom(NamedTuple):
    """Who is meant: records, and ids of users of the CRM, who need not be records here."""

    subjects: tuple[Subject, ...]
    users: tuple[str, ...]

    @classmethod
    def of(cls, subjects: Iterable[Subject], users: Iterable[str] = ()) -> "Whom":
        """Return some records, with the users among them, and further users."""
        found = tuple(subjects)
        own = (one.ref.id for one in found if one.ref.object.casefold() in USERS)
        return cls(found, tuple(dict.fromkeys((*own, *users))))


def whom_of(connection: Connection, vault: Vault, text: str) -> Whom:
    """Return whom a text names; see `subjects_of`. A user may be known by what they changed only.

    Raises:
        Mistake: it names nobody, or the store has no index of addresses.
        Unfound: nothing is stored of it.
    """
    try:
        return Whom.of(subjects_of(connection, vault, text))
    except Unfound:
        named = Named.parse(text)
        if named.object.casefold() not in USERS or not known_users(connection, [named.id]):
            raise
        return Whom((), (named.id,))


def known_users(connection: Connection, ids: Iterable[str]) -> list[str]:
    """Return those of some users of the CRM who changed anything, named or not any more."""
    found = connection.exec_driver_sql(
        "SELECT DISTINCT a.ext_id FROM json_each(?) AS t CROSS JOIN actor AS a"
        " ON a.kind = 'user' AND a.ext_id = t.value ORDER BY a.ext_id",
        (json.dumps(list(ids)),),
    )
    return list(found.scalars())


def subjects_of(connection: Connection, vault: Vault, text: str) -> list[Subject]:
    """Return the records that a text names, by record.

    An address finds records of persons that were ever seen under it, in all sources.

    Raises:
        Mistake: it names nobody, or the store has no index of addresses.
        Unfound: nothing is stored of it.
    """
    named = Named.parse(text)
    if named.address is None:
        one = _one(connection, named)
        return [one, *_companions(connection, one.ref)]
    rows = connection.exec_driver_sql(
        _RECORD.format("subject_index AS i CROSS JOIN record AS r ON r.record_id = i.record_id")
        + " WHERE i.blind = ? ORDER BY o.source, o.name, r.ext_id",
        (blind_of(connection, vault, named.address),),
    )
    found = [_subject(row) for row in rows]
    if not found:
        raise Unfound(
            "no record of a person is known under this address",
            hint="erased already? Otherwise name the record: source:object:id",
        )
    return found


def subjects_at(connection: Connection, rows: Sequence[int]) -> list[Subject]:
    """Return records by their rows."""
    found = connection.exec_driver_sql(
        _RECORD.format("json_each(?) AS j CROSS JOIN record AS r ON r.record_id = j.value")
        + " ORDER BY j.key",
        (json.dumps(list(rows)),),
    )
    return [_subject(row) for row in found]


def blind_of(connection: Connection, vault: Vault, address: str) -> bytes:
    """Return what stands for an address in the index.

    Raises:
        Mistake: the store has no such index.
    """
    some = connection.exec_driver_sql("SELECT 1 FROM subject_index LIMIT 1").scalar()
    if vault.keys is None or some is None:
        raise Mistake(
            "nobody in this store can be found by an address: no record of a person is sealed",
            hint="name the record: source:object:id",
        )
    return vault.blind(address)


def _one(connection: Connection, named: Named) -> Subject:
    object_row = known_object(connection, named.source, named.object)
    row = connection.exec_driver_sql(
        _RECORD.format("record AS r") + " WHERE r.object_id = ? AND r.ext_id = ?",
        (-1 if object_row is None else object_row, named.id),
    ).one_or_none()
    if row is None:
        told = f"{named.source}:{named.object}:{named.id}"
        raise Unfound(f"there is no record {told} in the store", hint="check source, object and id")
    return _subject(row)


def _companions(connection: Connection, ref: Ref) -> list[Subject]:
    """Return the records of other objects that are of the same person."""
    found: list[Subject] = []
    for name in COMPANIONS.get(ref.object.casefold(), ()):
        object_row = known_object(connection, ref.source, name)
        if object_row is not None:
            rows = connection.exec_driver_sql(
                _RECORD.format("record AS r")
                + " WHERE r.object_id = ? AND r.ext_id >= ? AND r.ext_id < ? ORDER BY r.ext_id",
                (object_row, f"{ref.id}.", f"{ref.id}/"),
            )
            found += [_subject(row) for row in rows]
    return found


def _subject(row: Sequence[object]) -> Subject:
    record_id, source, object_, id_, *rest = row
    return Subject(record_id, Ref(str(source), str(object_), str(id_)), *rest)  # type: ignore[arg-type]
