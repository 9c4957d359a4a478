"""A mass overwrite, the plan that undoes it, and a check of what the restore did to the CRM."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from crmtrail.model import Ref, Result
from crmtrail.ports import Journalled, StepState
from rollback.journal import SqlJournal
from snapshot.engine import open_store
from support.kill_bench import KillBench
from support.sandbox_rig import WallClock

RESTORERS = {"salesforce": "0055g000000000CAAQ", "hubspot": "3217790"}
"""Whom the sandbox names for the token ``restorer``: the app CRM Restorer."""

_COLLEAGUES = {
    "salesforce": {"kind": "user", "name": "Tom Okafor"},
    "hubspot": {"kind": "user", "name": "Tobias Okafor"},
}
_CLEARED = 0.25
"""Share of the colleagues' edits that clear a field."""

_APART = 5
"""Seconds between two mishaps, so that each is an incident of its own."""

_FIELDS = {"salesforce": ("Phone", "Title"), "hubspot": ("phone", "jobtitle")}


@dataclass
class Mishap:
    """An app blanked some fields of many people.

    ``before`` holds the lost values by id. ``repaired`` notes what colleagues put there since.
    """

    bench: KillBench
    object: str
    fields: Sequence[str]
    before: Mapping[str, Mapping[str, Any]]
    since: int
    plan: str = ""
    repaired: dict[str, dict[str, str | None]] = field(default_factory=dict)

    @property
    def crm(self) -> str:
        return self.bench.watched.wire.crm

    @classmethod
    def strike(cls, bench: KillBench) -> "Mishap":
        """Blank a field or two of 120 to 160 people, sync, and plan the restore."""
        bench.watched.server.world.clock.turn(_APART)
        object_ = bench.office.kind.desks[0].object
        both = _FIELDS[bench.watched.wire.crm]
        names = bench.rng.choice((both, both[:1]))
        whole = {
            id_: {name: values.get(name) for name in names}
            for id_, (values, deleted) in bench.auditor.truth(object_).items()
            if not deleted and all(values.get(name) for name in names)
        }
        hit = bench.rng.sample(sorted(whole), bench.rng.randint(120, 160))
        mishap = cls(bench, object_, names, {id_: whole[id_] for id_ in hit}, bench.auditor.now())
        blank = [{"id": id_, "fields": dict.fromkeys(names)} for id_ in hit]
        bench.office.act("update", object_, blank, bench.office.kind.people[1])
        bench.sync()
        mishap.since = bench.auditor.now()
        mishap.plan = mishap._planned()
        return mishap

    def interfere(self) -> None:
        """Let a colleague give one of the records a better value, or clear it once more."""
        id_ = self.bench.rng.choice(sorted(self.before.keys() - self.repaired.keys()))
        name = self.bench.rng.choice(self.fields)
        better = f"By hand {len(self.repaired) + 1}"
        value = {name: None if self.bench.rng.random() < _CLEARED else better}
        colleague = _COLLEAGUES[self.crm]
        before = self.bench.auditor.now()
        self.bench.office.act("update", self.object, [{"id": id_, "fields": value}], colleague)
        if any(name in entry["after"] for entry in self._entries(before) if entry["record"] == id_):
            self.repaired[id_] = value  # to clear what is blank already is no edit

    def problems(self, answer: Mapping[str, Any]) -> Iterator[str]:
        """Yield whatever is not as it should be once the plan was applied to its end."""
        results = {each.step.ref.id: _result(each) for each in self._steps()}
        yield from self._receipt(answer)
        if results.keys() != self.before.keys():
            yield f"{len(results)} steps for {len(self.before)} records"
        yield from self._values(results)
        yield from self._writes(results)

    def _entries(self, since: int) -> list[dict[str, Any]]:
        world = self.bench.watched.server.world
        with world.lock:
            return world.journalled(since=since)

    def _planned(self) -> str:
        incident = next(  # the newest come first
            one
            for one in self.bench.ask("incidents", "--state", "open")["incidents"]
            if one["object"] == self.object
        )
        assert incident["records"] == len(self.before), incident
        plan = self.bench.ask("plan", "--incident", incident["id"])["plan"]
        return str(plan["id"])

    def _steps(self) -> list[Journalled]:
        with closing(open_store(self.bench.url, WallClock(), create=False)) as store:
            return list(SqlJournal(store.engine).steps(self.plan))

    def _receipt(self, answer: Mapping[str, Any]) -> Iterator[str]:
        """Yield what the receipt says wrongly; it tells how the records stand at its time."""
        told = {Ref.parse(each["record"]).id: each for each in answer["receipt"]["steps"]}
        outcomes = {name: n for name, n in answer["receipt"]["outcomes"].items() if n}
        counted = Counter(each["outcome"] for each in told.values())
        if not sum(outcomes.values()) == answer["planned"] == len(self.before):
            yield f"the receipt does not add up: {outcomes} of {answer['planned']}"
        if outcomes != counted:
            yield f"the receipt says {outcomes}, its steps say {counted}"
        for id_ in self.before.keys() - self.repaired.keys():
            if told[id_]["outcome"] not in (Result.RESTORED, Result.ALREADY):
                yield f"{id_}: nobody touched it, but the receipt says {told[id_]}"

    def _values(self, results: Mapping[str, Result]) -> Iterator[str]:
        truth = self.bench.auditor.truth(self.object)
        for id_, before in self.before.items():
            now = {name: truth[id_][0].get(name) for name in self.fields}
            mine = self.repaired.get(id_, {})
            if any(now[name] != value for name, value in mine.items()):
                yield f"{id_}: the colleague's {mine} was overwritten: {now}"
            if results.get(id_) in (Result.RESTORED, Result.ALREADY) and now != {**before, **mine}:
                yield f"{id_}: {results[id_]}, but it holds {now}"
            if id_ not in self.repaired and results.get(id_) is not Result.RESTORED:
                yield f"{id_}: nobody touched it, but it ended {results.get(id_)}"

    def _writes(self, results: Mapping[str, Result]) -> Iterator[str]:
        """Yield each record that we wrote twice, or after a colleague, or without a plan."""
        ours: Counter[str] = Counter()
        taken: set[tuple[str, str]] = set()
        for entry in self._entries(self.since):
            id_ = entry["record"]
            if entry["actor"]["id"] == RESTORERS[self.crm]:
                ours[id_] += 1
                late = [name for name in entry["after"] if (id_, name) in taken]
                if late or id_ not in self.before:
                    yield f"{id_}: we wrote {entry['after']} after a colleague, or unplanned"
            elif entry["actor"]["kind"] == "user":
                taken.update((id_, name) for name in entry["after"])
        yield from (f"{id_}: written {times} times" for id_, times in ours.items() if times > 1)
        restored = {id_ for id_, result in results.items() if result is Result.RESTORED}
        yield from (f"{id_}: restored, but not by us" for id_ in restored - ours.keys())
        strange = ours.keys() - restored - self.repaired.keys()
        yield from (f"{id_}: written, but told as {results.get(id_)}" for id_ in strange)


def _result(each: Journalled) -> Result:
    assert each.state == StepState.SETTLED, each
    assert each.outcome is not None
    return each.outcome.result
