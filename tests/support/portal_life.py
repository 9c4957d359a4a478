"""A random life of a HubSpot portal, synced meanwhile, and what the store has to know of it."""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from connectors.hubspot import connect
from connectors.retrying import Retrying
from crmtrail.config import AuthConfig, RetryConfig, SourceConfig
from crmtrail.model import ActorKind, ChangeSet, Mode, Op, Ref, moment
from crmtrail.ports import Leases, Store, ignore
from crmtrail.sandbox.client import Sandbox
from scheduler.runner import Run, Runner
from support.sandbox_rig import WallClock

SOURCE = "hs"
TRACKED = {"contacts": ("jobtitle", "message", "city"), "deals": ("dealname", "description")}
PEOPLE: Sequence[Mapping[str, str]] = (
    {"kind": "user", "name": "Maya Lindqvist"},
    {"kind": "user", "name": "Maya Lindqvist"},
    {"kind": "app", "name": "CRM Restorer"},
    {"kind": "import", "name": "spring.csv"},
    {"kind": "workflow", "name": "Nurture"},
    {"kind": "system", "id": "BATCH_UPDATE"},
)
UNSETTLED = (
    "archived_history",
    "restore_keeps_history",
    "cleared_as_null",
    "null_sources",
    "ids_as_text",
    "hide_merged_ids",
    "bin_by_time",
)
BEGINNING = "2027-03-01T10:00:00+00:00"
_FAULTS = ("unavailable", "reset_before", "reset_after", "throttle")
_KINDS = {
    "user": ActorKind.USER,
    "app": ActorKind.APP,
    "import": ActorKind.IMPORT,
    "workflow": ActorKind.AUTOMATION,
    "system": ActorKind.SYSTEM,
}
_STAMPS = {"hs_object_id", "lastmodifieddate", "hs_lastmodifieddate"}
_HIDDEN = {"tax_number"}


