"""A random life of a Salesforce org, synced meanwhile, and what the store has to know of it."""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from connectors.retrying import Retrying
from connectors.salesforce import connect
from crmtrail.config import AuthConfig, RetryConfig, SourceConfig
from crmtrail.model import ActorKind, ChangeSet, Mode, Op, Ref, moment
from crmtrail.ports import Leases, Store, ignore
from crmtrail.sandbox.client import Sandbox
from scheduler.runner import Run, Runner
from support.sandbox_rig import WallClock

SOURCE = "sf"
TRACKED = {
    "Account": ("Phone", "Industry", "Website"),
    "Contact": ("Phone", "Title", "Email"),
    "Opportunity": ("CloseDate", "Discount__c"),
}
UNTRACKED = {
    "Account": ("Site", "SicDesc"),
    "Contact": ("Department", "Fax"),
    "Opportunity": ("NextStep",),
}
_VALUES: Mapping[str, Sequence[object]] = {
    "Industry": ("Energy", "Banking", None),
    "Email": ("ada@example.com", "bob@example.com", None),
    "Website": ("https://a.example", "https://b.example", None),
    "CloseDate": ("2026-01-31", "2027-02-28", "2026-12-24"),
    "Discount__c": (5, 12.5, 40, None),
}
PEOPLE: Sequence[Mapping[str, str]] = (
    {"kind": "user", "name": "Priya Raman"},
    {"kind": "user", "name": "Tom Okafor"},
    {"kind": "app", "name": "Marketing Sync"},
)
_FAULTS = ("unavailable", "reset_before", "reset_after", "throttle")
_BOOKKEEPING = {
    "IsDeleted",
    "MasterRecordId",
    "SystemModstamp",
    "LastModifiedDate",
    "LastModifiedById",
    "LastViewedDate",
    "LastReferencedDate",
    "deleted",
}


