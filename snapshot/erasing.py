"""Erase a person: the values of their records, the keys to those, and all that quotes them.

What stays is who changed which field when, so that the ledger still verifies, and what the law
wants kept (``privacy.keep``).

A kill at any point leads to a finished erasure:

1. One transaction empties the rows, scrubs what quotes them, and seals the entry ``erase``. Before
   it, nothing has happened; the keys are still there, so that quotations can be found.
2. The keys are destroyed in the key store.
3. The erasure is marked finished, and the files are cleaned.

Whoever opens the store after a kill behind 1 calls `Forgetting.finish`, which does the rest.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine

from crmtrail.errors import Mistake
from crmtrail.model import Ref
from crmtrail.ports import Clock
from snapshot import bulk
from snapshot.cleaning import Cleaned, clean
from snapshot.copies import Copies, Values, count_copies, scrub_copies
from snapshot.database import reading, writing
from snapshot.door import forgetting
from snapshot.forgotten import PAYLOAD, Gone, forget_versions, note_forgotten
from snapshot.holding import Hold, Keeping, listed
from snapshot.leaves import entry_at, seal, size_of
from snapshot.packing import Pair
from snapshot.rows import Raw, values_of
from snapshot.shelf import Shelf
from snapshot.states import Wanted, states_of
from snapshot.subjects import USERS, Named, Subject, Whom, subjects_at, whom_of
from snapshot.times import at_micros, micros

ERASE: Final = "erase"
"""The kind of the entry of an erasure."""

AGAIN: Final = "put back from an older copy, and erased again"
"""Why an erasure is replayed."""

_BATCH: Final = 100
"""How many records one transaction of a replay erases."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One record of a person: how many versions, and whether it is erased or held."""

    ref: Ref
    versions: int
    erased_at: datetime | None
    hold: Hold | None


@dataclass(frozen=True, slots=True)
class Export:
    """An export that may hold a record: what was written where, by the entry of that time."""

    leaf: int
    at: str
    object: str
    to: str


