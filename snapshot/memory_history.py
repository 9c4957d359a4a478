"""What is known of records, in memory: every state in full, answered by walking through them."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from crmtrail.model import ChangeSet, Checkpoint, Expectation, Op, Ref, Version, utc
from crmtrail.ports import (
    Blame,
    Deed,
    Difference,
    Entry,
    Head,
    Line,
    Query,
    Verification,
)
from snapshot import lineage
from snapshot.announced import in_force
from snapshot.asof import Dated, Mark, blamed, compared, mark_at, touches, values_at
from snapshot.canonical import digest_of, document_of
from snapshot.deeds import Span, deed_of, start_of
from snapshot.deeds import page_of as deeds_of
from snapshot.drafts import Draft, Past
from snapshot.entries import Said, action_entry, actor_key, actor_named, version_entry
from snapshot.ledger import EMPTY_ROOT, leaf_hash, node_hash
from snapshot.logpage import actor_matches, blanks, checked, page_of, shown
from snapshot.memory_lines import Links
from snapshot.packing import kind_of, packed
from snapshot.times import micros


@dataclass(slots=True)
class _Record:
    past: Past
    drafts: list[Draft] = field(default_factory=list)
    leaves: list[int] = field(default_factory=list)

    def head(self, ref: Ref) -> Head:
        """Return the newest state."""
        past = self.past
        departure = None
        if past.deleted and self.drafts:
            last = self.drafts[-1]
            made = last.change_set
            departure = lineage.departure_of(last.note, made.at, made.actor)
        known = (past.number, past.fields, past.deleted, past.known_at)
        return Head(ref, *known, departure=departure)

    def marks(self) -> list[Mark]:
        made = [(draft.change_set, draft.deleted) for draft in self.drafts]
        return [Mark(each.number, each.op, micros(each.at), gone) for each, gone in made]

    def changes(self) -> list[Dated]:
        return [
            (micros(draft.change_set.at), change.field, change.old, change.new)
            for draft in reversed(self.drafts)
            for change in draft.change_set.changes
        ]

    def fields_at(self, moment: int, number: int) -> dict[str, str]:
        """Return the fields at a time, from those after the version that counts then."""
        upto = _Record(self.past, self.drafts[:number])
        fields: dict[str, str] = {}
        for draft in upto.drafts:
            if draft.change_set.number == 1 or draft.change_set.op is Op.BASELINE:
                fields |= draft.fields or {}
            fields |= {c.field: c.new for c in draft.change_set.changes if c.new is not None}
        then = fields | values_at(upto.changes(), moment)
        return {name: token for name, token in then.items() if token is not None}

    def known_by(self, known: datetime) -> "_Record":
        """Return the record as it was known at a time."""
        times = [draft.change_set.known_at for draft in self.drafts]
        count = next((no for no, at in enumerate(times) if at > known), len(times))
        return _Record(self.past, self.drafts[:count], self.leaves[:count])

    def version_at(self, ref: Ref, at: datetime | None) -> Version | None:
        """Return the record at a time; None before anything is known."""
        marks = self.marks()
        if not marks:
            return None
        moment = max(mark.at for mark in marks) if at is None else micros(utc(at))
        mark = mark_at(marks, moment)
        if mark is None:
            return None
        made = self.drafts[mark.number - 1].change_set
        fields = self.fields_at(moment, mark.number)
        return Version(
            ref,
            made.number,
            made.op,
            fields,
            made.at,
            made.known_at,
            made.actor,
            mark.deleted,
        )

    def first(self, size: int) -> "_Record":
        """Return the record as the first so many entries of the ledger tell."""
        count = bisect_left(self.leaves, size)
        return _Record(self.past, self.drafts[:count], self.leaves[:count])


class MemoryHistory:
    """The reading side of the store in memory, and its ledger."""

    def __init__(self) -> None:
        self._records: dict[Ref, _Record] = {}
        self._entries: list[bytes] = []
        self._announced: list[tuple[str, Mapping[str, Any]]] = []
        self._links = Links(self._records.__contains__)

    def remember(self, ref: Ref, past: Past, drafts: Sequence[Draft]) -> None:
        """Keep a record as it is now, and the versions that led there."""
        record = self._records.setdefault(ref, _Record(past))
        record.past = past
        self._links.learn(drafts)
        for draft in drafts:
            record.drafts.append(draft)
            record.leaves.append(len(self._entries))
            self._entries.append(_entry(draft))

    def heads(self, refs: Sequence[Ref]) -> Mapping[Ref, Head]:
        """Return the newest stored state of each record that is known."""
        return {ref: self._records[ref].head(ref) for ref in refs if ref in self._records}

    def expectations(self) -> Sequence[Expectation]:
        """Return what was announced and not withdrawn, oldest first."""
        return in_force(self._announced)

    def heirs(self, refs: Sequence[Ref]) -> Mapping[Ref, Ref]:
        """Return, for those of some records that were made anew, what they are now."""
        return self._links.heirs(refs)

    def version(
        self, ref: Ref, at: datetime | None = None, *, known: datetime | None = None
    ) -> Version | None:
        """Return the record at a valid time (None: now); None before anything is known.

        With ``known``, only what was known by then counts.
        """
        record = self._records.get(ref)
        if record is not None and known is not None:
            record = record.known_by(known)
        return None if record is None else record.version_at(ref, at)

    def records(
        self,
        source: str,
        object_: str,
        at: datetime | None = None,
        *,
        known: datetime | None = None,
        size: int | None = None,
    ) -> Iterator[Version]:
        """Stream the records of an object at a valid time (None: now), by id, deleted ones too.

        With ``known``, only what was known by then counts; and only the first ``size`` entries of
        the ledger do (None: those there at the start).
        """
        count = len(self._entries) if size is None else size
        for ref in sorted(self._records):
            if (ref.source, ref.object) == (source, object_):
                record = self._records[ref].first(count)
                found = (record if known is None else record.known_by(known)).version_at(ref, at)
                if found is not None:
                    yield found

    def timeline(self, ref: Ref, field_name: str | None = None) -> Sequence[ChangeSet]:
        """Return a record's versions, oldest first, of those that touched a field."""
        record = self._records.get(ref)
        made = [] if record is None else [draft.change_set for draft in record.drafts]
        return [each for each in made if field_name is None or touches(each, field_name)]

    def blame(self, ref: Ref) -> Sequence[Blame]:
        """Return who set each current field value, sorted by field name."""
        record = self._records.get(ref)
        if record is None:
            return []
        setters = {}
        first = record.drafts[0].change_set
        for draft in record.drafts:
            if draft.change_set.op is Op.BASELINE:
                first = draft.change_set
            setters.update({change.field: draft.change_set for change in draft.change_set.changes})
        return [
            blamed(name, token, setters.get(name, first))
            for name, token in sorted(record.past.fields.items())
        ]

    def log(
        self, query: Query, *, limit: int, cursor: str | None = None
    ) -> tuple[Sequence[Entry], str | None]:
        """Return log entries, newest known first, and the cursor of the next page, if any."""
        place = checked(limit, cursor)
        versions: list[tuple[int, ChangeSet]] = [
            (leaf, draft.change_set)
            for record in self._records.values()
            for leaf, draft in zip(record.leaves, record.drafts, strict=True)
            if (place is None or leaf <= place.version) and _asked_for(draft.change_set, query)
        ]
        newest_first = sorted(versions, key=lambda each: each[0], reverse=True)
        return page_of(iter(newest_first), query, place, limit, lambda _, one: blanks(one))

    def diff(
        self,
        source: str,
        object_: str,
        since: datetime,
        until: datetime,
        *,
        known: datetime | None = None,
    ) -> Iterator[Difference]:
        """Stream how the records of an object differ between two valid times, by record."""
        for ref in sorted(self._records):
            if (ref.source, ref.object) == (source, object_):
                found = self.difference(ref, since, until, known=known)
                if found is not None:
                    yield found

    def difference(
        self, ref: Ref, since: datetime, until: datetime, *, known: datetime | None = None
    ) -> Difference | None:
        """Return how one record differs between two valid times; None where it does not."""
        record = self._records.get(ref)
        if record is None:
            return None
        if known is not None:
            record = record.known_by(known)
        start, end = micros(utc(since)), micros(utc(until))
        return compared(ref, record.marks(), record.changes(), start, end)

    def line_of(self, ref: Ref) -> Line:
        """Return the records that are one line with a record; itself alone where it is one."""
        return self._links.line_of(ref)

    def succeed(self, old: Ref, new: Ref, at: datetime) -> None:
        """Note that a record was made anew as another, and seal that."""
        lineage.checked(old, new)
        if self._links.succeed(old, new, at):
            self.seal(lineage.SUCCESSION, lineage.entry_of(old, new), at)

    # --- the ledger --------------------------------------------------------------------------

    def deeds(
        self,
        kinds: Sequence[str] = (),
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int,
        cursor: str | None = None,
    ) -> tuple[Sequence[Deed], str | None]:
        """Return actions of crmtrail itself, newest first, and the cursor of the next page."""
        before = start_of(limit, cursor)
        versions = {leaf for record in self._records.values() for leaf in record.leaves}
        found = (
            deed_of(index, self._entries[index])
            for index in reversed(range(min(before, len(self._entries))))
            if index not in versions
        )
        wanted = (deed for deed in found if not kinds or deed.kind in kinds)
        return deeds_of(wanted, Span(since, until), limit)

    def seal(self, kind: str, entry: Mapping[str, Any], at: datetime) -> int:
        """Append an action of crmtrail itself to the ledger and return its leaf index."""
        self._entries.append(action_entry(kind, entry, at))
        return len(self._entries) - 1

    def checkpoint(self, at: datetime) -> Checkpoint:
        """Return the tree head."""
        return Checkpoint(len(self._entries), _root(self._entries).hex(), utc(at))

    def verify(self) -> Verification:
        """Recompute the data under the ledger."""
        size, root = len(self._entries), _root(self._entries).hex()
        for ref, record in self._records.items():
            for leaf, draft in zip(record.leaves, record.drafts, strict=True):
                if _entry(draft) != self._entries[leaf]:
                    bad = {
                        "kind": "version",
                        "index": leaf,
                        "record": str(ref),
                        "why": "the version is not what was sealed",
                    }
                    return Verification(False, size, root, leaf, bad)
        return Verification(True, size, root, size + len(self._records))


