"""What rows are read and written with beside a connection: keys, field lists, codecs.

It remembers what never changes. After a transaction that was rolled back it has to forget: ids
may have been given out in vain.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import islice
from typing import Final

from sqlalchemy import Connection

from crmtrail.model import Token
from snapshot.codec import ENOUGH, SAMPLE, Codec, dictionary_of
from snapshot.leaves import seal
from snapshot.names import field_ids, known_object
from snapshot.packing import STAMP, Layout, tokens_in
from snapshot.vault import Vault

CODEC: Final = "codec"
"""The kind of the entry that a codec gets."""


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of an object ever seen, in the order of their ids; stamps among them."""

    ids: tuple[int, ...]
    names: tuple[str, ...]
    by_name: Mapping[str, int]
    by_id: Mapping[int, str]
    layout: Layout
    stamps: tuple[str, ...]

    @classmethod
    def of(cls, rows: Iterable[tuple[int, str]]) -> "Fields":
        """Return the list of some rows of id and name."""
        ordered = sorted(rows)
        by_id = dict(ordered)
        names = tuple(by_id.values())
        by_name = {name: id_ for id_, name in ordered}
        stamps = tuple(name for name in names if name[:1] == STAMP)
        return cls(tuple(by_id), names, by_name, by_id, Layout(names), stamps)


class Shelf:
    """Keys, field lists and codecs of one store. Used by one thread at a time."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault
        self._fields: dict[int, Fields] = {}
        self._codecs: dict[int, Codec] = {0: Codec.plain()}
        self._newest: dict[int, int] = {}
        self._objects: dict[tuple[str, str], int] = {}

    def forget(self) -> None:
        """Forget what may have been rolled back."""
        self._objects.clear()
        self._fields.clear()
        self._newest.clear()
        self._codecs = {0: Codec.plain()}

    def object_id(self, connection: Connection, source: str, name: str) -> int | None:
        """Return the id of an object, if it was ever seen."""
        place = (source, name)
        if place not in self._objects:
            found = known_object(connection, source, name)
            if found is None:
                return None
            self._objects[place] = found
        return self._objects[place]

    def fields(self, connection: Connection, object_id: int) -> Fields:
        """Return the fields of an object as far as they were seen.

        Another process may have seen more since: `named` and `tokens` look again.
        """
        found = self._fields.get(object_id)
        return self._look(connection, object_id) if found is None else found

    def named(
        self, connection: Connection, object_id: int, ids: Iterable[int]
    ) -> Mapping[int, str]:
        """Return the names of fields, of these at least.

        Raises:
            LookupError: the object has no such field.
        """
        wanted = set(ids)
        known = self.fields(connection, object_id)
        if not known.by_id.keys() >= wanted:
            known = self._look(connection, object_id)
        for stranger in wanted - known.by_id.keys():
            raise LookupError(f"a change is of field {stranger}, which is none of its object's")
        return known.by_id

    def tokens(self, connection: Connection, object_id: int, text: str) -> dict[str, Token]:
        """Return the fields of a record in full, by name; stamps are left out.

        Raises:
            ValueError: there are more tokens than fields.
        """
        known = self.fields(connection, object_id)
        try:
            tokens = tokens_in(text, known.names)
        except ValueError:  # another process has seen more fields since
            known = self._look(connection, object_id)
            tokens = tokens_in(text, known.names)
        for name in known.stamps:
            tokens.pop(name, None)
        return tokens

    def with_names(self, connection: Connection, object_id: int, names: Iterable[str]) -> Fields:
        """Return the fields of an object, made to include some names."""
        known = self.fields(connection, object_id)
        missing = [name for name in names if name not in known.by_name]
        if missing:
            field_ids(connection, object_id, missing)
            known = self._look(connection, object_id)
        return known

    def codec(self, connection: Connection, codec_id: int) -> Codec:
        """Return a codec.

        Raises:
            LookupError: there is none of this id.
        """
        if codec_id not in self._codecs:
            dictionary = connection.exec_driver_sql(
                "SELECT dictionary FROM codec WHERE codec_id = ?", (codec_id,)
            ).scalar()
            if dictionary is None:
                raise LookupError(f"the store has no codec {codec_id}")
            self._codecs[codec_id] = Codec(codec_id, bytes(dictionary))
        return self._codecs[codec_id]

    def codec_for(
        self,
        connection: Connection,
        object_id: int,
        documents: Iterator[bytes],
        count: int,
        now: datetime,
    ) -> Codec:
        """Return the codec to write an object's records with.

        The first batch that is large enough makes its dictionary, which is sealed.

        Args:
            connection: of the transaction that writes.
            object_id: whose records they are.
            documents: what is about to be written.
            count: how many there are.
            now: when.
        """
        if object_id not in self._newest:
            found = connection.exec_driver_sql(
                "SELECT max(codec_id) FROM codec WHERE object_id = ?", (object_id,)
            ).scalar()
            if found is None and count >= ENOUGH:
                found = _make_codec(connection, object_id, islice(documents, SAMPLE), now)
            if found is None:
                return self._codecs[0]
            self._newest[object_id] = int(found)
        return self.codec(connection, self._newest[object_id])

    def _look(self, connection: Connection, object_id: int) -> Fields:
        rows = connection.exec_driver_sql(
            "SELECT field_id, name FROM field WHERE object_id = ?", (object_id,)
        )
        found = self._fields[object_id] = Fields.of((row[0], row[1]) for row in rows)
        return found


def _make_codec(
    connection: Connection, object_id: int, documents: Iterator[bytes], now: datetime
) -> int:
    dictionary = dictionary_of(documents)
    newest = connection.exec_driver_sql("SELECT max(codec_id) FROM codec").scalar()
    codec_id = 1 if newest is None else int(newest) + 1
    connection.exec_driver_sql(
        "INSERT INTO codec (codec_id, object_id, dictionary) VALUES (?, ?, ?)",
        (codec_id, object_id, dictionary),
    )
    name = connection.exec_driver_sql(
        "SELECT source || ':' || name FROM object WHERE object_id = ?", (object_id,)
    ).scalar_one()
    digest = sha256(dictionary).hexdigest()
    seal(connection, CODEC, {"codec": codec_id, "object": name, "dictionary": digest}, now)
    return codec_id