@dataclass
class Life:
    """One org with one store, driven by chance.

    Args:
        sandbox: the org, freshly reset.
        store: where it is synced to.
        leases: the store's.
        seed: of the dice.
    """

    sandbox: Sandbox
    store: Store
    leases: Leases
    seed: int
    log: list[str] = field(default_factory=list)
    first: int = 0

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)  # noqa: S311 -- dice of a test
        people = self.sandbox.people("salesforce")
        settings = SourceConfig.model_validate(
            {
                "kind": "salesforce",
                "base_url": self.sandbox.url,
                "auth": AuthConfig(token=people["tokens"]["observer"]),
            }
        )
        clock = WallClock()
        patient = RetryConfig(attempts=4, longest_wait=timedelta(0))
        inner = connect(SOURCE, settings, settings.auth, clock)
        self._connector = Retrying(inner, patient, sleep=lambda _: None)
        self._runner = Runner(
            self.store,
            self.leases,
            clock,
            ignore,
            holder="here:1:1",
            ttl=timedelta(hours=9),
            sleep=self._waited,
        )
        self._said = 0
        self._locked: dict[str, datetime] = {}
        self._now = moment(self.sandbox.turn(0))

    def close(self) -> None:
        self._connector.close()

    def _turn(self, seconds: int) -> None:
        self._now = moment(self.sandbox.turn(seconds))

    def _waited(self, seconds: float) -> None:
        self._turn(max(1, round(seconds)))

    # --- what happens ------------------------------------------------------------------------

    def begin(self) -> None:
        """Let everything be known once; from here on nothing may be missed."""
        self.sandbox.freeze(self.sandbox.turn(60)[:19] + "+00:00")
        self.sync_all(Mode.INCREMENTAL, sure=True)
        self._turn(3600)
        self.first = max((entry["seq"] for entry in self._journal(0)), default=0)

    def step(self) -> None:
        """Do one thing."""
        acts = (
            (self._edit, 12),
            (self._create, 2),
            (self._delete, 2),
            (self._undelete, 1),
            (self._merge, 1),
            (self._touch, 1),
            (self._fault, 2),
            (self._time, 6),
            (self._sync, 8),
        )
        (act,) = self._rng.choices([a for a, _ in acts], [weight for _, weight in acts])
        act()

    def end(self) -> None:
        """Let everything commit, and be read."""
        self.sandbox.calm()
        self._turn(7200)
        self.sync_all(Mode.INCREMENTAL, sure=True)
        self._turn(3600)
        self.sync_all(Mode.FULL, sure=True)

    def sync_all(self, mode: Mode, *, sure: bool = False) -> None:
        for object_ in TRACKED:
            run = self._run(object_, mode)
            if sure:
                assert run.state == "done", run.failure

    def _run(self, object_: str, mode: Mode) -> Run:
        # Stamps are of whole seconds: nobody can tell what came after a look within one.
        self._turn(1)
        run = self._runner.run(self._connector, object_, mode)
        self._turn(1)
        self.log.append(f"sync {object_} {mode}: {run.state} {run.kept}")
        return run

    def _sync(self) -> None:
        mode = self._rng.choice((Mode.INCREMENTAL,) * 8 + (Mode.RECONCILE, Mode.FULL))
        self._run(self._rng.choice(tuple(TRACKED)), mode)

    def _time(self) -> None:
        self._turn(self._rng.choice((1, 1, 2, 30, 400, 4000, 20_000)))

    def _fault(self) -> None:
        kind = self._rng.choice(_FAULTS)
        self.sandbox.fault(
            kind,
            crm="salesforce",
            path="",
            times=self._rng.randint(1, 6),
            skip=self._rng.randint(0, 2),
        )
        self.log.append(f"fault {kind}")

    def _edit(self) -> None:
        object_ = self._object()
        names = self._rng.sample((*TRACKED[object_], *UNTRACKED[object_]), self._rng.randint(1, 2))
        records = [
            {"id": id_, "fields": {name: self._value(name) for name in names}}
            for id_ in self._live(object_, self._rng.choice((1, 1, 2, 5)))
        ]
        self._act("update", object_, records, late=True)

    def _create(self) -> None:
        object_ = self._object()
        fields: dict[str, object] = {"Name": self._text()}
        if object_ == "Contact":
            fields = {"LastName": self._text()}
        elif object_ == "Opportunity":
            fields |= {"StageName": "Prospecting", "CloseDate": "2027-01-31"}
        self._act("create", object_, [{"fields": fields}], late=True)

    def _delete(self) -> None:
        object_ = self._rng.choice(("Contact", "Opportunity"))
        self._act("delete", object_, [{"id": id_} for id_ in self._live(object_, 1)])

    def _undelete(self) -> None:
        object_ = self._rng.choice(("Contact", "Opportunity"))
        gone = [each["Id"] for each in self._truth(object_) if each["deleted"]]
        merged = {
            each["Id"] for each in self._truth(object_) if each.get("MasterRecordId") is not None
        }
        back = [id_ for id_ in gone if id_ not in merged]
        if back:
            self._act("undelete", object_, [{"id": self._rng.choice(back)}])

    def _merge(self) -> None:
        both = self._live("Contact", 2)
        if len(both) == 2:
            self._act("merge", "Contact", [{"id": id_, "fields": {}} for id_ in both])

    def _touch(self) -> None:
        object_ = self._object()
        self._act("touch", object_, [{"id": id_} for id_ in self._live(object_, 1)])

    def _act(
        self, verb: str, object_: str, records: Sequence[Mapping[str, Any]], *, late: bool = False
    ) -> None:
        if not records:
            return
        who = self._rng.choice(PEOPLE)
        more: dict[str, object] = {"as": who}
        if late and self._rng.random() < 0.15:
            delay = self._rng.choice((60, 300))
            more["commit_delay"] = delay
            # An open transaction holds its rows.
            until = self._now + timedelta(seconds=delay)
            self._locked |= {str(one["id"]): until for one in records if "id" in one}
        self.log.append(f"{verb} {object_} {json.dumps(list(records))} {more}")
        with suppress(ValueError):  # what the org refuses to whoever does it is no matter of ours
            self.sandbox.act("salesforce", do=verb, object=object_, records=list(records), **more)

    def _object(self) -> str:
        return self._rng.choice(tuple(TRACKED))

    def _live(self, object_: str, count: int) -> list[str]:
        free = {id_ for id_, until in self._locked.items() if until <= self._now}
        held = self._locked.keys() - free
        ids = sorted(each["Id"] for each in self._truth(object_) if not each["deleted"])
        ids = [id_ for id_ in ids if id_ not in held]
        # A few records do most of the business, or nothing would ever happen twice to one.
        return self._rng.sample(ids[:6], min(count, len(ids[:6])))

    def _value(self, name: str) -> object:
        if name in _VALUES:
            return self._rng.choice(_VALUES[name])
        return None if self._rng.random() < 0.3 else self._text()

    def _text(self) -> str:
        self._said += 1
        return f"Note {self._said}"

    def _truth(self, object_: str) -> list[dict[str, Any]]:
        return self.sandbox.truth("salesforce", object_)

    def _journal(self, since: int) -> list[dict[str, Any]]:
        return self.sandbox.journal(crm="salesforce", since=since)

    # --- what has to be known ----------------------------------------------------------------

    def faults(self) -> Iterator[str]:
        """Yield what is lost, invented, or laid to somebody who did not do it."""
        for object_ in TRACKED:
            yield from self._states(object_)
        journal = [entry for entry in self._journal(self.first) if entry["object"] in TRACKED]
        by_record: dict[Ref, list[dict[str, Any]]] = {}
        for entry in journal:
            ref = Ref(SOURCE, entry["object"], entry["record"])
            by_record.setdefault(ref, []).append(entry)
        for ref, entries in by_record.items():
            made = self.store.timeline(ref)
            yield from _lost(ref, entries, made)
            yield from _invented(ref, entries, made)

    def _states(self, object_: str) -> Iterator[str]:
        truth = {each["Id"]: each for each in self._truth(object_)}
        heads = self.store.heads([Ref(SOURCE, object_, id_) for id_ in truth])
        for id_, values in truth.items():
            head = heads.get(Ref(SOURCE, object_, id_))
            if head is None:
                if not values["deleted"]:
                    yield f"{object_} {id_} is not stored"
                continue
            if head.deleted != values["deleted"]:
                yield f"{object_} {id_}: deleted is {values['deleted']}, stored {head.deleted}"
            elif not head.deleted:
                for name, token in head.fields.items():
                    if name not in _BOOKKEEPING and json.loads(token) != values.get(name):
                        yield f"{object_} {id_} {name}: {values.get(name)!r}, stored {token}"
                untold = values.keys() - head.fields.keys() - _BOOKKEEPING
                whole = {n for n in untold if not isinstance(values[n], dict)} - {"Name"}
                if whole - {"MailingAddress", "OtherAddress", "BillingAddress", "ShippingAddress"}:
                    yield f"{object_} {id_}: {sorted(whole)} are not stored"