@dataclass(frozen=True, slots=True)
class Sight:
    """What an erasure would find. Nothing was changed."""

    records: tuple[Seen, ...]
    copies: Copies
    exports: tuple[Export, ...]


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased. ``leaf`` is the entry, None where all had been erased before."""

    records: tuple[Ref, ...]
    at: datetime
    why: str
    by: str
    leaf: int | None
    versions: int = 0
    keys: tuple[int, ...] = ()
    copies: Copies = field(default_factory=Copies)
    exports: tuple[Export, ...] = ()
    cleaned: Cleaned | None = None


class Forgetting:
    """Erasures of one store. ``shelf`` holds its keys."""

    def __init__(self, engine: Engine, shelf: Shelf, clock: Clock) -> None:
        self._engine = engine
        self._shelf = shelf
        self._clock = clock

    def look(self, subject: str) -> Sight:
        """Return what a subject is: ``source:object:id``, or an e-mail address.

        Raises:
            Mistake: it names nobody.
            Unfound: nothing is stored of it.
        """
        with reading(self._engine) as connection:
            found, users = whom_of(connection, self._shelf.vault, subject)
            keeping = Keeping(connection, self._clock.now())
            seen = [
                Seen(
                    one.ref,
                    one.number,
                    at_micros(one.erased_at),
                    keeping.of(one.record_id, one.object_id, one.ref.id),
                )
                for one in found
            ]
            left = [one for one in found if one.erased_at is None]
            values = values_ever(connection, self._shelf, left)
            copies = count_copies(connection, Whom.of(left, users), values)
            return Sight(tuple(seen), copies, tuple(exports_of(connection, left)))

    def erase(self, subject: str, *, why: str, by: str, anew: bool | None = None) -> Erased:
        """Erase a subject: one record, or all that are known under an address.

        Args:
            subject: see `look`.
            why: the reason, which is sealed; no name belongs in it.
            by: who erases.
            anew: see `snapshot.cleaning.clean`.

        Raises:
            Mistake: it names nobody, or no reason is given, or the reason quotes the address.
            Unfound: nothing is stored of it.
            Held: a hold keeps one of the records; then none is erased.
        """
        if not why.strip():
            raise Mistake("an erasure needs a reason: --why", hint='--why "request 2026-117"')
        address = Named.parse(subject).address
        if address is not None and address.casefold() in why.casefold():
            raise Mistake(
                "the reason quotes the address, and reasons stay in the ledger",
                hint="name the number of the request instead",
            )
        now = self._clock.now()
        with writing(self._engine) as connection:
            whom = whom_of(connection, self._shelf.vault, subject)
            Keeping(connection, now).refuse(whom.subjects)
            left = _left(connection, whom)
            if left is None:
                refs = tuple(one.ref for one in whom.subjects)
                return Erased(refs, now, why.strip(), by, _earlier(connection, whom))
            erased = _erased(connection, self._shelf, left, why.strip(), by, now)
        return replace(erased, cleaned=self.finish(anew=anew))

    def finish(self, *, anew: bool | None = None) -> Cleaned | None:
        """Finish the erasures that were begun; return how it was cleaned up, if there were any.

        Raises:
            KeyMissing: the key store is not this store's.
        """
        with reading(self._engine) as connection:
            begun = connection.exec_driver_sql(
                "SELECT leaf, at FROM erasure WHERE finished IS NULL ORDER BY leaf"
            ).all()
            keys = [entry_at(connection, leaf)["entry"]["keys"] for leaf, _ in begun]
        for (leaf, at), ids in zip(begun, keys, strict=True):
            if ids:
                self._destroy(ids, at_micros(at))
            with writing(self._engine) as connection:
                connection.exec_driver_sql(
                    "UPDATE erasure SET finished = ? WHERE leaf = ? AND finished IS NULL",
                    (micros(self._clock.now()), leaf),
                )
        return clean(self._engine, anew=anew) if begun else None

    def replay(self, *, by: str, later: Sequence[Ref] = (), anew: bool | None = None) -> int:
        """Erase again what an older copy of the store brought back; return how many records.

        Those are the records whose key is destroyed in the key store, and ``later``: those that a
        later ledger says were erased, see `erased_in`.
        """
        count = 0
        users = [ref.id for ref in later if ref.object.casefold() in USERS]
        with writing(self._engine) as connection:
            named = _left(connection, Whom((), tuple(users)))
            if named is not None:
                _erased(connection, self._shelf, named, AGAIN, by, self._clock.now())
        while rows := self._back(later):
            now = self._clock.now()
            with writing(self._engine) as connection:
                found = subjects_at(connection, rows[:_BATCH])
                _erased(connection, self._shelf, Whom.of(found), AGAIN, by, now)
            count += len(found)
        self.finish(anew=anew)
        return count

    def _back(self, later: Sequence[Ref]) -> list[int]:
        """Return the rows of records that ought to be erased and are not."""
        keys = self._shelf.vault.keys
        with reading(self._engine) as connection:
            sealed = connection.exec_driver_sql(
                "SELECT 1 FROM record WHERE key_id IS NOT NULL AND erased_at IS NULL LIMIT 1"
            ).scalar()
        gone = [] if keys is None or sealed is None else list(keys.destroyed())
        with reading(self._engine) as connection:
            rows = connection.exec_driver_sql(
                "SELECT r.record_id FROM json_each(?) AS j CROSS JOIN record AS r"
                " ON r.key_id = j.value WHERE r.erased_at IS NULL ORDER BY r.record_id",
                (listed(gone),),
            )
            found = dict.fromkeys(rows.scalars())
            for ref in later:
                row = connection.exec_driver_sql(
                    "SELECT r.record_id FROM object AS o CROSS JOIN record AS r"
                    " ON r.object_id = o.object_id WHERE o.source = ? AND o.name = ?"
                    " AND r.ext_id = ? AND r.erased_at IS NULL",
                    (ref.source, ref.object, ref.id),
                ).scalar()
                if row is not None:
                    found[row] = None
        return list(found)

    def _destroy(self, ids: Sequence[int], at: datetime) -> None:
        keys = self._shelf.vault.keys
        if keys is None:
            raise Mistake(
                "an erasure waits for its keys to be destroyed, and the store is opened without",
                hint="open it with its key store: check keys in the config",
            )
        keys.destroy(ids, at)


def erased_in(engine: Engine) -> list[Ref]:
    """Return the records that a store's ledger says were erased, and users of the CRM."""
    with reading(engine) as connection:
        entries = list(_entries(connection))
    records = [Ref.parse(each) for entry in entries for each in entry["records"]]
    return records + [Ref("*", "user", id_) for entry in entries for id_ in entry["actors"]]


def exports_of(connection: Connection, subjects: Sequence[Subject]) -> Iterator[Export]:
    """Yield the exports of objects that some records are of, oldest first."""
    objects = {f"{one.ref.source}:{one.ref.object}" for one in subjects}
    rows = connection.exec_driver_sql("SELECT idx FROM leaf WHERE kind = 'export' ORDER BY idx")
    for idx in rows.scalars().all():
        told = entry_at(connection, idx)
        name = f"{told['entry']['source']}:{told['entry']['object']}"
        if name in objects:
            yield Export(idx, told["at"], name, told["entry"]["to"])


def values_ever(
    connection: Connection, shelf: Shelf, subjects: Sequence[Subject]
) -> Mapping[int, Values]:
    """Return every value that records ever had; None for those whose key is gone."""
    keys = shelf.vault.opened(
        key for one in subjects for key in (one.key_id, one.object_key) if key is not None
    )
    found: dict[int, Values] = {}
    for one in subjects:
        if one.key_id is not None and keys.get(one.key_id) is None:
            found[one.record_id] = None
            continue
        first, raws = _raws(connection, one)
        whole = Wanted(*one[:5], keyframe=first, start=1, number=1)
        values = set(states_of(connection, shelf, [whole])[one.record_id].values())
        pairs: list[Pair] = [
            pair for told in values_of(connection, shelf, raws).values() for _, pair in told
        ]
        values.update(token for pair in pairs for token in pair if token is not None)
        found[one.record_id] = values
    return found