@dataclass
class PortalLife:
    """One portal with one store, driven by chance.

    Args:
        sandbox: the portal, freshly reset.
        store: where it is synced to.
        leases: the store's.
        seed: of the dice.
    """

    sandbox: Sandbox
    store: Store
    leases: Leases
    seed: int
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)  # noqa: S311 -- dice of a test
        people = self.sandbox.people("hubspot")
        settings = SourceConfig.model_validate(
            {
                "kind": "hubspot",
                "base_url": self.sandbox.url,
                "auth": AuthConfig(token=people["tokens"]["observer"]),
            }
        )
        patient = RetryConfig(attempts=5, longest_wait=timedelta(0))
        inner = connect(SOURCE, settings, settings.auth, WallClock())
        self._connector = Retrying(inner, patient, sleep=lambda _: None)
        self._runner = Runner(
            self.store,
            self.leases,
            WallClock(),
            ignore,
            holder="here:1:1",
            ttl=timedelta(hours=9),
            sleep=lambda _: None,
        )
        self._said = 0
        self._mail = 0

    def close(self) -> None:
        self._connector.close()

    # --- what happens ------------------------------------------------------------------------

    def begin(self) -> None:
        """Choose what sort of portal it is, and let everything be known once."""
        self._began = moment(self.sandbox.freeze(BEGINNING))
        self._switch("limits", search=None, burst=None)
        self._switch("unsettled", **{one: self._rng.random() < 0.5 for one in UNSETTLED})
        self._switch("merge_mode", preserve_primary=self._rng.random() < 0.5)
        self._switch("short_pages", on=self._rng.random() < 0.3)
        for _ in range(6):  # what happened before the first load is imported
            self._edit()
            self._turn(self._rng.choice((1, 90, 40_000)))
        for object_ in TRACKED:
            self._run(object_, Mode.INCREMENTAL, sure=True)
        if self._rng.random() < 0.7:
            self._switch("index_lag", seconds=self._rng.choice((1, 10, 30)), jitter=True)

    def step(self) -> None:
        """Do one thing."""
        acts = (
            (self._edit, 14),
            (self._flood, 1),
            (self._create, 2),
            (self._delete, 2),
            (self._restore, 1),
            (self._merge, 1),
            (self._forget, 1),
            (self._fault, 2),
            (self._time, 6),
            (self._sync, 9),
        )
        (act,) = self._rng.choices([a for a, _ in acts], [weight for _, weight in acts])
        act()

    def end(self) -> None:
        """Let the index catch up, and let everything be read."""
        self.sandbox.calm()
        self._turn(120)
        for object_ in TRACKED:
            self._run(object_, Mode.INCREMENTAL, sure=True)
        self._turn(3600)
        # What HubSpot computes anew without a new stamp is read by a full run only.
        for mode in (Mode.RECONCILE, Mode.FULL):
            for object_ in TRACKED:
                self._run(object_, mode, sure=True)

    def _run(self, object_: str, mode: Mode, *, sure: bool = False) -> Run:
        # A request takes longer than the millisecond that stamps count.
        self._turn(0.001)
        run = self._runner.run(self._connector, object_, mode)
        self._turn(0.001)
        self.log.append(f"sync {object_} {mode}: {run.state} {run.kept}")
        if sure:
            assert run.state == "done", run.failure
        return run

    def _sync(self) -> None:
        mode = self._rng.choice((Mode.INCREMENTAL,) * 8 + (Mode.RECONCILE, Mode.FULL))
        self._run(self._rng.choice(tuple(TRACKED)), mode)

    def _time(self) -> None:
        self._turn(self._rng.choice((0.3, 1, 1.5, 30, 400, 4000, 90_000)))

    def _turn(self, seconds: float) -> None:
        self.sandbox.turn(seconds)

    def _switch(self, verb: str, **order: object) -> None:
        self.log.append(f"{verb} {order}")
        self.sandbox.act("hubspot", do=verb, **order)

    def _fault(self) -> None:
        kind = self._rng.choice(_FAULTS)
        times, skip = self._rng.randint(1, 7), self._rng.randint(0, 2)
        self.sandbox.fault(kind, crm="hubspot", path="", times=times, skip=skip)
        self.log.append(f"fault {kind}")

    def _edit(self) -> None:
        object_ = self._object()
        names = self._rng.sample(TRACKED[object_], self._rng.randint(1, 2))
        records = [
            {"id": id_, "fields": {name: self._value(name) for name in names}}
            for id_ in self._live(object_, self._rng.choice((1, 1, 2, 5)))
        ]
        self._act("update", object_, records)

    def _flood(self) -> None:
        """Let HubSpot stamp more records than a page shows with the same millisecond."""
        value = self._text()
        ids = [each["id"] for each in self._truth("contacts") if not each["deleted"]]
        fields = {"message": value}
        self._act("update", "contacts", [{"id": id_, "fields": fields} for id_ in ids])

    def _create(self) -> None:
        object_ = self._object()
        self._mail += 1
        fields = {"dealname": self._text()}
        if object_ == "contacts":
            fields = {"email": f"life-{self._mail}@fernhill.example", "jobtitle": self._text()}
        self._act("create", object_, [{"fields": fields}])

    def _delete(self) -> None:
        object_ = self._object()
        self._act("delete", object_, [{"id": id_} for id_ in self._live(object_, 1)])

    def _restore(self) -> None:
        object_ = self._object()
        gone = [each["id"] for each in self._truth(object_) if each["deleted"]]
        if gone:
            self._act("restore", object_, [{"id": self._rng.choice(gone)}])

    def _merge(self) -> None:
        object_ = self._object()
        both = self._live(object_, 2)
        if len(both) == 2:
            self._act("merge", object_, [{"id": id_} for id_ in both])

    def _forget(self) -> None:
        if self._rng.random() < 0.5:
            self._act("gdpr_delete", "contacts", [{"id": i} for i in self._live("contacts", 1)])
        else:
            self._act("purge", "deals", [{"id": i} for i in self._live("deals", 1)])

    def _act(self, verb: str, object_: str, records: Sequence[Mapping[str, Any]]) -> None:
        if not records:
            return
        who = self._rng.choice(PEOPLE if verb in ("update", "create") else PEOPLE[:1])
        self.log.append(f"{verb} {object_} {json.dumps(list(records[:5]))} {who}")
        with suppress(ValueError):  # what the portal refuses to whoever does it is not our matter
            self.sandbox.act(
                "hubspot", do=verb, object=object_, records=list(records), **{"as": who}
            )
        if self._rng.random() < 0.7:
            self._turn(self._rng.choice((0.001, 0.4, 2)))

    def _object(self) -> str:
        return self._rng.choice(("contacts", "contacts", "deals"))

    def _live(self, object_: str, count: int) -> list[str]:
        ids = sorted(each["id"] for each in self._truth(object_) if not each["deleted"])
        # A few records do most of the business, or nothing would ever happen twice to one.
        few = ids[-6:]
        return self._rng.sample(few, min(count, len(few)))

    def _value(self, name: str) -> str | None:
        return None if name != "dealname" and self._rng.random() < 0.3 else self._text()

    def _text(self) -> str:
        self._said += 1
        return f"Note {self._said}"

    def _truth(self, object_: str) -> list[dict[str, Any]]:
        return self.sandbox.truth("hubspot", object_)

    # --- what has to be known ----------------------------------------------------------------

    def faults(self) -> Iterator[str]:
        """Yield what is lost, invented, or laid to somebody who did not do it."""
        entries = self.sandbox.journal(crm="hubspot", since=0)
        for object_ in TRACKED:
            journal = Journal(object_, [one for one in entries if one["object"] == object_])
            yield from self._states(object_, journal)
            for id_ in journal.records:
                made = self.store.timeline(Ref(SOURCE, object_, id_))
                yield from self._lost(journal, id_, made)
                # The journal tells nothing of what was there before.
                yield from journal.invented(id_, [one for one in made if one.at >= self._began])

    def _states(self, object_: str, journal: "Journal") -> Iterator[str]:
        truth = {each["id"]: each for each in self._truth(object_)}
        ids = sorted(truth.keys() | journal.records.keys())
        heads = self.store.heads([Ref(SOURCE, object_, id_) for id_ in ids])
        for id_ in ids:
            head, true = heads.get(Ref(SOURCE, object_, id_)), truth.get(id_)
            gone = true is None or true["deleted"]
            if head is None:
                if not gone:
                    yield f"{object_} {id_} is not stored"
            elif head.deleted != gone:
                yield f"{object_} {id_}: deleted is {gone}, stored {head.deleted}"
            elif true is not None and not gone:
                yield from _differing(object_, true, head.fields)

    def _lost(self, journal: "Journal", id_: str, made: Sequence[ChangeSet]) -> Iterator[str]:
        """Yield edits that the store does not know, though HubSpot could have told of them."""
        line = [*made]
        for heir in journal.heirs(id_):
            line += self.store.timeline(Ref(SOURCE, journal.object, heir))
        if journal.may_forget(id_):
            return
        # Where histories were merged, a blank may follow a blank of the other record.
        merged = journal.was_merged(id_)
        for entry in journal.records[id_]:
            for name in TRACKED[journal.object]:
                if entry["op"] != "update" or (merged and not _blank(entry["after"], name)):
                    continue
                if _says(entry, name) and not _knows(line, entry, name):
                    yield (
                        f"lost: {journal.object} {id_} {name} {entry['before'].get(name)!r} ->"
                        f" {entry['after'][name]!r} at {entry['at']} by {entry['actor']}"
                    )