def _stamp(entry: Mapping[str, Any]) -> datetime:
    return moment(entry["at"]).replace(microsecond=0)


def _says(entry: Mapping[str, Any], name: str) -> bool:
    return name in entry["after"] and entry["before"].get(name) != entry["after"][name]


def _lost(
    ref: Ref, entries: Sequence[Mapping[str, Any]], made: Sequence[ChangeSet]
) -> Iterator[str]:
    """Yield edits of tracked fields, and deletions, that the store does not know."""
    for entry in entries:
        if entry["op"] == "update":
            for name in TRACKED[ref.object]:
                if _says(entry, name) and not _knows(made, entry, name):
                    yield (
                        f"lost: {ref} {name} {entry['before'].get(name)!r} ->"
                        f" {entry['after'][name]!r} at {entry['at']} by {entry['actor']['name']}"
                    )


def _knows(made: Sequence[ChangeSet], entry: Mapping[str, Any], name: str) -> bool:
    return any(
        change.field == name
        and change.new is not None
        and json.loads(change.new) == entry["after"][name]
        and each.at == _stamp(entry)
        and each.actor.id == entry["actor"]["id"]
        for each in made
        for change in each.changes
    ) or any(each.op is Op.CREATE and each.at == _stamp(entry) for each in made)


def _invented(
    ref: Ref, entries: Sequence[Mapping[str, Any]], made: Sequence[ChangeSet]
) -> Iterator[str]:
    """Yield changes that nobody made, or that somebody else made."""
    for each in made:
        if each.op in (Op.BASELINE, Op.CREATE) or each.actor.kind in (
            ActorKind.SYSTEM,
            ActorKind.UNKNOWN,
        ):
            continue
        mine = [e for e in entries if e["actor"]["id"] == each.actor.id]
        for change in each.changes:
            if change.field not in (*TRACKED[ref.object], *UNTRACKED[ref.object]):
                continue
            value = None if change.new is None else json.loads(change.new)
            sources = entries if each.since is not None else mine
            if not any(
                _says(e, change.field)
                and e["after"][change.field] == value
                and (each.since is not None or _stamp(e) == each.at)
                for e in sources
            ):
                yield f"invented: {ref} {change} at {each.at} by {each.actor}"
        if not any(_stamp(e) == each.at for e in mine):
            yield f"actor: {ref} {each.op} {each.changes} at {each.at} by {each.actor}"
