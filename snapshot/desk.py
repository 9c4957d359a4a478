"""What the versions of one batch are written with, gathered and made where it is new."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from crmtrail.model import Actor, Tokens
from snapshot.entries import actor_named
from snapshot.names import actors_of
from snapshot.scribe import Scribe
from snapshot.shelf import Fields, Shelf
from snapshot.vault import Policy, Sealing


@dataclass(frozen=True, slots=True)
class Place:
    """Where a batch belongs. ``run`` is None outside runs; ``key_id`` is the object's key."""

    object_id: int
    source: str
    object: str
    run: int | None
    horizon: datetime | None
    live: int
    key_id: int | None


class Desk:
    """Ids, codec and keys for one batch, in the transaction that writes it."""

    def __init__(self, connection: Connection, shelf: Shelf, place: Place, now: datetime) -> None:
        self.connection = connection
        self.place = place
        self.object_key = place.key_id
        """The key that the object's records share; made with the first that needs it."""
        self._shelf = shelf
        self._now = now

    @property
    def policy(self) -> Policy:
        """What is personal."""
        return self._shelf.vault.policy

    def next_record(self) -> int:
        """Return the first row id that no record has."""
        found = self.connection.exec_driver_sql("SELECT max(record_id) FROM record").scalar()
        return 1 if found is None else int(found) + 1

    def keys_for(self, newcomers: Sequence[Tokens]) -> list[int | None]:
        """Return the key of each newcomer, made where it gets one of its own."""
        where = (self.place.source, self.place.object)
        ways = [self.policy.sealing(*where, fields) for fields in newcomers]
        own = ways.count(Sealing.RECORD)
        if Sealing.OBJECT in ways or (own and self.policy.kept(*where)):
            self.object_key = self.object_key or self._made(1)[0]
        shared = {Sealing.NONE: None, Sealing.OBJECT: self.object_key}
        made = iter(self._made(own))
        return [next(made) if way is Sealing.RECORD else shared[way] for way in ways]

    def _made(self, count: int) -> list[int]:
        """Make keys. They are durable before the transaction is, so none can be missing."""
        keys = self._shelf.vault.keys
        if not count or keys is None:
            return []
        return [key_id for key_id, _ in keys.make(count)]

    def fields(self, names: Iterable[str]) -> Fields:
        """Return the fields of the object, made to include some names."""
        return self._shelf.with_names(self.connection, self.place.object_id, names)

    def scribe(
        self,
        fields: Fields,
        documents: Iterator[bytes],
        whole: int,
        actors: Iterable[Actor],
        keys: Iterable[int | None],
    ) -> Scribe:
        """Return what writes versions.

        Args:
            fields: those of the object.
            documents: the records that are to be kept in full.
            whole: how many these are.
            actors: whom the versions name.
            keys: of their records.
        """
        place = self.place
        opened = self._shelf.vault.opened((*keys, self.object_key))
        return Scribe(
            fields=fields,
            kept=self.policy.kept(place.source, place.object),
            codec=self._shelf.codec_for(
                self.connection, place.object_id, documents, whole, self._now
            ),
            actors=self._actors(actors),
            keys=opened,
            object_key=None if self.object_key is None else opened[self.object_key],
            run=place.run,
            object_id=place.object_id,
        )

    def _actors(self, actors: Iterable[Actor]) -> dict[int, tuple[int, str, bytes]]:
        """Return actors as they are stored, made where they are new; see `Scribe.actors`.

        Connectors name the same actor by the same object, and a page names few.
        """
        named = {id(actor): actor for actor in actors}
        known = actors_of(self.connection, named.values())
        return {
            place: (known[actor].id, actor_named(actor.kind, actor.id), known[actor].digest)
            for place, actor in named.items()
        }

    def index(self, records: Iterable[tuple[int, Tokens]]) -> None:
        """Note under which addresses sealed records can be found, by row id and fields."""
        blind, place = self._shelf.vault.blind, self.place
        rows = {
            (blind(address), record_id)
            for record_id, fields in records
            for address in self.policy.addresses(place.source, place.object, fields)
        }
        if rows:
            self.connection.exec_driver_sql(
                "INSERT INTO subject_index (blind, record_id) VALUES (?, ?)"
                " ON CONFLICT (blind, record_id) DO NOTHING",
                sorted(rows),
            )

    def count(self, live: int, dead: int, versions: int) -> None:
        """Add to the counts of the object."""
        if versions or live or dead:
            self.connection.exec_driver_sql(
                "UPDATE position SET live = live + ?, dead = dead + ?, versions = versions + ?,"
                " key_id = ? WHERE object_id = ?",
                (live, dead, versions, self.object_key, self.place.object_id),
            )