class Journal:
    """What truly happened to the records of one object."""

    def __init__(self, object_: str, entries: Sequence[dict[str, Any]]) -> None:
        self.object = object_
        self.records: dict[str, list[dict[str, Any]]] = {}
        for entry in entries:
            self.records.setdefault(entry["record"], []).append(entry)

    def heirs(self, id_: str) -> list[str]:
        """Return the records that a record went on as."""
        found: list[str] = []
        here = id_
        while (onward := self._merged_into(here)) is not None and onward not in found:
            found.append(onward)
            here = onward
        return found

    def _merged_into(self, id_: str) -> str | None:
        told = [e["after"] for e in self.records.get(id_, ()) if e["op"] == "merge_away"]
        return str(told[-1]["merged_into"]) if told else None

    def was_merged(self, id_: str) -> bool:
        """Whether a record went into another, or another into it."""
        ops = {entry["op"] for entry in self.records.get(id_, ())}
        return bool(ops & {"merge", "merge_away"})

    def may_forget(self, id_: str) -> bool:
        """Whether HubSpot itself may have lost the history of a record, or of its heirs."""
        ops = {e["op"] for one in (id_, *self.heirs(id_)) for e in self.records.get(one, ())}
        return bool(ops & {"purge", "gdpr_delete", "delete", "restore"})

    def invented(self, id_: str, made: Sequence[ChangeSet]) -> Iterator[str]:
        """Yield changes that nobody made, or that somebody else made."""
        origins = [id_, *(one for one in self.records if id_ in self.heirs(one))]
        entries = [entry for one in origins for entry in self.records.get(one, ())]
        for each in made:
            if each.op in (Op.BASELINE, Op.CREATE) or each.actor.kind is ActorKind.UNKNOWN:
                continue
            for change in each.changes:
                if change.field not in TRACKED[self.object]:
                    continue
                value = None if change.new is None else json.loads(change.new)
                if not any(
                    _same_actor(entry, each) and _same_value(entry, change.field, value)
                    for entry in entries
                    if moment(entry["at"]) == each.at
                ):
                    yield f"invented: {self.object} {id_} {change} at {each.at} by {each.actor}"