def _raws(connection: Connection, one: Subject) -> tuple[int, list[Raw]]:
    """Return a record's first version, and all of them with their values."""
    rows = connection.exec_driver_sql(
        "SELECT version_id, number, payload, payload_gone, kept, kept_gone FROM version"
        " WHERE record_id = ? ORDER BY number",
        (one.record_id,),
    ).all()
    raws = [
        Raw(id_, one.ref, number, one.object_id, one.key_id, one.object_key, *sealed)
        for id_, number, *sealed in rows
    ]
    return rows[0][0], raws


def _erased(
    connection: Connection,
    shelf: Shelf,
    whom: Whom,
    why: str,
    by: str,
    now: datetime,
) -> Erased:
    """Forget records and names in the caller's transaction, and seal that."""
    subjects = whom.subjects
    values = values_ever(connection, shelf, subjects)
    with forgetting(connection, ERASE):
        gone = _emptied(connection, subjects)
        copies = scrub_copies(connection, whom, values)
    keys = _own_keys(connection, subjects)
    _mark(connection, subjects, keys, now)
    exports = tuple(exports_of(connection, subjects))
    leaf = size_of(connection)
    digest = note_forgotten(connection, gone, leaf)
    connection.exec_driver_sql("INSERT INTO erasure (leaf, at) VALUES (?, ?)", (leaf, micros(now)))
    refs = tuple(one.ref for one in subjects)
    entry: dict[str, Any] = {
        "records": [str(ref) for ref in refs],
        "why": why,
        "by": by,
        "versions": len(gone),
        "forgotten": digest,
        "keys": sorted(keys),
        "operations": copies.operations,
        "incidents": dict(copies.incidents),
        "steps": copies.steps,
        "actors": list(copies.actors),
        "addresses": copies.addresses,
    }
    seal(connection, ERASE, entry, now)
    versions = sum(one.number for one in subjects)
    return Erased(refs, now, why, by, leaf, versions, tuple(sorted(keys)), copies, exports)


def _emptied(connection: Connection, subjects: Sequence[Subject]) -> list[Gone]:
    """Empty the versions of records, but for what the law wants kept."""
    gone: list[Gone] = []
    for one in subjects:
        ids = connection.exec_driver_sql(
            "SELECT version_id FROM version WHERE record_id = ? ORDER BY version_id",
            (one.record_id,),
        )
        gone += forget_versions(connection, list(ids.scalars()), PAYLOAD)
    return sorted(gone)


def _own_keys(connection: Connection, subjects: Sequence[Subject]) -> set[int]:
    """Return the keys that are of these records alone: those of objects seal others', too."""
    own = {
        one.key_id for one in subjects if one.key_id is not None and one.key_id != one.object_key
    }
    shared = connection.exec_driver_sql(
        "SELECT DISTINCT r.key_id FROM json_each(?) AS j CROSS JOIN record AS r"
        " ON r.key_id = j.value"
        " WHERE r.record_id NOT IN (SELECT value FROM json_each(?) AS j2)",
        (listed(own), listed(one.record_id for one in subjects)),
    )
    return own - set(shared.scalars())


def _mark(
    connection: Connection, subjects: Sequence[Subject], keys: set[int], now: datetime
) -> None:
    """Mark records as erased, so that nothing is kept of them any more."""
    rows = [
        (one.record_id, micros(now), None, one.key_id if one.key_id in keys else None)
        for one in subjects
    ]
    bulk.update(connection, "record", ("record_id",), ("erased_at", "seen", "key_id"), rows)


def _left(connection: Connection, whom: Whom) -> Whom | None:
    """Return what of somebody is not erased yet; None where all is."""
    left = tuple(one for one in whom.subjects if one.erased_at is None)
    named = connection.exec_driver_sql(
        "SELECT 1 FROM json_each(?) AS t CROSS JOIN actor AS a ON a.kind = 'user'"
        " AND a.ext_id = t.value WHERE a.key IS NOT NULL AND a.name IS NOT NULL LIMIT 1",
        (json.dumps(whom.users),),
    ).scalar()
    return None if not left and named is None else Whom(left, whom.users)


def _earlier(connection: Connection, whom: Whom) -> int | None:
    """Return the entry of the newest erasure of some records or users."""
    wanted = {*(str(one.ref) for one in whom.subjects), *whom.users}
    rows = connection.exec_driver_sql("SELECT leaf FROM erasure ORDER BY leaf DESC")
    for leaf in rows.scalars().all():
        told = entry_at(connection, leaf)["entry"]
        if wanted & {*told["records"], *told["actors"]}:
            return int(leaf)
    return None


def _entries(connection: Connection) -> Iterator[Mapping[str, Any]]:
    rows = connection.exec_driver_sql("SELECT leaf FROM erasure ORDER BY leaf")
    for leaf in rows.scalars().all():
        yield entry_at(connection, leaf)["entry"]
