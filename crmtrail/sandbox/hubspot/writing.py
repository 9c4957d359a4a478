"""Every change of a record, whoever makes it: values, stamps, history, roll-ups, journal."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from crmtrail.sandbox.hubspot import calculation
from crmtrail.sandbox.hubspot.association_types import LinkType, in_order, spelled
from crmtrail.sandbox.hubspot.definitions_activities import ACTIVITIES
from crmtrail.sandbox.hubspot.events import Events
from crmtrail.sandbox.hubspot.links import Ends, Links
from crmtrail.sandbox.hubspot.object_types import ObjectType, object_type
from crmtrail.sandbox.hubspot.records import CALCULATED, Entry, Origin, Record
from crmtrail.sandbox.hubspot.schema import Schema
from crmtrail.sandbox.hubspot.store import Store
from crmtrail.sandbox.hubspot.values import iso, number, plain
from crmtrail.sandbox.world import Actor, World

_COMPUTED = Actor("system", "CALCULATED", "HubSpot")
_COUNTED = (
    ("contacts", "num_associated_deals", "deals"),
    ("companies", "num_associated_contacts", "contacts"),
    ("companies", "num_associated_deals", "deals"),
    ("deals", "num_associated_contacts", "contacts"),
    ("deals", "hs_num_of_associated_line_items", "line_items"),
)
_CREATED_BOTH = ("deals",)
_CREATED_OTHERWISE = ("quotes", *ACTIVITIES)
"""Objects that note when they were made in ``hs_createdate``, and nowhere else."""

_SUMMED = {"deals": "amount", "quotes": "hs_quote_amount"}


@dataclass(frozen=True, slots=True)
class Writing:
    """Who writes, how the history names the source, and when, in epoch milliseconds."""

    actor: Actor
    source: Origin
    at: int

    def origin(self, record: int) -> Origin:
        """Return the origin for one record; a workflow has one enrolment per record."""
        if self.source.type != "AUTOMATION_PLATFORM":
            return self.source
        enrolment = f"enrollmentId:{self.source.id}{record % 10**7:07d};actionExecutionIndex:0"
        return Origin(self.source.type, enrolment, self.source.label)


def origin_of(actor: Actor, source: str | None = None) -> Origin:
    """Return how history entries name an actor; ``source`` overrides the source type."""
    if actor.kind == "user":
        return Origin(source or "CRM_UI", f"userId:{actor.id}", None, int(actor.id))
    if actor.kind == "app":
        return Origin(source or "INTEGRATION", actor.id, actor.name)
    if actor.kind == "import":
        return Origin(source or "IMPORT", actor.id, actor.name)
    if actor.kind == "workflow":
        return Origin(source or "AUTOMATION_PLATFORM", actor.id, actor.name)
    return Origin(source or actor.id)


class Writer:
    """Carries out changes that have been validated."""

    def __init__(
        self, world: World, schema: Schema, store: Store, links: Links, events: Events
    ) -> None:
        self._world = world
        self._events = events
        self._schema = schema
        self._store = store
        self.links = links

    def by(self, actor: Actor, source: str | None = None) -> Writing:
        """Return a writing by this actor, now."""
        return Writing(actor, origin_of(actor, source), self._store.now())

    def create(
        self, kind: ObjectType, values: Mapping[str, str], by: Writing, id_: int | None = None
    ) -> Record:
        """Create a record, under a new id if none is given."""
        id_ = self._store.new_id() if id_ is None else id_
        origin = by.origin(id_)
        given = {name: value for name, value in values.items() if value != ""}
        record = Record(kind, id_, by.at, by.at, origin, dict(given))
        stamp(record, by)
        if not self._store.defer(kind, [id_], by.at):
            record.values |= calculation.calculate(record, self._schema.stages(kind.name))
        self._store.put(record, by.at, fresh=True)
        self.note(record, "create", ({}, dict(record.values)), by)
        return record

    def change(self, record: Record, values: Mapping[str, str], by: Writing) -> bool:
        """Write values, "" clearing one; what is so already is left alone.

        Returns whether anything changed. The modified stamp moves only then.
        """
        before = dict(record.values)
        self._version(record, values, by.origin(record.id), by.at)
        touched = [name for name in values if before.get(name) != record.values.get(name)]
        if not touched:
            return False
        record.modified = by.at
        if by.actor.kind == "user":
            last = {"hs_updated_by_user_id": by.actor.id}
            self._version(record, last, by.origin(record.id), by.at)
        middle = dict(record.values)
        own = calculation.OWN.get(record.kind.name, ())
        if not self._store.defer(record.kind, [record.id], by.at):
            self._version(record, self._own(record), CALCULATED, by.at)
        self._store.put(record, by.at)
        self.note(record, "update", _difference(touched, before, middle), by)
        self._journal_computed(record, own, middle, by.at)
        if record.kind.name == "line_items":
            self._roll_up_from(record, by.at)
        return True

    def _own(self, record: Record) -> dict[str, str]:
        """Return what HubSpot computes from a record's own values, "" where there is nothing."""
        computed = calculation.calculate(record, self._schema.stages(record.kind.name))
        names = calculation.OWN.get(record.kind.name, ())
        return {name: computed.get(name, "") for name in names}

    def settle(self) -> None:
        """Compute what is due by now, at the moments it was due."""
        while due := self._store.take_due():
            for kind, id_, at in due:
                record = self._store.get(kind, id_)
                if record is None or record.archived is not None:
                    continue
                self._compute(record, self._own(record), at, bump=True)
                self._recount(kind, [id_], at)
                if kind.name == "line_items":
                    self._roll_up_from(record, at)

    def _version(self, record: Record, values: Mapping[str, str], origin: Origin, at: int) -> None:
        """Put values into a record in memory and append their history entries."""
        new = {
            name: value for name, value in values.items() if record.values.get(name, "") != value
        }
        if not new:
            return
        written = self._store.written(record)
        entries: dict[str, list[Entry]] = {}
        for name, value in new.items():
            first = name not in written and name in record.values
            entries[name] = [self.implicit(record, name)] if first else []
            entries[name].append(Entry(value, at, origin))
            record.values[name] = value
            if value == "":
                del record.values[name]
        self._store.write_entries(record, entries)

    def implicit(self, record: Record, name: str) -> Entry:
        """Return the entry of a value that has not changed since the record was made."""
        found = self._schema.properties(record.kind.name).get(name)
        computed = found is not None and found.calculated
        origin = CALCULATED if computed else record.origin
        return Entry(record.values[name], record.created, origin)

    def archive(self, record: Record, by: Writing) -> None:
        """Move a record to the recycle bin; a quote takes its line items along."""
        if record.archived is not None:
            return
        record.archived = by.at
        self._store.put(record, by.at)
        self.note(record, "delete", (dict(record.values), {}), by)
        if record.kind.name == "quotes":
            items = object_type("line_items")
            ids = self.links.ids(record.kind, record.id, items)
            for item in self._store.many(items, ids).values():
                self.archive(item, by)
        self._roll_up_from(record, by.at)

    def restore(self, record: Record, by: Writing) -> None:
        """Bring a record back from the recycle bin, under its old id."""
        record.archived = None
        record.modified = by.at
        self._store.put(record, by.at)
        if self._store.forgets_on_restore:
            origin = Origin("RESTORE_OBJECTS", by.source.id, None, by.source.user)
            fresh = {name: [Entry(each, by.at, origin)] for name, each in record.values.items()}
            self._store.drop_history(record)
            self._store.write_entries(record, fresh)
        self.note(record, "restore", ({}, dict(record.values)), by)
        self._roll_up_from(record, by.at)

    def erase(self, record: Record, by: Writing, op: str) -> None:
        """Remove a record for good: ``op`` is purge or gdpr_delete."""
        self.note(record, op, (dict(record.values), {}), by)
        self._store.erase(record.kind, record.id)

    def _compute(self, record: Record, values: Mapping[str, str], at: int, *, bump: bool) -> None:
        """Write computed values of a record, with CALCULATED entries."""
        before = dict(record.values)
        self._version(record, values, CALCULATED, at)
        if record.values == before:
            return
        if bump:
            record.modified = at
        own = calculation.calculate(record, self._schema.stages(record.kind.name))
        self._version(record, own, CALCULATED, at)
        self._store.put(record, at)
        self._journal_computed(record, {*before, *record.values}, before, at)

    def recount(self, kind: ObjectType, ids: Iterable[int], at: int) -> None:
        """Recompute what a record counts and sums over its associated records.

        A count leaves the modified stamp as it is, for an association alone does not move it;
        a sum moves it.
        """
        asked = list(ids)
        if not self._store.defer(kind, asked, at):
            self._recount(kind, asked, at)

    def _recount(self, kind: ObjectType, ids: Iterable[int], at: int) -> None:
        counted = [(name, to) for object_, name, to in _COUNTED if object_ == kind.name]
        for record in self._store.many(kind, ids).values():
            if record.archived is not None:
                continue
            counts = {}
            for name, to in counted:
                count = len(self.links.ids(kind, record.id, object_type(to)))
                counts[name] = str(count) if count or name in record.values else ""
            self._compute(record, counts, at, bump=False)
            if (target := _SUMMED.get(kind.name)) and (total := self._sum(record)) is not None:
                self._compute(record, {target: plain(total)}, at, bump=True)

    def _sum(self, record: Record) -> float | None:
        items = object_type("line_items")
        ids = self.links.ids(record.kind, record.id, items)
        amounts = [
            number(item.values.get("amount")) for item in self._store.many(items, ids).values()
        ]
        return round(sum(each or 0.0 for each in amounts), 2) if amounts else None

    def _roll_up_from(self, record: Record, at: int) -> None:
        """Recompute the records that count or sum over this one, if they do."""
        name = record.kind.name
        over = {object_ for object_, _, to in _COUNTED if to == name}
        for object_ in sorted(over | (set(_SUMMED) if name == "line_items" else set())):
            kind = object_type(object_)
            self.recount(kind, self.links.ids(record.kind, record.id, kind), at)

    def associate(
        self, record: Record, target: Record, type_: int, by: Writing, category: str = ""
    ) -> None:
        """Associate two records; their values and stamps stay, only counts are recomputed."""
        ends = (record.kind.name, record.id, target.kind.name, target.id)
        before = self.links.two(ends)
        demoted = self.links.join(ends, type_, category)
        self._note_link(ends, before, by)
        for each in demoted:
            self._note_link(each, None, by)
        now = self.links.two(ends)
        primary = any(one.primary for one in now if one not in before)
        self._events.associated(record, target, by.source, by.at, removed=False, primary=primary)
        self._settle(record, target, by)

    def dissociate(self, record: Record, target: Record, by: Writing) -> None:
        """Take away every association between two records."""
        ends = (record.kind.name, record.id, target.kind.name, target.id)
        before = self.links.two(ends)
        self.links.remove(*ends)
        self._note_link(ends, before, by)
        self._events.associated(record, target, by.source, by.at, removed=True, primary=False)
        self._settle(record, target, by)

    def unlabel(
        self, record: Record, target: Record, type_: int, by: Writing, category: str = ""
    ) -> None:
        """Take away one type of association; with the plain one all go."""
        ends = (record.kind.name, record.id, target.kind.name, target.id)
        before = self.links.two(ends)
        self.links.remove_type(*ends, type_, category)
        self._note_link(ends, before, by)
        primary = any(each.primary and each.id == type_ for each in before)
        self._events.associated(record, target, by.source, by.at, removed=True, primary=primary)
        self._settle(record, target, by)

    def _note_link(self, ends: Ends, before: list[LinkType] | None, by: Writing) -> None:
        """Write an association into the journal, as the first object of its pair sees it.

        ``before`` are the types as the record ``ends`` begins with saw them; None: not told.
        """
        one, one_id, other, other_id = ends
        first, _ = in_order(one, other)
        turned = other_id < one_id if one == other else first != one
        seen = (other, other_id, one, one_id) if turned else ends
        now = self.links.two(seen)
        if before is not None and len(before) == len(now):
            return
        op = "associate" if before == [] else "relabel" if now else "dissociate"
        at = datetime.fromtimestamp(by.at / 1000, UTC)
        pair, id_ = f"{seen[0]}-{seen[2]}", f"{seen[1]}-{seen[3]}"
        self._world.journal("hubspot", pair, id_, op, ({}, spelled(now)), by.actor, at)

    def _settle(self, record: Record, target: Record, by: Writing) -> None:
        for each in (record, target):
            self.recount(each.kind, [each.id], by.at)

    def _journal_computed(
        self, record: Record, names: Iterable[str], before: Mapping[str, str], at: int
    ) -> None:
        changed = [name for name in names if before.get(name) != record.values.get(name)]
        if changed:
            by = Writing(_COMPUTED, CALCULATED, at)
            self.note(record, "update", _difference(changed, before, record.values), by)

    def note(
        self,
        record: Record,
        op: str,
        change: tuple[Mapping[str, str | None], Mapping[str, str | None]],
        by: Writing,
    ) -> None:
        """Write one change into the journal of the truth."""
        at = datetime.fromtimestamp(by.at / 1000, UTC)
        name, id_ = record.kind.name, str(record.id)
        self._world.journal("hubspot", name, id_, op, change, by.actor, at)
        self._events.changed(record, op, change[1], by.origin(record.id), by.at)

    def tell_merge(
        self, survivor: Record, primary: int, others: Sequence[int], moved: int, by: Writing
    ) -> None:
        """Let the event feeds know of a merge."""
        self._events.merged(survivor, primary, others, by.source, moved)


def stamp(record: Record, by: Writing) -> None:
    """Set what HubSpot notes about the making of a record."""
    values, origin = record.values, record.origin
    values.setdefault("createdate", iso(by.at))
    if record.kind.name in _CREATED_BOTH or record.kind.name in _CREATED_OTHERWISE:
        values["hs_createdate"] = iso(by.at)
    if record.kind.name in _CREATED_OTHERWISE:
        del values["createdate"]
    if record.kind.name == "quotes":
        values["hs_quote_number"] = f"{iso(by.at)[:10].replace('-', '')}-{record.id % 10**9:09d}"
    values["hs_object_source"] = origin.type
    if origin.id:
        values["hs_object_source_id"] = origin.id
    values["hs_object_source_label"] = origin.type
    if by.actor.kind == "user":
        values["hs_created_by_user_id"] = by.actor.id
        values["hs_updated_by_user_id"] = by.actor.id


def _difference(
    names: Iterable[str], before: Mapping[str, str], after: Mapping[str, str]
) -> tuple[dict[str, str | None], dict[str, str | None]]:
    touched = list(names)
    return (
        {name: before.get(name) for name in touched},
        {name: after.get(name) for name in touched},
    )
