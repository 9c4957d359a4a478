"""The ledger to the outside: signed checkpoints, proofs, and sending checkpoints to anchors."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from crmtrail.errors import AnchorFailed, Mistake, Unfound, VerifyFailed
from crmtrail.model import Ref
from crmtrail.ports import Clock
from snapshot import anchored, leaves
from snapshot.anchors.sink import Sink
from snapshot.database import reading, writing
from snapshot.ledger import consistency_proof, inclusion_proof, root_at
from snapshot.notes import BadNote, Head, Note, PublicKey
from snapshot.proofs import Growth, Inclusion, head_of
from snapshot.rows import record_id
from snapshot.sealed import entry_of
from snapshot.signing import KeyRing, SigningKey


@dataclass(frozen=True, slots=True)
class Sent:
    """Whether one place took the checkpoint; ``altered``: it holds one that does not fit ours."""

    name: str
    ok: bool
    why: str = ""
    altered: bool = False


@dataclass(frozen=True, slots=True)
class Anchoring:
    """The checkpoint that was sent, and what became of it at each place."""

    note: str
    sinks: tuple[Sent, ...]


class Evidence:
    """What the ledger of one store can show to somebody who does not trust the store."""

    def __init__(self, engine: Engine, ring: KeyRing, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self.ring = ring

    def checkpoint(self, *others: SigningKey) -> tuple[Head, str]:
        """Return the tree head, signed with our key and with others beside it."""
        with reading(self._engine) as connection:
            head = self._head(connection, leaves.Tiles(connection))
        return head, str(self.ring.sign(str(head), *others))

    def trusted(self, note: str, keys: Iterable[PublicKey] = ()) -> Head:
        """Return what a checkpoint says, if one of our keys, or of those given, signed it.

        Raises:
            Mistake: the text is no checkpoint.
            VerifyFailed: no key we know signed it as that log, or a signature does not hold.
        """
        try:
            parsed = Note.parse(note)
            head = Head.parse(parsed.text)
        except ValueError as error:
            raise Mistake(
                f"this is no checkpoint: {error}", hint="`crmtrail checkpoint` prints one"
            ) from None
        try:
            signers = parsed.signers(tuple(keys) or self.ring.keys)
        except BadNote as error:
            raise VerifyFailed(
                f"the checkpoint of {head.size:,} entries was altered: {error}"
            ) from None
        if not any(key.name == head.origin for key in signers):
            raise VerifyFailed(
                f"the checkpoint of {head.origin} is not signed by a key of {self.ring.origin}",
                hint="`crmtrail key` lists the keys; --key names another one to trust",
            )
        return head

    def misfit(self, head: Head) -> str | None:
        """Return why this ledger is not one that grew from a head; None where it is.

        Rests on the stored nodes: `snapshot.verify` shows whether those fit the entries.
        """
        with reading(self._engine) as connection:
            return _misfit(connection, head)

    def prove(self, ref: Ref, number: int | None, note: str | None = None) -> Inclusion:
        """Return the proof that a version of a record (None: the newest) is in the ledger.

        It leads to a checkpoint of ours, if one is given, else to the newest.

        Raises:
            Unfound: there is no such version.
            Mistake: it is newer than the checkpoint.
            VerifyFailed: the checkpoint is not one of this ledger.
        """
        head = None if note is None else self._fitting(note)
        with reading(self._engine) as connection:
            index = _index_of(connection, ref, number)
            tiles = leaves.Tiles(connection)
            head = head or self._head(connection, tiles)
            if index >= head.size:
                raise Mistake(
                    f"the version is entry {index}, and the checkpoint ends before it",
                    hint="prove it against a newer checkpoint",
                )
            hashes = inclusion_proof(index, head.size, tiles.node_at)
            entry = entry_of(connection, index)
        return Inclusion(index, entry, tuple(hashes), note or str(self.ring.sign(str(head))))

    def growth(self, note: str) -> Growth:
        """Return the proof that the ledger only grew since a checkpoint of ours.

        Raises:
            VerifyFailed: it did not, or the checkpoint is not one of this ledger.
        """
        old = self._fitting(note)
        with reading(self._engine) as connection:
            tiles = leaves.Tiles(connection)
            head = self._head(connection, tiles)
            hashes = consistency_proof(old.size, head.size, tiles.node_at) if old.size else []
        return Growth(old.size, tuple(hashes), str(self.ring.sign(str(head))))

    def anchor(self, sinks: Sequence[Sink], *others: SigningKey) -> Anchoring:
        """Send the checkpoint to every place, the others too where one fails.

        A place is sent nothing that does not fit what it holds, or took last by our own books:
        that would bury the evidence of an edit.
        """
        head, note = self.checkpoint(*others)
        with reading(self._engine) as connection:
            taken = {place.name: place.note for place in anchored.places(connection)}
        sent = tuple(self._send(sink, head, note, taken.get(sink.name)) for sink in sinks)
        now = self._clock.now()
        with writing(self._engine) as connection:
            for one in sent:
                if one.ok:
                    anchored.took(connection, one.name, head.size, note, now)
                else:
                    anchored.refused(connection, one.name, one.why, now)
        return Anchoring(note, sent)

    def _send(self, sink: Sink, head: Head, note: str, taken: str | None) -> Sent:
        try:
            for before in filter(None, (sink.newest(head.origin), taken)):
                if why := self._contradiction(before):
                    return Sent(sink.name, False, why, altered=True)
            sink.send(note, head.origin)
        except AnchorFailed as error:
            return Sent(sink.name, False, str(error))
        except Exception as error:  # noqa: BLE001 -- a plug-in may raise anything; it is told, and the other places are tried
            return Sent(sink.name, False, f"unexpected {type(error).__name__}")
        return Sent(sink.name, True)

    def _contradiction(self, held: str) -> str | None:
        try:
            return self.misfit(head_of(held))
        except ValueError:
            return None  # torn or not ours: no word about this ledger

    def _fitting(self, note: str) -> Head:
        head = self.trusted(note)
        if why := self.misfit(head):
            raise VerifyFailed(why)
        return head

    def _head(self, connection: Connection, tiles: leaves.Tiles) -> Head:
        size = leaves.size_of(connection)
        return Head(self.ring.origin, size, tiles.frontier(size).root())


def _misfit(connection: Connection, head: Head) -> str | None:
    size = leaves.size_of(connection)
    if size < head.size:
        return f"the ledger has {size:,} entries, but had {head.size:,}: its end was cut off"
    try:
        root = root_at(head.size, leaves.Tiles(connection).node_at)
    except LookupError as error:
        return f"the ledger was altered: {error}"
    if root != head.root:
        return f"the first {head.size:,} entries are not those of the checkpoint: rewritten"
    return None


def _index_of(connection: Connection, ref: Ref, number: int | None) -> int:
    record = record_id(connection, ref)
    found: int | None = connection.exec_driver_sql(
        "SELECT version_id FROM version WHERE record_id = ? AND number = coalesce(?, number)"
        " ORDER BY number DESC LIMIT 1",
        (record, number),
    ).scalar()
    if found is None:
        named = f"{ref}" if number is None else f"version {number} of {ref}"
        raise Unfound(f"{named} is not in the store", hint=f"crmtrail history {ref}")
    return found