def _differing(object_: str, true: Mapping[str, Any], fields: Mapping[str, str]) -> Iterator[str]:
    values = {name: value or None for name, value in true["properties"].items()}
    for name, token in fields.items():
        if name not in _STAMPS and json.loads(token) != values.get(name):
            yield f"{object_} {true['id']} {name}: {values.get(name)!r}, stored {token}"
    untold = {name for name, value in values.items() if value} - fields.keys() - _STAMPS - _HIDDEN
    if untold:
        yield f"{object_} {true['id']}: {sorted(untold)} are not stored"


def _says(entry: Mapping[str, Any], name: str) -> bool:
    return name in entry["after"] and _blank(entry["before"], name) != _blank(entry["after"], name)


def _blank(values: Mapping[str, Any], name: str) -> Any:
    return values.get(name) or None


def _knows(made: Sequence[ChangeSet], entry: Mapping[str, Any], name: str) -> bool:
    at = moment(entry["at"])
    return any(
        change.field == name
        and change.new is not None
        and json.loads(change.new) == _blank(entry["after"], name)
        and each.at == at
        and _same_actor(entry, each)
        for each in made
        for change in each.changes
    ) or any(
        each.op in (Op.CREATE, Op.BASELINE) and abs(each.at - at) <= timedelta(seconds=1)
        for each in made
    )


def _same_actor(entry: Mapping[str, Any], made: ChangeSet) -> bool:
    by = entry["actor"]
    if made.actor.kind is not _KINDS[by["kind"]]:
        return False
    if by["kind"] == "workflow":
        return bool(made.actor.name == by["name"])
    return bool(made.actor.id == by["id"])


def _same_value(entry: Mapping[str, Any], name: str, value: object) -> bool:
    # Of a merge the journal tells the survivor as it is, without what is empty.
    told = name in entry["after"] or entry["op"] == "merge"
    return told and _blank(entry["after"], name) == value
