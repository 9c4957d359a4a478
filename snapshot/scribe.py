"""Versions turned into rows and leaves: packed, sealed, committed to."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from operator import itemgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from crmtrail.model import Change, Op, Reading, Ref, Tokens
from crmtrail.slices import Slices
from snapshot import bulk
from snapshot.codec import Codec
from snapshot.drafts import Draft
from snapshot.entries import Said, version_entry
from snapshot.keys.sealing import seal
from snapshot.leaves import grow
from snapshot.ledger import leaf_hash
from snapshot.packing import KEPT, STAMP, kind_of, packed
from snapshot.shelf import Fields
from snapshot.times import micros
from snapshot.vault import DOC, DOC_KEPT, PAYLOAD, place_of
from snapshot.vault import KEPT as KEPT_PART

_VERSION: Final = (
    "version_id",
    "object_id",
    "record_id",
    "number",
    "op",
    "deleted",
    "actor_id",
    "at",
    "known_at",
    "since",
    "run_id",
    "operation_id",
    "plan_id",
    "note",
    "payload",
    "kept",
)
_CHANGE: Final = ("version_id", "field_id", "kind", "old", "new")
_KEYFRAME: Final = ("version_id", "codec_id", "sealed", "doc", "kept")

BASELINE: Final = Op.BASELINE.value

NOTHING: Final = sha256(b"").digest()
"""What the entry of a version commits to that changed no value."""


class Work(NamedTuple):
    """One version on its way to the tables. ``whole``: the record is kept in full with it."""

    ref: Ref
    record_id: int
    key_id: int | None
    draft: Draft
    whole: bool


def names_of(works: Iterable[Work]) -> list[str]:
    """Return the names of all fields that versions hold, stamps among them, as they come.

    Fields then get their ids in the vendor's order, and most records are written as they came.
    """
    names: dict[str, None] = {}
    shapes: dict[tuple[str, ...], None] = {}
    for work in works:
        draft = work.draft
        if work.whole:
            fields = draft.fields or {}
            shapes[fields.names if isinstance(fields, Slices) else tuple(fields)] = None
            shapes[tuple(STAMP + name for name in draft.stamps or ())] = None
        else:
            names.update((change.field, None) for change in draft.change_set.changes)
    return list(dict.fromkeys((*(name for shape in shapes for name in shape), *names)))


def documents_of(works: Iterable[Work], fields: Fields) -> Iterator[bytes]:
    """Yield the records that are kept in full, as they are written."""
    whole = (work.draft for work in works if work.whole)
    return (fields.layout.document(draft.fields or {}, draft.stamps or {}) for draft in whole)


@dataclass(frozen=True, slots=True)
class _Values:
    """The values of one version as they are stored, and what its entry commits to."""

    payload: bytes | None
    kept: bytes | None
    digest: bytes
    kept_digest: bytes | None


@dataclass(frozen=True, slots=True)
class Scribe:
    """What the versions of one batch are written with."""

    fields: Fields
    kept: frozenset[str]
    codec: Codec
    actors: Mapping[int, tuple[int, str, bytes]]
    """Of each actor's object, by its identity: row id, name in entries, digest."""
    keys: Mapping[int, bytes | None]
    object_key: bytes | None
    run: int | None
    object_id: int
    versions: list[tuple[Any, ...]] = field(default_factory=list)
    changes: list[tuple[Any, ...]] = field(default_factory=list)
    keyframes: list[tuple[Any, ...]] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)

    def arrive(
        self,
        version_id: int,
        record_id: int,
        key_id: int | None,
        found: Reading,
        at: int,
        known: int,
    ) -> None:
        """Take up the baseline of a record seen for the first time; times in microseconds."""
        key = None if key_id is None else self._standing(key_id, found.ref)
        doc, doc_kept = self._in_full(found.ref, 1, key, found.fields, found.stamps)
        actor_id, actor, who = self.actors[id(found.actor)]
        deleted = int(found.deleted)
        head = (version_id, self.object_id, record_id, 1, BASELINE, deleted, actor_id, at, known)
        self.versions.append((*head, None, self.run, None, None, None, None, None))
        sealed = 0 if key is None else 1
        self.keyframes.append((version_id, self.codec.codec_id, sealed, doc, doc_kept))
        said = Said(
            record=str(found.ref),
            number=1,
            op=BASELINE,
            deleted=found.deleted,
            at=at,
            known_at=known,
            since=None,
            actor=actor,
            who=who,
            changed=(),
            payload=NOTHING,
            keyframe=sha256(doc).digest(),
            keyframe_kept=None if doc_kept is None else sha256(doc_kept).digest(),
        )
        self.leaves.append(leaf_hash(version_entry(said)))

    def write(self, connection: Connection, works: Sequence[Work], size: int) -> None:
        """Write versions, changes and keyframes from entry ``size`` on, and their leaves."""
        versions, changes, keyframes = self.versions, self.changes, self.keyframes
        for version_id, work in enumerate(works, start=size):
            cells = self._cells(work.draft.change_set.changes)
            values = self._values(work, cells)
            doc, doc_kept = self._whole(work) if work.whole else (None, None)
            versions.append(self._row(version_id, work, values))
            sealed = values.payload is not None
            for field_id, kind, change in cells:
                old, new = (None, None) if sealed else (change.old, change.new)
                changes.append((version_id, field_id, kind, old, new))
            if doc is not None:
                sealed = work.key_id is not None
                keyframes.append((version_id, self.codec.codec_id, int(sealed), doc, doc_kept))
            entry = self._entry(work, cells, values, doc, doc_kept)
            self.leaves.append(leaf_hash(entry))
        self.flush(connection, size)

    def flush(self, connection: Connection, size: int) -> None:
        """Write what was taken up: rows, and leaves from entry ``size`` on."""
        bulk.insert(connection, "version", _VERSION, self.versions)
        bulk.insert(connection, "change", _CHANGE, self.changes)
        bulk.insert(connection, "keyframe", _KEYFRAME, self.keyframes)
        grow(connection, size, self.leaves)

    def _cells(self, changes: Sequence[Change]) -> list[tuple[int, int, Change]]:
        """Return field id and kind of each change, by field id."""
        by_name, kept = self.fields.by_name, self.kept
        cells = [
            (
                by_name[change.field],
                kind_of(change.old, change.new) | (KEPT if change.field in kept else 0),
                change,
            )
            for change in changes
        ]
        return sorted(cells, key=itemgetter(0)) if len(cells) > 1 else cells

    def _values(self, work: Work, cells: Sequence[tuple[int, int, Change]]) -> _Values:
        if not cells:
            return _Values(None, None, NOTHING, None)
        key = self._key(work)
        if key is None:
            text = packed((change.old, change.new) for _, _, change in cells)
            return _Values(None, None, sha256(text.encode()).digest(), None)
        number = work.draft.change_set.number
        plain = [(c.old, c.new) for _, kind, c in cells if not kind & KEPT]
        kept = [(c.old, c.new) for _, kind, c in cells if kind & KEPT]
        payload = seal(key, packed(plain).encode(), place_of(work.ref, number, PAYLOAD))
        digest = sha256(payload).digest()
        if not kept or self.object_key is None:
            return _Values(payload, None, digest, None)
        place = place_of(work.ref, number, KEPT_PART)
        sealed = seal(self.object_key, packed(kept).encode(), place)
        return _Values(payload, sealed, digest, sha256(sealed).digest())

    def _whole(self, work: Work) -> tuple[bytes, bytes | None]:
        draft = work.draft
        number, stamps = draft.change_set.number, draft.stamps or {}
        return self._in_full(work.ref, number, self._key(work), draft.fields or {}, stamps)

    def _in_full(
        self, ref: Ref, number: int, key: bytes | None, fields: Tokens, stamps: Tokens
    ) -> tuple[bytes, bytes | None]:
        """Return a record in full as it is stored, and apart what the law wants kept of it."""
        layout = self.fields.layout
        if key is None:
            return self.codec.squeezed(layout.document(fields, stamps)), None
        apart = {name: fields[name] for name in self.kept if name in fields}
        rest = {n: t for n, t in fields.items() if n not in apart} if apart else fields
        small = self.codec.squeezed(layout.document(rest, stamps))
        doc = seal(key, small, place_of(ref, number, DOC))
        if not apart or self.object_key is None:
            return doc, None
        small = self.codec.squeezed(layout.document(apart, {}))
        return doc, seal(self.object_key, small, place_of(ref, number, DOC_KEPT))

    def _key(self, work: Work) -> bytes | None:
        """Return the key that a record is sealed with; None where it is not sealed."""
        return None if work.key_id is None else self._standing(work.key_id, work.ref)

    def _standing(self, key_id: int, ref: Ref) -> bytes:
        """Return a key.

        Raises:
            LookupError: it was destroyed, so nothing of the record may be written any more.
        """
        key = self.keys[key_id]
        if key is None:
            raise LookupError(f"the key of {ref} was destroyed")
        return key

    def _row(self, version_id: int, work: Work, values: _Values) -> tuple[Any, ...]:
        draft = work.draft
        made = draft.change_set
        return (
            version_id,
            self.object_id,
            work.record_id,
            made.number,
            made.op.value,
            int(draft.deleted),
            self.actors[id(made.actor)][0],
            micros(made.at),
            micros(made.known_at),
            micros(made.since),
            self.run,
            made.operation,
            made.transaction,
            draft.note,
            values.payload,
            values.kept,
        )

    def _entry(
        self,
        work: Work,
        cells: Sequence[tuple[int, int, Change]],
        values: _Values,
        doc: bytes | None,
        doc_kept: bytes | None,
    ) -> bytes:
        draft = work.draft
        made = draft.change_set
        _, actor, who = self.actors[id(made.actor)]
        return version_entry(
            Said(
                record=str(work.ref),
                number=made.number,
                op=made.op.value,
                deleted=draft.deleted,
                at=micros(made.at),
                known_at=micros(made.known_at),
                since=micros(made.since),
                actor=actor,
                who=who,
                changed=[(change.field, kind) for _, kind, change in cells],
                payload=values.digest,
                kept=values.kept_digest,
                keyframe=None if doc is None else sha256(doc).digest(),
                keyframe_kept=None if doc_kept is None else sha256(doc_kept).digest(),
                note=draft.note,
                operation=made.operation,
                plan=made.transaction,
            )
        )