def _entry(draft: Draft) -> bytes:
    made = draft.change_set
    text = packed((change.old, change.new) for change in made.changes)
    return version_entry(
        Said(
            record=str(made.ref),
            number=made.number,
            op=made.op.value,
            deleted=draft.deleted,
            at=micros(made.at),
            known_at=micros(made.known_at),
            since=micros(made.since),
            actor=actor_named(made.actor.kind, made.actor.id),
            who=sha256(actor_key(made.actor).encode()).digest(),
            changed=[(change.field, kind_of(change.old, change.new)) for change in made.changes],
            payload=sha256(text.encode()).digest(),
            keyframe=None if draft.fields is None else digest_of(document_of(draft.fields)),
            note=draft.note,
            operation=made.operation,
            plan=made.transaction,
        )
    )


def _root(entries: Sequence[bytes]) -> bytes:
    """Return the root as RFC 6962, section 2.1, defines it."""
    if not entries:
        return EMPTY_ROOT
    if len(entries) == 1:
        return leaf_hash(entries[0])
    split = 1 << ((len(entries) - 1).bit_length() - 1)
    return node_hash(_root(entries[:split]), _root(entries[split:]))


def _asked_for(made: ChangeSet, query: Query) -> bool:
    named = actor_matches(query)
    return (
        query.source in {None, made.ref.source}
        and query.object in {None, made.ref.object}
        and query.record in {None, made.ref}
        and _has_change(made, query)
        and named(made.actor.id, made.actor.name, made.actor.via)
        and shown(made, query)
        and query.op in {None, made.op}
        and query.operation in {None, made.operation}
        and (query.since is None or made.at >= query.since)
        and (query.until is None or made.at < query.until)
        and (query.known_since is None or made.known_at >= query.known_since)
        and (query.known_until is None or made.known_at < query.known_until)
    )


def _has_change(made: ChangeSet, query: Query) -> bool:
    """Return whether a version has a change of the kind asked for, if one is."""
    if query.field is None and not query.blanked:
        return True
    mine = [one for one in made.changes if query.field in {None, one.field}]
    return any(blanks(one) for one in mine) if query.blanked else bool(mine)
